/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns attributes of a node and of the whole: getattr, setattr, statfs. Owner and mode are the
 * mount's: setting them to what they are succeeds, anything else is refused here.
 */
#include "base/rule.h"
#include "fs/private.h"

#include "base/error.h"

#include <errno.h>
#include <sys/statvfs.h>

#define BLOCK 4096u
#define UNKNOWN_ROOM ((gint64)1 << 40) /* told where the server tells nothing: never "full" */

static File *file_or_null(const struct fuse_file_info *info)
{
  return info ? (File *)(uintptr_t)info->fh : NULL;
}

void op_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *info)
{
  Call call;
  call_begin(&call, req, "getattr");
  NodeId id;
  Attr attr;
  File *file = file_or_null(info);
  if (is_users_root(call.fs, node))
    root_getattr(&call);
  else if (call_enter_open(&call, node, file, &id) &&
           mailbox_getattr(call.mailbox, &call.caller, id, file, &attr, &call.error))
    reply_attr(&call, &attr);
  call_end(&call);
}

/*
 * TRUE when owner and mode in TO (as far as WHAT names them) are those NODE has. Bits that the
 * umask takes off are not there to be changed, nor is the x bit of a file: cp -p, rsync -a and tar
 * x of an ordinary file succeed, as on vfat.
 */
static gboolean keeps_owner_and_mode(Call *call, const Attr *attr, const struct stat *to, int what)
{
  struct fuse_entry_param now;
  if (!entry_fill(call, attr, &now))
    return FALSE;
  mode_t kept = attr->folder ? call->fs->folder_mode : call->fs->file_mode;
  mode_t counts = RULE("chmod-masked") ? kept | 07000 : 07777;
  return !((what & FUSE_SET_ATTR_MODE) && ((to->st_mode ^ now.attr.st_mode) & counts)) &&
         !((what & FUSE_SET_ATTR_UID) && to->st_uid != now.attr.st_uid) &&
         !((what & FUSE_SET_ATTR_GID) && to->st_gid != now.attr.st_gid);
}

static gint64 wanted_mtime(const struct stat *to, int what)
{
  if (what & FUSE_SET_ATTR_MTIME_NOW)
    return g_get_real_time() * 1000;
  return (gint64)to->st_mtim.tv_sec * NS_PER_SECOND + to->st_mtim.tv_nsec;
}

static gboolean set_attr(Call *call, NodeId id, File *file, const struct stat *to, int what,
                         Attr *attr)
{
  Mailbox *mailbox = call->mailbox;
  GError **error = &call->error;
  if (!mailbox_getattr(mailbox, &call->caller, id, file, attr, error))
    return FALSE;
  if (!keeps_owner_and_mode(call, attr, to, what))
    return error_set(error, EPERM, SCOPE_ITEM,
                     "owner and mode are those of the mount: use -o uid=, gid=, umask=");
  if ((what & FUSE_SET_ATTR_SIZE) &&
      !mailbox_truncate(mailbox, &call->caller, id, file, to->st_size, attr, error))
    return FALSE;
  /* A truncate(2) asks for "now" as well, which its own write brings about. */
  gboolean time = what & FUSE_SET_ATTR_MTIME &&
                  !((what & FUSE_SET_ATTR_SIZE) && (what & FUSE_SET_ATTR_MTIME_NOW));
  if (!time)
    return TRUE;
  return mailbox_set_mtime(mailbox, &call->caller, id, file, wanted_mtime(to, what), attr, error);
}

void op_setattr(fuse_req_t req, fuse_ino_t node, struct stat *to, int what,
                struct fuse_file_info *info)
{
  Call call;
  call_begin(&call, req, "setattr");
  NodeId id;
  Attr attr;
  File *file = file_or_null(info);
  if (call_enter_open(&call, node, file, &id) && set_attr(&call, id, file, to, what, &attr))
    reply_attr(&call, &attr);
  call_end(&call);
}

static void statfs_fill(const StoreQuota *quota, struct statvfs *out)
{
  gint64 used = MAX(quota->used, 0);
  gint64 available = quota->available >= 0 ? quota->available
                     : quota->total >= 0   ? MAX(quota->total - used, 0)
                                           : UNKNOWN_ROOM;
  gint64 total = MAX(quota->total, used + available);
  *out = (struct statvfs){
      .f_bsize = 1 << 17,
      .f_frsize = BLOCK,
      .f_blocks = (fsblkcnt_t)total / BLOCK,
      .f_bfree = (fsblkcnt_t)available / BLOCK,
      .f_bavail = (fsblkcnt_t)available / BLOCK,
      .f_namemax = 255,
  };
}

void op_statfs(fuse_req_t req, fuse_ino_t node)
{
  Call call;
  call_begin(&call, req, "statfs");
  NodeId id;
  StoreQuota quota = {-1, -1, -1};
  struct statvfs st;
  gboolean nobodys = is_users_root(call.fs, node);
  if (nobodys || call_enter(&call, node, &id)) {
    if (!nobodys)
      mailbox_quota(call.mailbox, &quota);
    statfs_fill(&quota, &st);
    reply_statfs(&call, &st);
  }
  call_end(&call);
}
