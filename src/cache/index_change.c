/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the changes of single rows: what a request showed, what we wrote, renamed or deleted. One
 * transaction each; listings that run are told, so that they do not undo it. Leaves the rules of
 * versions to merge.c.
 */
#include "cache/index_private.h"

#include "base/error.h"
#include "cache/merge.h"

#include <errno.h>

gint64 wall_us(void)
{
  return g_get_real_time();
}

void node_stamp(Node *node)
{
  node->changed = MAX(wall_us() * 1000, node->changed + 1);
}

gboolean folder_bump(Index *index, gint64 folder, GError **error)
{
  sqlite3_stmt *stmt = db_use(index->db, SQL_BUMP);
  sqlite3_bind_int64(stmt, 1, folder);
  sqlite3_bind_int64(stmt, 2, wall_us() * 1000);
  if (!db_run(index->db, stmt, error))
    return FALSE;
  if (sqlite3_changes(index->db->handle) > 0)
    return TRUE;
  return error_set(error, ENOENT, SCOPE_LOCAL, "the folder was removed meanwhile");
}

gboolean index_change_begin(Index *index, GError **error)
{
  g_mutex_lock(&index->lock);
  if (db_begin(index->db, error))
    return TRUE;
  g_mutex_unlock(&index->lock);
  return FALSE;
}

gboolean index_change_end(Index *index, gboolean ok, GError **error)
{
  ok = db_end(index->db, ok, error);
  g_mutex_unlock(&index->lock);
  return ok;
}

/* Ends a change that ROW says the outcome of; OUT, when not NULL, gets NODE. */
static gboolean change_done(Index *index, RowResult row, Node *node, Node *out, GError **error)
{
  if (!index_change_end(index, row != ROW_FAILED, error) || row != ROW_FOUND)
    return FALSE;
  if (out) {
    node_clear(out);
    *out = *node;
    node_init(node);
  }
  return TRUE;
}

/* Deletes ROW, which listings that run shall not bring back. */
static gboolean delete_row(Index *index, const Node *node, GError **error)
{
  listing_note_gone(index, node->parent, node->entry.id);
  return row_delete(index, node->ino, error);
}

/* Deletes NODE, of which there is no more. */
static RowResult delete_gone(Index *index, const Node *node, GError **error)
{
  return delete_row(index, node, error) && folder_bump(index, node->parent, error) ? ROW_NONE
                                                                                   : ROW_FAILED;
}

/* ID names one item: another row of it in NODE's folder is NODE under an earlier guess. */
static gboolean make_id_free(Index *index, const Node *node, const Entry *told, GError **error)
{
  if (!(told->fields & FIELD_ID) || !told->id || node->ino == INO_ROOT)
    return TRUE;
  g_auto(Node) other;
  node_init(&other);
  RowResult row = row_find_id(index, node->parent, told->id, &other, error);
  if (row == ROW_FOUND && other.ino != node->ino)
    return row_delete(index, other.ino, error);
  return row != ROW_FAILED;
}

/* Writes NODE; SEEN: a user can see that it changed. */
static RowResult save(Index *index, Node *node, gboolean seen, GError **error)
{
  node->checked = wall_us();
  if (seen)
    node_stamp(node);
  gboolean ok =
      row_update(index, node, FALSE, error) &&
      (node->ino == INO_ROOT || (listing_note_written(index, node->parent, node->ino, error) &&
                                 (!seen || folder_bump(index, node->parent, error))));
  return ok ? ROW_FOUND : ROW_FAILED;
}

static RowResult update(Index *index, Node *node, const Entry *told, GError **error)
{
  gboolean renamed = FALSE, twin = FALSE;
  if (!make_id_free(index, node, told, error) ||
      !row_take_name(index, node, told, &renamed, &twin, error))
    return ROW_FAILED;
  guint merged = merge_told(node, told);
  node->checked = wall_us();
  return save(index, node, renamed || (merged & MERGE_SEEN), error);
}

static gboolean other_kind(const Node *node, const Entry *told)
{
  return (told->fields & FIELD_ID) && node->entry.folder != told->folder && node->ino != INO_ROOT;
}

static gboolean forget_listing(Index *index, gint64 folder, GError **error)
{
  for (guint i = 0; i < index->listings->len; i++) {
    IndexListing *listing = g_ptr_array_index(index->listings, i);
    listing->forgotten |= listing->folder == folder;
  }
  sqlite3_stmt *stmt = db_use(index->db, SQL_FORGET);
  sqlite3_bind_int64(stmt, 1, folder);
  return db_run(index->db, stmt, error);
}

static RowResult answer(Index *index, Node *node, const Entry *entry, GError **error)
{
  if (!entry)
    return delete_gone(index, node, error);
  if (!other_kind(node, entry))
    return update(index, node, entry, error);
  /* Another thing took its place: the folder has to be looked at again. */
  return row_delete(index, node->ino, error) && forget_listing(index, node->parent, error) &&
                 folder_bump(index, node->parent, error)
             ? ROW_NONE
             : ROW_FAILED;
}

