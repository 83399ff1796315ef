/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns lookup and listing. Offsets are row ids (1 and 2 are "." and ".."), so a listing needs no
 * snapshot and no handle, and goes on rightly when the folder changed under it.
 *
 * The kernel keeps the names of a listing, but the attributes that came with them run out: served
 * from its pages, an `ls -l` would then ask once for each file. So the pages are kept only while
 * the attributes that were handed out with them still hold (Fs.attrs_until).
 */
#include "fs/private.h"

#include "base/rule.h"

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
  Call call;
  call_begin(&call, req, "lookup");
  NodeId id;
  Attr attr;
  if (is_users_root(call.fs, parent))
    root_lookup(&call, name);
  else if (call_enter(&call, parent, &id) &&
           mailbox_lookup(call.mailbox, &call.caller, id.ino, name, &attr, &call.error))
    reply_entry(&call, &attr);
  call_end(&call);
}

static gboolean attrs_still_hold(Fs *fs, gint64 folder)
{
  g_mutex_lock(&fs->lock);
  const gint64 *until = g_hash_table_lookup(fs->attrs_until, &folder);
  gboolean hold = until && g_get_monotonic_time() < *until;
  g_mutex_unlock(&fs->lock);
  return hold;
}

static void attrs_handed_out(Fs *fs, gint64 folder, gint64 until)
{
  g_mutex_lock(&fs->lock);
  gint64 *known = g_hash_table_lookup(fs->attrs_until, &folder);
  if (known)
    *known = MIN(*known, until);
  else
    g_hash_table_insert(fs->attrs_until, g_memdup2(&folder, sizeof folder),
                        g_memdup2(&until, sizeof until));
  g_mutex_unlock(&fs->lock);
}

static void attrs_forget(Fs *fs, gint64 folder)
{
  g_mutex_lock(&fs->lock);
  g_hash_table_remove(fs->attrs_until, &folder);
  g_mutex_unlock(&fs->lock);
}

void op_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *info)
{
  Call call;
  call_begin(&call, req, "opendir");
  Fs *fs = call.fs;
  NodeId id;
  gboolean same = FALSE;
  if (is_users_root(fs, node)) {
    info->cache_readdir = info->keep_cache = !RULE("multi-root-uncached"); /* each sees another */
    reply_open(&call, info);
  } else if (call_enter(&call, node, &id) &&
             mailbox_opendir(call.mailbox, &call.caller, id.ino, &same, &call.error)) {
    info->cache_readdir = 1;
    info->keep_cache = same && attrs_still_hold(fs, (gint64)node);
    if (!info->keep_cache)
      attrs_forget(fs, (gint64)node);
    reply_open(&call, info);
  }
  call_end(&call);
}

typedef struct {
  Call *call;
  char *bytes;
  gsize size, used;
  gboolean plus;
  gint64 valid_us; /* the shortest that was handed out */
} Listing;

/* FALSE: no room for NAME. */
static gboolean add_name(Listing *listing, const char *name, const struct fuse_entry_param *entry,
                         gint64 offset)
{
  char *at = listing->bytes + listing->used;
  gsize room = listing->size - listing->used;
  fuse_req_t req = listing->call->req;
  gsize need = listing->plus ? fuse_add_direntry_plus(req, at, room, name, entry, offset)
                             : fuse_add_direntry(req, at, room, name, &entry->attr, offset);
  if (need > room)
    return FALSE;
  listing->used += need;
  return TRUE;
}

static gboolean add_member(const char *name, const Attr *attr, gpointer user)
{
  Listing *listing = user;
  struct fuse_entry_param entry;
  if (!entry_fill(listing->call, attr, &entry) || !add_name(listing, name, &entry, attr->id.ino))
    return FALSE;
  listing->valid_us = MIN(listing->valid_us, attr->valid_us);
  return TRUE;
}

/* The kernel makes no use of the node or the attributes of "." and "..". */
static gboolean add_dots(Listing *listing, gint64 folder, off_t after)
{
  const Call *call = listing->call;
  guint64 base = call_base(call);
  struct fuse_entry_param entry = {.attr.st_mode = S_IFDIR,
                                   .attr.st_ino = (ino_t)(base | (guint64)folder)};
  if (after < DOT && !add_name(listing, ".", &entry, DOT))
    return FALSE;
  if (after >= DOT_DOT)
    return TRUE;
  gint64 parent = mailbox_parent(call->mailbox, folder);
  entry.attr.st_ino = folder == parent ? FUSE_ROOT_ID : (ino_t)(base | (guint64)parent);
  return add_name(listing, "..", &entry, DOT_DOT);
}

static void list_folder(Call *call, fuse_ino_t node, gint64 folder, size_t size, off_t offset,
                        gboolean plus)
{
  char *bytes = g_malloc(size);
  Listing listing = {
      .call = call, .bytes = bytes, .size = size, .plus = plus, .valid_us = G_MAXINT64 / 2};
  Fs *fs = call->fs;
  gint64 now = g_get_monotonic_time();
  if ((!add_dots(&listing, folder, offset) ||
       mailbox_readdir(call->mailbox, folder, MAX(offset, DOT_DOT), add_member, &listing,
                       &call->error)) &&
      !call->error) {
    if (plus)
      attrs_handed_out(fs, (gint64)node, now + listing.valid_us);
    reply_bytes(call, bytes, listing.used);
  }
  g_free(bytes);
}

static void list(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset, gboolean plus)
{
  Call call;
  call_begin(&call, req, "readdir");
  NodeId id;
  size = MIN(size, MAX_TRANSFER);
  if (is_users_root(call.fs, node))
    root_readdir(&call, size, offset, plus);
  else if (call_enter(&call, node, &id))
    list_folder(&call, node, id.ino, size, offset, plus);
  call_end(&call);
}

void op_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                struct fuse_file_info *info)
{
  (void)info;
  list(req, node, size, offset, FALSE);
}

void op_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                    struct fuse_file_info *info)
{
  (void)info;
  list(req, node, size, offset, TRUE);
}
