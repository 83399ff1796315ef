/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns open files: open, create, read, write, flush, fsync, release. A node is one version, so its
 * pages are always kept. When a flush sends, and whose flush, is the mailbox's to decide. Who may
 * open is asked at open(2) alone: a descriptor is good for whoever holds it.
 */
#include "fs/private.h"

#include "base/rule.h"

#include <errno.h>
#include <fcntl.h>

static File *file_of(const struct fuse_file_info *info)
{
  return (File *)(uintptr_t)info->fh;
}

static void file_opened(Fs *fs, File *file, struct fuse_file_info *info)
{
  info->fh = (uintptr_t)file;
  info->keep_cache = 1;
  g_mutex_lock(&fs->lock);
  g_hash_table_add(fs->files, file);
  g_mutex_unlock(&fs->lock);
}

static void file_closed(Fs *fs, File *file)
{
  g_mutex_lock(&fs->lock);
  g_hash_table_remove(fs->files, file);
  g_mutex_unlock(&fs->lock);
  file_release(file);
}

void files_release_all(Fs *fs)
{
  GHashTableIter iter;
  gpointer file;
  g_hash_table_iter_init(&iter, fs->files);
  while (g_hash_table_iter_next(&iter, &file, NULL)) {
    g_hash_table_iter_remove(&iter);
    file_release(file);
  }
}

void op_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *info)
{
  Call call;
  call_begin(&call, req, "open");
  NodeId id;
  File *file = NULL;
  gboolean size_told_wrong = FALSE;
  if (call_enter(&call, node, &id) && mailbox_open_file(call.mailbox, &call.caller, id, info->flags,
                                                        &file, &size_told_wrong, &call.error)) {
    /* Attributes only: this waits for no request, so it cannot deadlock with one. */
    if (size_told_wrong && RULE("fs-size-inval"))
      fuse_lowlevel_notify_inval_inode(call.fs->session, node, -1, 0);
    Fs *fs = call.fs;
    file_opened(fs, file, info);
    info->noflush = (info->flags & (O_ACCMODE | O_TRUNC)) == O_RDONLY; /* has nothing to send */
    if (!reply_open(&call, info))
      file_closed(fs, file);
  }
  call_end(&call);
}

void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
               struct fuse_file_info *info)
{
  (void)mode; /* modes are the mount's, not the file's */
  Call call;
  call_begin(&call, req, "create");
  NodeId id;
  File *file = NULL;
  Attr attr;
  if (call_enter(&call, parent, &id) &&
      mailbox_create(call.mailbox, &call.caller, id.ino, name, &file, &attr, &call.error)) {
    Fs *fs = call.fs;
    file_opened(fs, file, info);
    if (!reply_create(&call, &attr, info))
      file_closed(fs, file);
  }
  call_end(&call);
}

void op_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
             struct fuse_file_info *info)
{
  (void)node;
  Call call;
  call_begin(&call, req, "read");
  int fd = -1;
  gsize len = 0;
  if (file_read(file_of(info), &call.caller, offset, size, &fd, &len, &call.error)) {
    if (len > 0)
      reply_fd(&call, fd, offset, len);
    else
      reply_bytes(&call, NULL, 0);
  }
  call_end(&call);
}

void op_write(fuse_req_t req, fuse_ino_t node, const char *bytes, size_t size, off_t offset,
              struct fuse_file_info *info)
{
  (void)node;
  Call call;
  call_begin(&call, req, "write");
  if (file_write(file_of(info), &call.caller, bytes, size, offset, &call.error))
    reply_written(&call, size);
  call_end(&call);
}

void op_flush(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *info)
{
  (void)node;
  Call call;
  call_begin(&call, req, "flush");
  if (file_flush(file_of(info), &call.caller, &call.error))
    reply_done(&call);
  call_end(&call);
}

void op_fsync(fuse_req_t req, fuse_ino_t node, int datasync, struct fuse_file_info *info)
{
  (void)node;
  (void)datasync;
  Call call;
  call_begin(&call, req, "fsync");
  if (file_fsync(file_of(info), &call.caller, &call.error))
    reply_done(&call);
  call_end(&call);
}

/* The close has returned long ago: there is nobody to interrupt it or to hear of a failure. */
void op_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *info)
{
  (void)node;
  file_closed(fuse_req_userdata(req), file_of(info));
  fuse_reply_err(req, 0);
}
