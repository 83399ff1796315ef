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
  Attr attr;
  if (mailbox_mkdir(call.fs->mailbox, &call.caller, node_unpack(parent).ino, name, &attr,
                    &call.error))
    reply_entry(&call, &attr);
  call_end(&call);
}

void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
  Call call;
  call_begin(&call, req, "unlink");
  if (mailbox_unlink(call.fs->mailbox, &call.caller, node_unpack(parent).ino, name, &call.error))
    reply_done(&call);
  call_end(&call);
}

void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
  Call call;
  call_begin(&call, req, "rmdir");
  if (mailbox_rmdir(call.fs->mailbox, &call.caller, node_unpack(parent).ino, name, &call.error))
    reply_done(&call);
  call_end(&call);
}

void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
               const char *new_name, unsigned flags)
{
  Call call;
  call_begin(&call, req, "rename");
  if (mailbox_rename(call.fs->mailbox, &call.caller, node_unpack(parent).ino, name,
                     node_unpack(new_parent).ino, new_name, flags, &call.error))
    reply_done(&call);
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
  gint64 folder = node_unpack(parent).ino;
  File *file = NULL;
  Attr attr;
  if (mailbox_create(call.fs->mailbox, &call.caller, folder, name, &file, &attr, &call.error)) {
    gboolean sent = file_fsync(file, &call.caller, &call.error);
    file_release(file);
    /* Sending it may have made another version of it. */
    if (sent && mailbox_lookup(call.fs->mailbox, &call.caller, folder, name, &attr, &call.error))
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
