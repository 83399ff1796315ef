/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the answer: exactly one for each request, what a file looks like to the kernel, the errno of
 * an error, and the one log line that tells a user what an errno cannot.
 */
#include "fs/private.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"

#include <errno.h>
#include <string.h>

#define VERSION_BITS 24
#define INO_BITS 40
#define QUIET_US                                                                                   \
  ((gint64)60 * G_USEC_PER_SEC) /* the same sentence is not logged again for so long */
#define QUIET_MAX 64u           /* sentences remembered */

fuse_ino_t node_pack(NodeId id)
{
  guint64 version = RULE("fs-node-version") ? id.version & ((1u << VERSION_BITS) - 1) : 0;
  return version << INO_BITS | ((guint64)id.ino & ((1ull << INO_BITS) - 1));
}

NodeId node_unpack(fuse_ino_t node)
{
  return (NodeId){
      .ino = (gint64)(node & ((1ull << INO_BITS) - 1)),
      .version = (guint32)(node >> INO_BITS),
  };
}

static struct timespec time_from_ns(gint64 ns)
{
  gint64 rest = ns % NS_PER_SECOND;
  if (rest < 0)
    rest += NS_PER_SECOND;
  return (struct timespec){.tv_sec = (ns - rest) / NS_PER_SECOND, .tv_nsec = rest};
}

static void stat_fill(const Call *call, const Attr *attr, struct stat *out)
{
  const Fs *fs = call->fs;
  gint64 size = attr->folder ? 0 : MAX(attr->size, 0);
  *out = (struct stat){
      .st_ino = (ino_t)(call_base(call) | (guint64)attr->id.ino),
      .st_mode = attr->folder ? S_IFDIR | fs->folder_mode : S_IFREG | fs->file_mode,
      .st_nlink = 1,
      .st_uid = call->user ? call->user->uid : fs->uid,
      .st_gid = call->user ? call->user->gid : fs->gid,
      .st_size = size,
      .st_blocks = (size + 511) / 512, /* 0 would make tar -S write a hole */
      .st_blksize = 1 << 17,
      .st_atim = time_from_ns(attr->mtime),
      .st_mtim = time_from_ns(attr->mtime),
      .st_ctim = time_from_ns(attr->ctime),
  };
  if (attr->read_only)
    out->st_mode &= (mode_t)~0222;
}

static double seconds(gint64 us)
{
  return (double)MAX(us, 0) / G_USEC_PER_SEC;
}

/*
 * Of many users, one may be root: the mode bits do not keep that one out, so the kernel must come
 * to us at each step of a path. It does so for a directory whose attributes it may not keep.
 */
static gint64 attr_us(const Call *call, const Attr *attr)
{
  return attr->folder && call->user && RULE("multi-folders-asked") ? 0 : attr->valid_us;
}

gboolean entry_fill(Call *call, const Attr *attr, struct fuse_entry_param *out)
{
  *out = (struct fuse_entry_param){
      .ino = call_base(call) | node_pack(attr->id),
      .generation = call->fs->generation,
      .attr_timeout = seconds(attr_us(call, attr)),
      .entry_timeout = seconds(attr->valid_us),
  };
  stat_fill(call, attr, &out->attr);
  return call_fits(call, attr->id.ino);
}

static fuse_req_t take_request(Call *call)
{
  g_assert(call->req);
  call_settle(call);
  return g_steal_pointer(&call->req);
}

void reply_errno(Call *call, int errnum)
{
  fuse_reply_err(take_request(call), errnum);
}

void reply_done(Call *call)
{
  reply_errno(call, 0);
}

void reply_entry(Call *call, const Attr *attr)
{
  struct fuse_entry_param entry;
  if (entry_fill(call, attr, &entry))
    reply_made_entry(call, &entry);
}

void reply_made_entry(Call *call, const struct fuse_entry_param *entry)
{
  fuse_reply_entry(take_request(call), entry);
}

void reply_attr(Call *call, const Attr *attr)
{
  struct stat st;
  stat_fill(call, attr, &st);
  fuse_reply_attr(take_request(call), &st, seconds(attr_us(call, attr)));
}

void reply_stat(Call *call, const struct stat *st, double valid)
{
  fuse_reply_attr(take_request(call), st, valid);
}

void reply_statfs(Call *call, const struct statvfs *st)
{
  fuse_reply_statfs(take_request(call), st);
}

gboolean reply_open(Call *call, const struct fuse_file_info *info)
{
  return fuse_reply_open(take_request(call), info) != -ENOENT;
}

gboolean reply_create(Call *call, const Attr *attr, const struct fuse_file_info *info)
{
  struct fuse_entry_param entry;
  return entry_fill(call, attr, &entry) &&
         fuse_reply_create(take_request(call), &entry, info) != -ENOENT;
}

void reply_bytes(Call *call, const void *bytes, gsize len)
{
  fuse_reply_buf(take_request(call), bytes, len);
}

void reply_written(Call *call, gsize len)
{
  fuse_reply_write(take_request(call), len);
}

void reply_fd(Call *call, int fd, gint64 offset, gsize len)
{
  struct fuse_bufvec bytes = FUSE_BUFVEC_INIT(len);
  bytes.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
  bytes.buf[0].fd = fd;
  bytes.buf[0].pos = offset;
  fuse_reply_data(take_request(call), &bytes, 0);
}

/* Errors that say by themselves what happened, or are part of normal work: debug lines only. */
static gboolean speaks_for_itself(const Call *call, int errnum)
{
  switch (errnum) {
  case ENOENT:
  case EEXIST:
  case ENOTDIR:
  case EISDIR:
  case ENOTEMPTY:
  case EXDEV:
  case EINTR:
  case EINVAL:
  case ENAMETOOLONG:
  case EILSEQ:
  case EPERM:
  case EROFS:
  case EBADF:
  case EFBIG:
    return TRUE;
  case ESTALE: /* of an open: the kernel looks again; of a close: a conflict, bytes put aside */
    return strcmp(call->what, "flush") != 0 && strcmp(call->what, "fsync") != 0;
  default:
    return FALSE;
  }
}

/* TRUE when TEXT was not logged within QUIET_US: a thousand files fail for one reason. */
static gboolean worth_a_line(const char *text)
{
  static GMutex lock;
  static GHashTable *last; /* lock: sentence -> gint64 monotonic us */
  gint64 now = g_get_monotonic_time();

  g_mutex_lock(&lock);
  if (!last)
    last = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  const gint64 *before = g_hash_table_lookup(last, text);
  gboolean worth = !before || now - *before > QUIET_US;
  if (worth) {
    if (g_hash_table_size(last) >= QUIET_MAX)
      g_hash_table_remove_all(last);
    g_hash_table_replace(last, g_strdup(text), g_memdup2(&now, sizeof now));
  }
  g_mutex_unlock(&lock);
  return worth;
}

/* The kernel takes ENOSYS as "never ask again" and refuses what is no errno. */
static int errno_for_kernel(const GError *error)
{
  int errnum = error_errno(error);
  return errnum > 0 && errnum < 512 && errnum != ENOSYS ? errnum : EIO;
}

void call_end(Call *call)
{
  if (call->req) {
    int errnum = errno_for_kernel(call->error);
    const char *text = call->error ? call->error->message : "no answer was made";
    if (!call->loud && speaks_for_itself(call, errnum))
      log_debug("fs", "%s: %s (%s)", call->what, text, g_strerror(errnum));
    else if (worth_a_line(text))
      log_warning("fs", "%s: %s", call->what, text);
    reply_errno(call, errnum);
  }
  g_clear_error(&call->error);
}