gboolean index_update(Index *index, IndexQuestion *question, const Entry *entry, Node *out,
                      GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  gboolean begun = index_change_begin(index, error);
  if (!begun) {
    index_unask(index, question);
    return FALSE;
  }
  g_ptr_array_remove_fast(index->questions, question);
  RowResult row = row_get(index, question->ino, &node, error);
  if (row == ROW_FOUND && !question->overtaken)
    row = answer(index, &node, entry, error);
  return change_done(index, row, &node, out, error);
}

static RowResult insert_new(Index *index, Node *node, const Entry *told, GError **error)
{
  gboolean taken = FALSE;
  node->entry.folder = told->folder;
  node->entry.name = told->fields & FIELD_NAME ? g_strdup(told->name) : NULL;
  merge_told(node, told);
  node->checked = wall_us();
  node_stamp(node);
  if (!row_insert(index, node, &taken, error))
    return ROW_FAILED;
  if (taken) {
    char *twin = row_free_twin(index, node->parent, node->name, error);
    if (!twin)
      return ROW_FAILED;
    g_free(node->name);
    node->name = twin;
    if (!row_insert(index, node, &taken, error))
      return ROW_FAILED;
  }
  return listing_note_written(index, node->parent, node->ino, error) &&
                 folder_bump(index, node->parent, error)
             ? ROW_FOUND
             : ROW_FAILED;
}

static RowResult insert(Index *index, Node *node, gint64 parent, const char *name,
                        const Entry *told, guint32 state, GError **error)
{
  RowResult row = ROW_NONE;
  if ((told->fields & FIELD_ID) && told->id)
    row = row_find_id(index, parent, told->id, node, error);
  if (row == ROW_NONE) {
    row = row_find(index, parent, name, node, error);
    /* A local row keeps its name; what the server has under it is another thing. */
    if (row == ROW_FOUND && (node->state & ~state & NODE_LOCAL))
      row = ROW_NONE;
  }
  if (row == ROW_FOUND && node->entry.folder != told->folder)
    row = row_delete(index, node->ino, error) ? ROW_NONE : ROW_FAILED;
  if (row == ROW_FAILED)
    return row;
  if (row == ROW_FOUND) {
    if (!(state & NODE_HIDDEN))
      node->state &= ~(guint32)NODE_HIDDEN;
    node->state |= state & ~(guint32)NODE_HIDDEN;
    return update(index, node, told, error);
  }
  node_clear(node);
  node->parent = parent;
  node->name = g_strdup(name);
  node->state = state;
  return insert_new(index, node, told, error);
}

gboolean index_insert(Index *index, gint64 parent, const char *name, const Entry *entry,
                      guint32 state, Node *out, GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  if (!index_change_begin(index, error))
    return FALSE;
  RowResult row = insert(index, &node, parent, name, entry, state, error);
  return change_done(index, row, &node, out, error);
}

/* The server name under which our own write went. */
static void take_server_name(Node *node, const Entry *told)
{
  if (!(told->fields & FIELD_NAME))
    return;
  g_free(node->entry.name);
  node->entry.name = g_strdup(told->name);
}

gboolean index_written(Index *index, gint64 ino, const Entry *entry, gboolean same_bytes,
                       gint64 size, Node *out, GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  if (!index_change_begin(index, error))
    return FALSE;
  RowResult row = row_get(index, ino, &node, error);
  if (row == ROW_FOUND && !make_id_free(index, &node, entry, error))
    row = ROW_FAILED;
  if (row == ROW_FOUND) {
    take_server_name(&node, entry);
    merge_written(&node, entry, same_bytes, size);
    node.checked = wall_us();
    row = save(index, &node, TRUE, error);
  }
  return change_done(index, row, &node, out, error);
}

gboolean index_patched(Index *index, gint64 ino, const Entry *entry, gint64 mtime, GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  if (!index_change_begin(index, error))
    return FALSE;
  RowResult row = row_get(index, ino, &node, error);
  if (row == ROW_FOUND && !make_id_free(index, &node, entry, error))
    row = ROW_FAILED;
  if (row == ROW_FOUND) {
    merge_written(&node, entry, TRUE, -1);
    if (node.entry.user_mtime == mtime)
      node.state &= ~(guint32)NODE_MTIME_OWED;
    row = save(index, &node, TRUE, error);
  }
  return change_done(index, row, &node, NULL, error);
}

void index_renew(Index *index, gint64 ino, guint32 version)
{
  g_auto(Node) node;
  node_init(&node);
  if (!index_change_begin(index, NULL))
    return;
  gboolean ok = row_get(index, ino, &node, NULL) == ROW_FOUND;
  if (ok && node.version == version && !(node.state & NODE_LOCAL)) {
    node.version++;
    node.checked = 0;
    node_stamp(&node);
    ok = row_update(index, &node, TRUE, NULL) && folder_bump(index, node.parent, NULL) &&
         forget_listing(index, node.parent, NULL);
  }
  index_change_end(index, ok, NULL);
}

