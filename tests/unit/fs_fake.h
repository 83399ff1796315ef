/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mailbox in memory, for tests of fs/ alone: every function of mailbox.h, so that the linker
 * takes none of the real ones. Its folder holds a fixed set of names, each with one behaviour; what
 * the test, another process, sees and sets is in `shared`.
 */
#pragma once

#include "base/error.h"
#include "mailbox/mailbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* In memory shared by the daemon's process and the test's. Each member is atomic. */
typedef struct {
  gint waiting;     /* calls that wait now */
  gint open_gate;   /* lets them go */
  gint version;     /* of "versioned" */
  gint flush_errno; /* what a flush of a written file answers */
  gint flushes, releases, opens, readdirs, lookups;
  gint gone; /* number of the many-* file that is no more */
  gint dir_same;
} Shared;
static Shared *shared;

#define MANY 3000
#define MANY_INO 1000
#define TRUE_SIZE 5000
#define ESTIMATE 9000
#define STALL_AFTER 65536
#define STALL_SIZE (1024 * 1024)
#define FAKE_TTL_US (60 * G_USEC_PER_SEC)

enum { ROOT = 1, PLAIN = 10, READ_ONLY, VERSIONED, SIZED, TOLD_WRONG, STALLS, WRITTEN, FOLDER };

static const struct {
  const char *name;
  gint64 ino;
} fake_names[] = {
    {"plain", PLAIN},     {"read-only", READ_ONLY},   {"versioned", VERSIONED},
    {"sized", SIZED},     {"told-wrong", TOLD_WRONG}, {"stalls", STALLS},
    {"written", WRITTEN}, {"folder", FOLDER},
};

struct Mailbox {
  GMutex lock;
  GCond cond;
  gint size_known, told_wrong_asked; /* atomic */
  gint64 mtime, written;             /* of "written": its time and size */
};

struct File {
  Mailbox *mailbox;
  NodeId id;
  int fd;
  gboolean dirty;
};

static void fake_attr(Mailbox *mailbox, gint64 ino, Attr *out)
{
  *out = (Attr){
      .id = {.ino = ino, .version = ino == ROOT || ino == FOLDER ? 0 : 1},
      .folder = ino == ROOT || ino == FOLDER,
      .read_only = ino == READ_ONLY,
      .size = ino == ROOT || ino == FOLDER ? 0 : TRUE_SIZE,
      .mtime = (gint64)1000000000 * 1000 * 1000 * 1000 + 5,
      .ctime = (gint64)1000000001 * 1000 * 1000 * 1000,
      .valid_us = FAKE_TTL_US,
  };
  if (ino == VERSIONED) {
    out->id.version = (guint32)g_atomic_int_get(&shared->version);
    out->valid_us = 0;
  }
  if ((ino == SIZED && !g_atomic_int_get(&mailbox->size_known)) ||
      (ino == TOLD_WRONG && !g_atomic_int_get(&mailbox->told_wrong_asked)))
    out->size = ESTIMATE;
  if (ino == STALLS)
    out->size = STALL_SIZE;
  if (ino == WRITTEN)
    out->size = mailbox->written; /* an fstat(2) brings no handle */
  if (ino == WRITTEN && mailbox->mtime)
    out->mtime = mailbox->mtime;
}

static gboolean fake_no(GError **error, int errnum)
{
  return error_set(error, errnum, SCOPE_ITEM, "%s", g_strerror(errnum));
}

Mailbox *mailbox_open(Store *store, const MailboxOptions *options, GError **error)
{
  (void)store;
  (void)options;
  (void)error;
  Mailbox *mailbox = g_new0(Mailbox, 1);
  g_mutex_init(&mailbox->lock);
  g_cond_init(&mailbox->cond);
  return mailbox;
}

void mailbox_close(Mailbox *mailbox)
{
  g_cond_clear(&mailbox->cond);
  g_mutex_clear(&mailbox->lock);
  g_free(mailbox);
}

const char *mailbox_description(const Mailbox *mailbox)
{
  (void)mailbox;
  return "a fake";
}

