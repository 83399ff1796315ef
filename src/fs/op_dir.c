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

#define DOT 1
#define DOT_DOT 2

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
  Call call;
  call_begin(&call, req, "lookup");
  Attr attr;
  if (mailbox_lookup(call.fs->mailbox, &call.caller, node_unpack(parent).ino, name, &attr,
                     &call.error))
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
  gint64 folder = node_unpack(node).ino;
  gboolean same = FALSE;
  if (mailbox_opendir(call.fs->mailbox, &call.caller, folder, &same, &call.error)) {
    info->cache_readdir = 1;
    info->keep_cache = same && attrs_still_hold(call.fs, folder);
    if (!info->keep_cache)
      attrs_forget(call.fs, folder);
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
  entry_fill(listing->call->fs, attr, &entry);
  if (!add_name(listing, name, &entry, attr->id.ino))
    return FALSE;
  listing->valid_us = MIN(listing->valid_us, attr->valid_us);
  return TRUE;
}

/* The kernel makes no use of the node or the attributes of "." and "..". */
static gboolean add_dots(Listing *listing, gint64 folder, off_t after)
{
  struct fuse_entry_param entry = {.attr.st_mode = S_IFDIR, .attr.st_ino = (ino_t)folder};
  if (after < DOT && !add_name(listing, ".", &entry, DOT))
    return FALSE;
  if (after >= DOT_DOT)
    return TRUE;
  entry.attr.st_ino = (ino_t)mailbox_parent(listing->call->fs->mailbox, folder);
  return add_name(listing, "..", &entry, DOT_DOT);
}

static void list(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset, gboolean plus)
{
  Call call;
  call_begin(&call, req, "readdir");
  Fs *fs = call.fs;
  gint64 folder = node_unpack(node).ino;
  size = MIN(size, MAX_TRANSFER);
  char *bytes = g_malloc(size);
  Listing listing = {
      .call = &call, .bytes = bytes, .size = size, .plus = plus, .valid_us = G_MAXINT64 / 2};

  gint64 now = g_get_monotonic_time();
  if (!add_dots(&listing, folder, offset) ||
      mailbox_readdir(fs->mailbox, folder, MAX(offset, DOT_DOT), add_member, &listing,
                      &call.error)) {
    if (plus)
      attrs_handed_out(fs, folder, now + listing.valid_us);
    reply_bytes(&call, bytes, listing.used);
  }
  g_free(bytes);
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