gboolean index_set_size(Index *index, gint64 ino, guint32 version, gint64 size, GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  if (!index_change_begin(index, error))
    return FALSE;
  RowResult row = row_get(index, ino, &node, error);
  if (row == ROW_FOUND && node.version == version) {
    node.entry.size = size;
    node.entry.size_kind = SIZE_EXACT;
    node.entry.fields |= FIELD_SIZE;
    if (!row_update(index, &node, TRUE, error))
      row = ROW_FAILED;
  }
  return index_change_end(index, row != ROW_FAILED, error);
}

gboolean index_set_mtime(Index *index, gint64 ino, gint64 mtime, gboolean owed, GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  if (!index_change_begin(index, error))
    return FALSE;
  RowResult row = row_get(index, ino, &node, error);
  if (row == ROW_FOUND) {
    gboolean seen = node.entry.user_mtime != mtime;
    node.entry.user_mtime = mtime;
    node.entry.fields |= FIELD_TIMES;
    node.state = owed ? node.state | NODE_MTIME_OWED : node.state & ~(guint32)NODE_MTIME_OWED;
    row = save(index, &node, seen, error);
  }
  return change_done(index, row, &node, NULL, error);
}

/* NODE leaves where it is for NAME in PARENT, which is free now. */
static gboolean rename_row(Index *index, Node *node, gint64 parent, const char *name,
                           const Entry *told, GError **error)
{
  gint64 from = node->parent;
  listing_note_gone(index, from, node->entry.id);
  node->parent = parent;
  g_free(node->name);
  node->name = g_strdup(name);
  g_clear_pointer(&node->entry.name, g_free);
  node->entry.fields &= ~(guint32)FIELD_NAME; /* until the server tells how it spells it */
  if (told) {
    if (!make_id_free(index, node, told, error))
      return FALSE;
    take_server_name(node, told);
    merge_written(node, told, TRUE, -1);
    node->checked = wall_us();
  }
  return save(index, node, TRUE, error) == ROW_FOUND &&
         (from == parent || folder_bump(index, from, error));
}

gboolean index_rename(Index *index, gint64 ino, gint64 parent, const char *name, const Entry *entry,
                      GError **error)
{
  g_auto(Node) node;
  g_auto(Node) target;
  node_init(&node);
  node_init(&target);
  if (!index_change_begin(index, error))
    return FALSE;
  RowResult row = row_get(index, ino, &node, error);
  RowResult over = ROW_NONE;
  if (row == ROW_FOUND && (ino == INO_ROOT || row_is_below(index, parent, ino))) {
    error_set(error, EINVAL, SCOPE_LOCAL, "a folder cannot be moved into itself");
    row = ROW_FAILED;
  }
  if (row == ROW_FOUND)
    over = row_find(index, parent, name, &target, error);
  if (over == ROW_FAILED ||
      (over == ROW_FOUND && target.ino != ino && !delete_row(index, &target, error)))
    row = ROW_FAILED;
  if (row == ROW_FOUND && !rename_row(index, &node, parent, name, entry, error))
    row = ROW_FAILED;
  return change_done(index, row, &node, NULL, error);
}

gboolean index_delete(Index *index, gint64 ino, GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  if (ino == INO_ROOT)
    return error_set(error, EBUSY, SCOPE_LOCAL, "the root cannot be removed");
  if (!index_change_begin(index, error))
    return FALSE;
  RowResult row = row_get(index, ino, &node, error);
  if (row == ROW_FOUND)
    row = delete_gone(index, &node, error);
  return index_change_end(index, row != ROW_FAILED, error);
}

void index_doubt(Index *index, gint64 ino)
{
  g_auto(Node) node;
  node_init(&node);
  if (!index_change_begin(index, NULL))
    return;
  gboolean ok = row_get(index, ino, &node, NULL) == ROW_FOUND;
  node.checked = 0;
  ok = ok && row_update(index, &node, TRUE, NULL) && forget_listing(index, node.parent, NULL);
  index_change_end(index, ok, NULL);
}

gboolean index_forget_listing(Index *index, gint64 folder, GError **error)
{
  g_mutex_lock(&index->lock);
  gboolean ok = forget_listing(index, folder, error);
  g_mutex_unlock(&index->lock);
  return ok;
}

gboolean index_confirm(Index *index, gint64 folder, GError **error)
{
  g_mutex_lock(&index->lock);
  sqlite3_stmt *stmt = db_use(index->db, SQL_CONFIRM);
  sqlite3_bind_int64(stmt, 1, folder);
  sqlite3_bind_int64(stmt, 2, wall_us());
  gboolean ok = db_run(index->db, stmt, error);
  g_mutex_unlock(&index->lock);
  return ok;
}