/* Waits as a request to a slow server does: until the gate opens or the token is set. */
static gboolean fake_wait(Mailbox *mailbox, const Caller *caller, GError **error)
{
  g_atomic_int_inc(&shared->waiting);
  int failed = 0;
  gint64 deadline = g_get_monotonic_time() + 20 * G_USEC_PER_SEC;
  g_mutex_lock(&mailbox->lock);
  while (failed != EINTR && !g_atomic_int_get(&shared->open_gate) &&
         g_get_monotonic_time() < deadline)
    failed = cancel_wait(caller->cancel, &mailbox->cond, &mailbox->lock,
                         g_get_monotonic_time() + 10 * 1000);
  g_mutex_unlock(&mailbox->lock);
  g_atomic_int_add(&shared->waiting, -1);
  return failed == EINTR ? fake_no(error, EINTR) : TRUE;
}

gboolean mailbox_lookup(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                        Attr *out, GError **error)
{
  g_atomic_int_inc(&shared->lookups);
  if (parent != ROOT && parent != FOLDER)
    return fake_no(error, ENOTDIR);
  if (g_str_has_prefix(name, "wait-"))
    return fake_wait(mailbox, caller, error) && fake_no(error, ENOENT);
  for (gsize i = 0; parent == ROOT && i < G_N_ELEMENTS(fake_names); i++)
    if (strcmp(fake_names[i].name, name) == 0) {
      fake_attr(mailbox, fake_names[i].ino, out);
      return TRUE;
    }
  int number;
  if (parent == FOLDER && sscanf(name, "many-%d", &number) == 1) {
    fake_attr(mailbox, MANY_INO + number, out);
    return TRUE;
  }
  return fake_no(error, strcmp(name, "strange") == 0 ? ENOSYS : ENOENT);
}

gboolean mailbox_getattr(Mailbox *mailbox, const Caller *caller, NodeId id, File *file, Attr *out,
                         GError **error)
{
  (void)caller;
  (void)file;
  (void)error;
  fake_attr(mailbox, id.ino, out);
  return TRUE;
}

gboolean mailbox_set_mtime(Mailbox *mailbox, const Caller *caller, NodeId id, File *file,
                           gint64 mtime, Attr *out, GError **error)
{
  (void)caller;
  (void)file;
  (void)error;
  mailbox->mtime = mtime;
  fake_attr(mailbox, id.ino, out);
  return TRUE;
}

gboolean mailbox_truncate(Mailbox *mailbox, const Caller *caller, NodeId id, File *file,
                          gint64 size, Attr *out, GError **error)
{
  if (size > (gint64)1 << 40)
    return fake_no(error, EFBIG);
  if (file && ftruncate(file->fd, size) < 0)
    return fake_no(error, errno);
  return mailbox_getattr(mailbox, caller, id, file, out, error);
}

gboolean mailbox_opendir(Mailbox *mailbox, const Caller *caller, gint64 folder, gboolean *ret_same,
                         GError **error)
{
  (void)mailbox;
  (void)caller;
  (void)folder;
  (void)error;
  *ret_same = g_atomic_int_get(&shared->dir_same) != 0;
  return TRUE;
}

gboolean mailbox_readdir(Mailbox *mailbox, gint64 folder, gint64 after, MailboxDirFunc func,
                         gpointer user, GError **error)
{
  (void)error;
  g_atomic_int_inc(&shared->readdirs);
  Attr attr;
  for (gsize i = 0; folder == ROOT && i < G_N_ELEMENTS(fake_names); i++) {
    fake_attr(mailbox, fake_names[i].ino, &attr);
    if (attr.id.ino > after && !func(fake_names[i].name, &attr, user))
      return TRUE;
  }
  for (int i = 0; folder == FOLDER && i < MANY; i++) {
    char name[32];
    g_snprintf(name, sizeof name, "many-%d", i);
    fake_attr(mailbox, MANY_INO + i, &attr);
    if (attr.id.ino > after && i != g_atomic_int_get(&shared->gone) && !func(name, &attr, user))
      return TRUE;
  }
  return TRUE;
}

gint64 mailbox_parent(Mailbox *mailbox, gint64 folder)
{
  (void)mailbox;
  (void)folder;
  return ROOT;
}

static File *fake_file(Mailbox *mailbox, NodeId id)
{
  File *file = g_new0(File, 1);
  file->mailbox = mailbox;
  file->id = id;
  file->fd = memfd_create("body", MFD_CLOEXEC);
  gsize len = id.ino == STALLS ? STALL_AFTER : id.ino == WRITTEN ? 0 : TRUE_SIZE;
  g_autofree char *bytes = g_malloc(len + 1);
  memset(bytes, id.ino == VERSIONED ? '0' + (int)id.version : 'x', len);
  if (write(file->fd, bytes, len) != (ssize_t)len)
    abort();
  return file;
}

