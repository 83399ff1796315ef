/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the operations that change names: mkdir, rmdir, unlink, rename, and what a mailbox cannot
 * hold (links, devices). What a name may be and what the server is told is the mailbox's.
 */
#include "fs/private.h"

#include <errno.h>

void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
  (void)mode; /* modes are the mount's, not the folder's */
  Call call;
  call_begin(&call, req, "mkdir");
  NodeId id;
  Attr attr;
  if (call_enter(&call, parent, &id) &&
      mailbox_mkdir(call.mailbox, &call.caller, id.ino, name, &attr, &call.error))
    reply_entry(&call, &attr);
  call_end(&call);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
  Call call;
  call_begin(&call, req, "unlink");
  NodeId id;
  if (call_enter(&call, parent, &id) &&
      mailbox_unlink(call.mailbox, &call.caller, id.ino, name, &call.error))
    reply_done(&call);
  call_end(&call);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
  Call call;
  call_begin(&call, req, "rmdir");
  NodeId id;
  if (call_enter(&call, parent, &id) &&
      mailbox_rmdir(call.mailbox, &call.caller, id.ino, name, &call.error))
    reply_done(&call);
  call_end(&call);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
               const char *new_name, unsigned flags)
{
  Call call;
  call_begin(&call, req, "rename");
  NodeId from, to;
  if (!call_enter(&call, parent, &from))
    goto out;
  const Mailbox *mailbox = call.mailbox;
  if (!call_enter(&call, new_parent, &to))
    goto out;
  if (mailbox != call.mailbox)
    reply_errno(&call, EXDEV);
  else if (mailbox_rename(call.mailbox, &call.caller, from.ino, name, to.ino, new_name, flags,
                          &call.error))
    reply_done(&call);
out:
  call_end(&call);
}

void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
  (void)device;
  if (!S_ISREG(mode)) {
    fuse_reply_err(req, EPERM);
    return;
  }
  Call call;
  call_begin(&call, req, "mknod");
  NodeId id;
  File *file = NULL;
  Attr attr;
  if (call_enter(&call, parent, &id) &&
      mailbox_create(call.mailbox, &call.caller, id.ino, name, &file, &attr, &call.error)) {
    gboolean sent = file_fsync(file, &call.caller, &call.error);
    file_release(file);
    /* Sending it may have made another version of it. */
    if (sent && mailbox_lookup(call.mailbox, &call.caller, id.ino, name, &attr, &call.error))
      reply_entry(&call, &attr);
  }
  call_end(&call);
}

/* ENOSYS, libfuse's own answer, would reach the program as "function not implemented". */
void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
  (void)link;
  (void)parent;
  (void)name;
  fuse_reply_err(req, EPERM);
}

void op_link(fuse_req_t req, fuse_ino_t node, fuse_ino_t new_parent, const char *new_name)
{
  (void)node;
  (void)new_parent;
  (void)new_name;
  fuse_reply_err(req, EPERM);
}
