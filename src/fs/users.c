/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what is different in a mount for many users: its root, and which node is whose. A node is
 * (version << 40) | (index of the user << 28) | ino of that user's mailbox; the root is index 0.
 *
 * Who asks is known by the caller's filesystem uid, and a foreign one is refused here, root too.
 * The kernel asks about each step of a path, since it may not keep the attributes of directories
 * (reply.c): its check of the x bit is a GETATTR with the caller's uid. That, and not LOOKUP, is
 * where foreigners end: a LOOKUP that fails would make the kernel drop all names that it knows
 * below, and with them the owner's pages. So LOOKUP in the root tells everybody who came.
 */
#include "fs/private.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"

#include <errno.h>

/* The root and the names in it stay what they are as long as it is mounted. */
#define ENTRY_SECONDS (24 * 60 * 60)

#define USER_SHIFT 28
#define USER_MASK ((1ull << 12) - 1)
#define LOCAL_MASK ((1ull << USER_SHIFT) - 1)
#define TOP 1                   /* the ino of a mailbox's root */
#define UNKNOWN_INO 0xffffffffu /* as libfuse has it: yet to be looked up */
#define NO_UID ((uid_t)-1)      /* of a user namespace that does not map to ours */

static guint index_of(fuse_ino_t node)
{
  return (guint)((node >> USER_SHIFT) & USER_MASK);
}

gboolean is_users_root(const Fs *fs, fuse_ino_t node)
{
  return fs->users && index_of(node) == 0;
}

guint64 call_base(const Call *call)
{
  return call->user ? (guint64)call->user->index << USER_SHIFT : 0;
}

gboolean call_fits(Call *call, gint64 ino)
{
  if (!call->user || (guint64)ino <= LOCAL_MASK || !RULE("multi-range-end"))
    return TRUE;
  return error_set(&call->error, EOVERFLOW, SCOPE_ITEM,
                   "%s has had more items than a mount for many users can number: mount this "
                   "mailbox alone",
                   call->user->name);
}

static gboolean enter_user(Call *call, gboolean held, NodeId *id)
{
  guint index = index_of((fuse_ino_t)id->ino);
  if (index == 0)
    return error_set(&call->error, EPERM, SCOPE_ITEM,
                     "the top of this mount holds the directories of its users alone");
  const User *user = users_find(call->fs->users, index);
  if (!user)
    return error_set(&call->error, ESTALE, SCOPE_ITEM, "no user has this node");
  uid_t uid = fuse_req_ctx(call->req)->uid;
  if (uid != user->uid && !held && RULE("multi-uid")) {
    log_debug("fs", "%s: uid %lu is refused in the directory of %s", call->what, (gulong)uid,
              user->name);
    reply_errno(call, EACCES);
    return FALSE;
  }
  call->user = user;
  call->mailbox = user->mailbox;
  id->ino &= (gint64)LOCAL_MASK;
  return TRUE;
}

gboolean call_enter_open(Call *call, fuse_ino_t node, const File *file, NodeId *ret)
{
  gboolean held = file && RULE("multi-held");
  *ret = node_unpack(node);
  call->mailbox = call->fs->mailbox;
  return !call->fs->users || enter_user(call, held, ret);
}

gboolean call_enter(Call *call, fuse_ino_t node, NodeId *ret)
{
  return call_enter_open(call, node, NULL, ret);
}

static void stat_of_dir(ino_t ino, mode_t mode, uid_t uid, gid_t gid, gint64 ns, struct stat *out)
{
  struct timespec at = {.tv_sec = ns / NS_PER_SECOND, .tv_nsec = ns % NS_PER_SECOND};
  *out = (struct stat){
      .st_ino = ino,
      .st_mode = S_IFDIR | mode,
      .st_nlink = 1,
      .st_uid = uid,
      .st_gid = gid,
      .st_blksize = 1 << 17,
      .st_atim = at,
      .st_mtim = at,
      .st_ctim = at,
  };
}

/* What everybody may know of USER's directory: that it is there, and whose it is. */
static void user_entry(const Call *call, const User *user, struct fuse_entry_param *out)
{
  *out = (struct fuse_entry_param){
      .ino = (fuse_ino_t)user->index << USER_SHIFT | TOP,
      .generation = call->fs->generation,
      .entry_timeout = ENTRY_SECONDS,
  };
  stat_of_dir(out->ino, call->fs->folder_mode, user->uid, user->gid, user->since, &out->attr);
}

void root_lookup(Call *call, const char *name)
{
  uid_t uid = fuse_req_ctx(call->req)->uid;
  struct fuse_entry_param entry;
  if (uid == NO_UID) {
    reply_errno(call, EACCES);
    return;
  }
  const User *user = users_lookup(call->fs->users, &call->caller, uid, name, &call->error);
  call->loud = error_scope(call->error) != SCOPE_ITEM; /* the own one could not be opened */
  if (!user)
    return;
  if (user->uid != uid && !RULE("multi-lookup-told")) {
    reply_errno(call, EACCES);
    return;
  }
  user_entry(call, user, &entry);
  reply_made_entry(call, &entry);
}

void root_getattr(Call *call)
{
  const Fs *fs = call->fs;
  struct stat st;
  stat_of_dir(FUSE_ROOT_ID, 0555, fs->uid, fs->gid, fs->since, &st);
  reply_stat(call, &st, ENTRY_SECONDS);
}

/* A piece of the root's listing. The kernel is to look each name up: no node is handed out. */
typedef struct {
  fuse_req_t req;
  char *bytes;
  size_t size, used;
  off_t after;
  gboolean plus;
} RootListing;

/* FALSE: no room. */
static gboolean root_add(RootListing *listing, const char *name, guint64 ino, off_t offset)
{
  if (offset <= listing->after)
    return TRUE;
  struct fuse_entry_param entry = {.attr = {.st_mode = S_IFDIR, .st_ino = (ino_t)ino}};
  char *at = listing->bytes + listing->used;
  size_t room = listing->size - listing->used;
  size_t need = listing->plus
                    ? fuse_add_direntry_plus(listing->req, at, room, name, &entry, offset)
                    : fuse_add_direntry(listing->req, at, room, name, &entry.attr, offset);
  if (need > room)
    return FALSE;
  listing->used += need;
  return TRUE;
}

/*
 * Each user sees the own directory, there or yet to be opened by the lookup. Root sees all that
 * came, though it may not enter them, and does not come by looking.
 */
void root_readdir(Call *call, size_t size, off_t offset, gboolean plus)
{
  uid_t uid = fuse_req_ctx(call->req)->uid;
  char *bytes = g_malloc(size);
  RootListing listing = {call->req, bytes, size, 0, offset, plus};
  gboolean room =
      root_add(&listing, ".", FUSE_ROOT_ID, DOT) && root_add(&listing, "..", FUSE_ROOT_ID, DOT_DOT);
  gboolean own = FALSE;
  for (guint i = 1; room && i <= USERS_MAX; i++) {
    const User *user = users_find(call->fs->users, i);
    if (!user || (user->uid != uid && uid != 0))
      continue;
    own |= user->uid == uid;
    room = root_add(&listing, user->name, (guint64)i << USER_SHIFT | TOP, DOT_DOT + (off_t)i);
  }
  if (room && !own && uid != 0 && uid != NO_UID) {
    g_autofree char *name = users_name(uid, NULL);
    root_add(&listing, name, UNKNOWN_INO, DOT_DOT + (off_t)USERS_MAX + 1);
  }
  reply_bytes(call, bytes, listing.used);
  g_free(bytes);
}
