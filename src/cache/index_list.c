/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns how a listing of the server becomes rows: matching, names, what is gone at its end, and what
 * local changes made meanwhile keep. Leaves what is a new version to merge.c.
 *
 * Entries are gathered without the lock and go in by the thousand, a transaction each; what was
 * seen is remembered in a temporary table, so that memory does not grow with the folder.
 */
#include "cache/index_private.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"
#include "cache/merge.h"
#include "model/name.h"

#include <errno.h>
#include <string.h>

/* Rows in a transaction. Each touches pages all over three indexes, so that the log of a long
 * listing gets shorter with every doubling; what others wait for the lock gets longer. */
#define BATCH_FIRST 1000
#define BATCH_LAST 8000

IndexListing *index_list_begin(Index *index, gint64 folder)
{
  IndexListing *listing = g_new0(IndexListing, 1);
  listing->index = index;
  listing->folder = folder;
  listing->batch_size = BATCH_FIRST;
  listing->batch = g_new0(Entry, BATCH_FIRST);
  listing->gone =
      g_hash_table_new_full(g_bytes_hash, g_bytes_equal, (GDestroyNotify)g_bytes_unref, NULL);
  g_mutex_lock(&index->lock);
  listing->number = ++index->last_listing;
  gint64 child = -1;
  sqlite3_stmt *stmt = db_use(index->db, SQL_ANY_CHILD);
  sqlite3_bind_int64(stmt, 1, folder);
  db_int(index->db, stmt, &child, NULL);
  listing->first = child == 0;
  g_ptr_array_add(index->listings, listing);
  claims_join_listing(index);
  g_mutex_unlock(&index->lock);
  return listing;
}

static gboolean seen_add(IndexListing *listing, gint64 ino, gint flags, GError **error)
{
  if (listing->first && flags == 0)
    return TRUE; /* every row is new: none can be missed at the end */
  sqlite3_stmt *stmt = db_use(listing->index->db, SQL_SEEN_ADD);
  sqlite3_bind_int64(stmt, 1, listing->number);
  sqlite3_bind_int64(stmt, 2, ino);
  sqlite3_bind_int(stmt, 3, flags);
  listing->has_local |= (flags & SEEN_LOCAL) != 0;
  listing->has_twin |= (flags & SEEN_TWIN) != 0;
  return db_run(listing->index->db, stmt, error);
}

gboolean listing_note_written(Index *index, gint64 parent, gint64 ino, GError **error)
{
  for (guint i = 0; i < index->listings->len; i++) {
    IndexListing *listing = g_ptr_array_index(index->listings, i);
    if (listing->folder == parent && !seen_add(listing, ino, SEEN_LOCAL, error))
      return FALSE;
  }
  return TRUE;
}

void listing_note_gone(Index *index, gint64 parent, GBytes *id)
{
  for (guint i = 0; id && i < index->listings->len; i++) {
    IndexListing *listing = g_ptr_array_index(index->listings, i);
    if (listing->folder == parent)
      g_hash_table_add(listing->gone, g_bytes_ref(id));
  }
}

/* TRUE when another call has deleted TOLD's row, or moved it away, since the listing began. */
static gboolean is_gone(const IndexListing *listing, const Entry *told)
{
  return g_hash_table_contains(listing->gone, told->id) && RULE("index-local-wins");
}

/* TRUE in *RET when the row was written by another call since the listing began. */
static gboolean is_local(IndexListing *listing, const Node *node, gboolean *ret, GError **error)
{
  gint64 flags = 0;
  if (listing->has_local && RULE("index-local-wins")) {
    sqlite3_stmt *stmt = db_use(listing->index->db, SQL_SEEN_GET);
    sqlite3_bind_int64(stmt, 1, listing->number);
    sqlite3_bind_int64(stmt, 2, node->ino);
    if (!db_int(listing->index->db, stmt, &flags, error))
      return FALSE;
  }
  *ret = (flags & SEEN_LOCAL) != 0 || (node->state & NODE_LOCAL) != 0;
  return TRUE;
}

/* The row TOLD is about: by id, else by match key. */
static RowResult match(IndexListing *listing, const Entry *told, Node *out, GError **error)
{
  sqlite3_stmt *stmt = db_use(listing->index->db, SQL_MATCH_ID);
  sqlite3_bind_int64(stmt, 1, listing->folder);
  db_bind_bytes(stmt, 2, told->id);
  RowResult row = row_one(listing->index, stmt, out, error);
  if (row != ROW_NONE || listing->first || !told->match_key || is_gone(listing, told) ||
      !RULE("index-match-key"))
    return row;
  stmt = db_use(listing->index->db, SQL_MATCH_KEY);
  sqlite3_bind_int64(stmt, 1, listing->folder);
  db_bind_bytes(stmt, 2, told->match_key);
  sqlite3_bind_int64(stmt, 3, listing->number);
  return row_one(listing->index, stmt, out, error);
}