gboolean mailbox_open_file(Mailbox *mailbox, const Caller *caller, NodeId id, int flags, File **ret,
                           gboolean *ret_size_told_wrong, GError **error)
{
  (void)caller;
  g_atomic_int_inc(&shared->opens);
  Attr now;
  fake_attr(mailbox, id.ino, &now);
  if (id.ino == VERSIONED && now.id.version != id.version)
    return fake_no(error, ESTALE);
  if (id.ino == SIZED && g_atomic_int_compare_and_exchange(&mailbox->size_known, 0, 1))
    return fake_no(error, ESTALE);
  *ret = fake_file(mailbox, id);
  (*ret)->dirty = (flags & O_TRUNC) != 0;
  *ret_size_told_wrong =
      id.ino == TOLD_WRONG && g_atomic_int_compare_and_exchange(&mailbox->told_wrong_asked, 0, 1);
  return TRUE;
}

gboolean mailbox_create(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                        File **ret, Attr *out, GError **error)
{
  (void)caller;
  if (parent != ROOT || strcmp(name, "new") != 0)
    return fake_no(error, EINVAL);
  fake_attr(mailbox, WRITTEN, out);
  out->size = 0;
  *ret = fake_file(mailbox, out->id);
  return TRUE;
}

gboolean file_read(File *file, const Caller *caller, gint64 offset, gsize len, int *ret_fd,
                   gsize *ret_len, GError **error)
{
  struct stat st;
  if (file->id.ino == STALLS && offset + (gint64)len > STALL_AFTER) {
    return fake_wait(file->mailbox, caller, error) && fake_no(error, ETIMEDOUT);
  }
  if (fstat(file->fd, &st) < 0)
    return fake_no(error, errno);
  *ret_fd = file->fd;
  *ret_len = offset < st.st_size ? MIN(len, (gsize)(st.st_size - offset)) : 0;
  return TRUE;
}

gboolean file_write(File *file, const Caller *caller, const void *bytes, gsize len, gint64 offset,
                    GError **error)
{
  (void)caller;
  file->dirty = TRUE;
  file->mailbox->written = MAX(file->mailbox->written, offset + (gint64)len);
  return pwrite(file->fd, bytes, len, offset) == (ssize_t)len || fake_no(error, EIO);
}

gboolean file_flush(File *file, const Caller *caller, GError **error)
{
  (void)caller;
  g_atomic_int_inc(&shared->flushes);
  gint failed = file->dirty ? g_atomic_int_get(&shared->flush_errno) : 0;
  file->dirty = FALSE;
  return failed == 0 || fake_no(error, failed);
}

gboolean file_fsync(File *file, const Caller *caller, GError **error)
{
  return file_flush(file, caller, error);
}

void file_release(File *file)
{
  g_atomic_int_inc(&shared->releases);
  close(file->fd);
  g_free(file);
}

gboolean mailbox_mkdir(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                       Attr *out, GError **error)
{
  (void)caller;
  (void)parent;
  (void)name;
  (void)error;
  fake_attr(mailbox, FOLDER, out);
  return TRUE;
}

gboolean mailbox_unlink(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                        GError **error)
{
  (void)mailbox;
  (void)caller;
  (void)parent;
  (void)name;
  return fake_no(error, EBUSY);
}

gboolean mailbox_rmdir(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                       GError **error)
{
  (void)mailbox;
  (void)caller;
  (void)parent;
  (void)name;
  return fake_no(error, ENOTEMPTY);
}

gboolean mailbox_rename(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                        gint64 new_parent, const char *new_name, unsigned flags, GError **error)
{
  (void)mailbox;
  (void)caller;
  (void)parent;
  (void)name;
  (void)new_parent;
  (void)new_name;
  return flags == 0 || fake_no(error, flags == RENAME_NOREPLACE ? EEXIST : EINVAL);
}

void mailbox_quota(Mailbox *mailbox, StoreQuota *out)
{
  (void)mailbox;
  *out = (StoreQuota){.total = 1 << 30, .used = 1 << 28, .available = (1 << 30) - (1 << 28)};
}
