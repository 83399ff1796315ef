/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the life of a call's cancel token: Ctrl-C or a kill of the caller (the kernel's INTERRUPT)
 * and the end of the mount set it. What a set token does is up to whoever waits below.
 *
 * libfuse calls on_interrupt() with the request's lock held and takes the same lock to forget it:
 * once call_settle() returns, the token is not used any more.
 */
#include "fs/private.h"

#include "base/rule.h"

static void on_interrupt(fuse_req_t req, void *user)
{
  (void)req;
  cancel_trigger(user);
}

static void on_ending(gpointer user)
{
  cancel_trigger(user);
}

void call_begin(Call *call, fuse_req_t req, const char *what)
{
  Fs *fs = fuse_req_userdata(req);
  *call = (Call){
      .fs = fs,
      .req = req,
      .what = what,
      .caller = {.cancel = cancel_new(), .pid = fuse_req_ctx(req)->pid},
  };
  call->ending_id = cancel_connect(fs->ending, on_ending, call->caller.cancel);
  if (RULE("fs-interrupt"))
    fuse_req_interrupt_func(req, on_interrupt, call->caller.cancel);
}

void call_settle(Call *call)
{
  fuse_req_interrupt_func(call->req, NULL, NULL);
  cancel_disconnect(call->fs->ending, call->ending_id);
  g_clear_pointer(&call->caller.cancel, cancel_unref);
}