/*
 * A new row. *RET_TAKEN, unless NULL: its id or name is there already and nothing was done; with
 * NULL the id is known to be new, and a taken name gets a twin.
 */
static gboolean insert_told(IndexListing *listing, const Entry *told, const char *visible,
                            gboolean *ret_taken, GError **error)
{
  Index *index = listing->index;
  g_auto(Node) node;
  node_init(&node);
  node.parent = listing->folder;
  node.name = g_strdup(visible);
  node.entry.folder = told->folder;
  node.entry.name = g_strdup(told->name);
  merge_told(&node, told);
  node.checked = wall_us();
  node_stamp(&node);

  gboolean taken = FALSE;
  if (!row_insert(index, &node, &taken, error))
    return FALSE;
  if (ret_taken)
    *ret_taken = taken;
  if (ret_taken && taken)
    return TRUE;
  if (taken) {
    gint64 holder = 0;
    if (!row_name_taken(index, listing->folder, visible, &holder, error))
      return FALSE;
    if (is_claimed(index, holder))
      return TRUE; /* what a call is just sending: its answer will tell */
    g_free(node.name);
    node.name = row_free_twin(index, listing->folder, visible, error);
    if (!node.name || !row_insert(index, &node, &(gboolean){FALSE}, error))
      return FALSE;
  }
  listing->changed = TRUE;
  return seen_add(listing, node.ino, taken ? SEEN_TWIN : 0, error);
}

static gboolean update_told(IndexListing *listing, Node *node, const Entry *told, GError **error)
{
  gboolean renamed = FALSE, twin = FALSE;
  g_autoptr(GBytes) id = node->entry.id ? g_bytes_ref(node->entry.id) : NULL;
  g_autoptr(GBytes) key = node->entry.match_key ? g_bytes_ref(node->entry.match_key) : NULL;
  if (!row_take_name(listing->index, node, told, &renamed, &twin, error))
    return FALSE;
  guint merged = merge_told(node, told);
  gboolean shown = (node->state & NODE_HIDDEN) != 0;
  node->state &= ~(guint32)NODE_HIDDEN;
  if (renamed || shown || (merged & MERGE_SEEN)) {
    node_stamp(node);
    listing->changed = TRUE;
  }
  if (renamed || shown || (merged & MERGE_STORE)) {
    gboolean attrs_only = !renamed && !shown && bytes_same(id, node->entry.id) &&
                          bytes_same(key, node->entry.match_key);
    node->checked = wall_us();
    if (!row_update(listing->index, node, attrs_only, error))
      return FALSE;
  }
  return seen_add(listing, node->ino, twin ? SEEN_TWIN : 0, error);
}

static gboolean apply_entry(IndexListing *listing, const Entry *told, GError **error)
{
  g_autofree char *visible = told->name && (told->fields & FIELD_NAME)
                                 ? name_to_visible(told->name, strlen(told->name))
                                 : NULL;
  if (!told->id || !visible) {
    log_debug("cache", "an entry without an id or a name to show is left out");
    return TRUE;
  }
  g_auto(Node) node;
  node_init(&node);
  gboolean local = FALSE, taken = FALSE;
  if (listing->first && !is_gone(listing, told)) {
    if (!insert_told(listing, told, visible, &taken, error))
      return FALSE;
    if (!taken)
      return TRUE;
  }
  RowResult row = match(listing, told, &node, error);
  if (row == ROW_FAILED)
    return FALSE;
  if (row == ROW_NONE)
    return is_gone(listing, told) || insert_told(listing, told, visible, NULL, error);
  if (!is_local(listing, &node, &local, error))
    return FALSE;
  if (local)
    return seen_add(listing, node.ino, 0, error);
  if (node.entry.folder == told->folder)
    return update_told(listing, &node, told, error);
  /* A file where a folder was, or the other way round, is another thing. */
  return row_delete(listing->index, node.ino, error) &&
         insert_told(listing, told, visible, NULL, error);
}

/* Applies what was gathered. The lock is held, in a transaction. */
static gboolean apply_batch(IndexListing *listing, GError **error)
{
  sqlite3_stmt *stmt = db_use(listing->index->db, SQL_UP);
  sqlite3_bind_int64(stmt, 1, listing->folder);
  RowResult row = db_row(listing->index->db, stmt, error);
  sqlite3_reset(stmt);
  if (row == ROW_NONE)
    error_set(error, ENOENT, SCOPE_LOCAL, "the folder was removed meanwhile");
  if (row != ROW_FOUND)
    return FALSE;
  for (guint i = 0; i < listing->n_batch; i++)
    if (!apply_entry(listing, &listing->batch[i], error))
      return FALSE;
  return TRUE;
}

static void drop_batch(IndexListing *listing)
{
  for (guint i = 0; i < listing->n_batch; i++)
    entry_clear(&listing->batch[i]);
  listing->n_batch = 0;
}

gboolean index_list_add(IndexListing *listing, const Entry *entry, GError **error)
{
  entry_copy(entry, &listing->batch[listing->n_batch++]);
  if (listing->n_batch < listing->batch_size)
    return TRUE;
  gboolean ok = index_change_begin(listing->index, error);
  if (ok)
    ok = index_change_end(listing->index, apply_batch(listing, error), error);
  drop_batch(listing);
  if (listing->batch_size < BATCH_LAST) {
    listing->batch_size *= 2;
    listing->batch = g_renew(Entry, listing->batch, listing->batch_size);
  }
  return ok;
}

/* Gives the row its plain name if that is free now. */
static gboolean promote_twin(IndexListing *listing, gint64 ino, GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  RowResult row = row_get(listing->index, ino, &node, error);
  if (row != ROW_FOUND || !node.entry.name || node.parent != listing->folder)
    return row != ROW_FAILED;
  gint64 other = 0;
  g_autofree char *visible = name_to_visible(node.entry.name, strlen(node.entry.name));
  if (!row_name_taken(listing->index, listing->folder, visible, &other, error))
    return FALSE;
  if (other)
    return TRUE;
  g_free(node.name);
  node.name = g_steal_pointer(&visible);
  return row_update(listing->index, &node, FALSE, error);
}

/* What replaced an item of the same name had to stand beside it until that was deleted. */
static gboolean promote_twins(IndexListing *listing, GError **error)
{
  gint64 ino = 0;
  while (listing->has_twin) {
    sqlite3_stmt *stmt = db_use(listing->index->db, SQL_TWINS);
    sqlite3_bind_int64(stmt, 1, listing->number);
    sqlite3_bind_int64(stmt, 2, ino);
    if (!db_int(listing->index->db, stmt, &ino, error))
      return FALSE;
    if (!ino)
      break;
    if (!promote_twin(listing, ino, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean delete_unseen(IndexListing *listing, GError **error)
{
  Db *db = listing->index->db;
  if (listing->first)
    return TRUE;
  sqlite3_stmt *stmt = db_use(db, SQL_UNSEEN_DELETE);
  sqlite3_bind_int64(stmt, 1, listing->folder);
  sqlite3_bind_int64(stmt, 2, listing->number);
  gint64 before = sqlite3_total_changes64(db->handle);
  if (!db_run(db, stmt, error))
    return FALSE;
  listing->changed |= sqlite3_total_changes64(db->handle) != before;
  return TRUE;
}

static gboolean finish(IndexListing *listing, GBytes *content_tag, GError **error)
{
  Index *index = listing->index;
  if (!apply_batch(listing, error) || !delete_unseen(listing, error) ||
      !promote_twins(listing, error) ||
      (listing->changed && !folder_bump(index, listing->folder, error)))
    return FALSE;
  sqlite3_stmt *stmt = db_use(index->db, SQL_LISTED);
  sqlite3_bind_int64(stmt, 1, listing->folder);
  sqlite3_bind_int64(stmt, 2, listing->forgotten ? 0 : wall_us());
  db_bind_bytes(stmt, 3, content_tag);
  return db_run(index->db, stmt, error);
}

/* The lock is held. Frees LISTING. */
static void listing_free(IndexListing *listing)
{
  sqlite3_stmt *stmt = db_use(listing->index->db, SQL_SEEN_CLEAR);
  sqlite3_bind_int64(stmt, 1, listing->number);
  db_run(listing->index->db, stmt, NULL);
  g_ptr_array_remove_fast(listing->index->listings, listing);
  drop_batch(listing);
  g_free(listing->batch);
  g_hash_table_unref(listing->gone);
  g_free(listing);
}

gboolean index_list_end(IndexListing *listing, GBytes *content_tag, gboolean *ret_changed,
                        GError **error)
{
  Index *index = listing->index;
  gboolean ok = index_change_begin(index, error);
  if (ok)
    ok = index_change_end(index, finish(listing, content_tag, error), error);
  if (!ok) {
    index_list_abort(listing);
    return FALSE;
  }
  if (ret_changed)
    *ret_changed = listing->changed;
  g_mutex_lock(&index->lock);
  listing_free(listing);
  g_mutex_unlock(&index->lock);
  return TRUE;
}

void index_list_abort(IndexListing *listing)
{
  Index *index = listing->index;
  if (index_change_begin(index, NULL)) {
    gboolean ok = TRUE;
    if (!RULE("index-complete"))
      ok = delete_unseen(listing, NULL);
    if (listing->changed)
      ok = ok && folder_bump(index, listing->folder, NULL);
    index_change_end(index, ok, NULL);
  }
  g_mutex_lock(&index->lock);
  listing_free(listing);
  g_mutex_unlock(&index->lock);
}
