/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the life of the index and the questions it answers; leaves changes to index_change.c and
 * index_list.c.
 */
#include "cache/index_private.h"

#include "base/error.h"
#include "base/rule.h"
#include "cache/cachedir.h"

#include <errno.h>
#include <string.h>

#define CHILDREN_BATCH 256
#define DEPTH_MAX 4096 /* no tree is deeper; a cycle would be endless */

/*
 * Gives a fresh index row ids that no earlier one in this directory has used, since the journal and
 * cache/local may still name those: 16 a second from a fixed day on is more than one mount makes.
 */
static gboolean skip_old_inos(Index *index, GError **error)
{
  gint64 since = g_get_real_time() / G_USEC_PER_SEC - 1700000000;
  g_autofree char *sql =
      g_strdup_printf("UPDATE sqlite_sequence SET seq=%" G_GINT64_FORMAT " WHERE name='node'",
                      INO_FIRST + MAX(since, 0) * 16);
  return db_exec(index->db, sql, error);
}

static gboolean settle_identity(Index *index, const char *identity, GError **error)
{
  g_autofree char *held = NULL;
  if (!db_meta_get(index->db, "identity", &held, error))
    return FALSE;
  if (!held || !*held)
    return db_meta_set(index->db, "identity", identity, error);
  if (!strcmp(held, identity) || !RULE("index-identity"))
    return TRUE;
  return error_set(error, EINVAL, SCOPE_LOCAL,
                   "the cache directory belongs to another store (%s): name another cache_dir",
                   held);
}

Index *index_open(const char *dir, const char *identity, gboolean *ret_rebuilt, GError **error)
{
  g_autofree char *path = g_build_filename(dir, "index.db", NULL);
  DbOrigin origin = DB_KEPT;
  Db *db = db_open(path, &index_schema, &origin, error);
  if (!db)
    return NULL;
  Index *index = g_new0(Index, 1);
  g_mutex_init(&index->lock);
  index->listings = g_ptr_array_new();
  index->questions = g_ptr_array_new();
  index->claims = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
  index->db = db;

  gboolean ok = settle_identity(index, identity, error);
  gboolean rebuilt = origin == DB_REBUILT || (origin == DB_FRESH && cachedir_was_used(dir));
  if (ok && origin != DB_KEPT) {
    /* Bodies are filed by row id and version: those of an index that is gone mean nothing. */
    cachedir_forget_bodies(dir);
    ok = !rebuilt || skip_old_inos(index, error);
  }
  if (!ok) {
    index_close(index);
    return NULL;
  }
  if (ret_rebuilt)
    *ret_rebuilt = rebuilt;
  return index;
}

void index_disown(Index *index)
{
  g_mutex_lock(&index->lock);
  db_meta_set(index->db, "identity", "", NULL);
  g_mutex_unlock(&index->lock);
}

void index_close(Index *index)
{
  if (!index)
    return;
  g_assert(index->listings->len == 0);
  db_close(index->db);
  g_ptr_array_unref(index->listings);
  g_ptr_array_unref(index->questions);
  g_hash_table_unref(index->claims);
  g_mutex_clear(&index->lock);
  g_free(index);
}

gboolean index_get(Index *index, gint64 ino, Node *out, GError **error)
{
  g_mutex_lock(&index->lock);
  gboolean found = row_get(index, ino, out, error) == ROW_FOUND;
  g_mutex_unlock(&index->lock);
  return found;
}

gboolean index_find(Index *index, gint64 parent, const char *name, Node *out, GError **error)
{
  g_mutex_lock(&index->lock);
  gboolean found = row_find(index, parent, name, out, error) == ROW_FOUND;
  g_mutex_unlock(&index->lock);
  return found;
}

gboolean index_find_id(Index *index, gint64 parent, GBytes *id, Node *out, GError **error)
{
  g_mutex_lock(&index->lock);
  gboolean found = row_find_id(index, parent, id, out, error) == ROW_FOUND;
  g_mutex_unlock(&index->lock);
  return found;
}

/* Reads up to CHILDREN_BATCH rows with ino > AFTER. */
static gboolean read_children(Index *index, gint64 folder, gint64 after, Node *nodes, guint *ret_n,
                              GError **error)
{
  RowResult row;
  guint n = 0;
  g_mutex_lock(&index->lock);
  sqlite3_stmt *stmt = db_use(index->db, SQL_CHILDREN);
  sqlite3_bind_int64(stmt, 1, folder);
  sqlite3_bind_int64(stmt, 2, after);
  sqlite3_bind_int(stmt, 3, CHILDREN_BATCH);
  while ((row = db_row(index->db, stmt, error)) == ROW_FOUND)
    row_load(stmt, &nodes[n++]);
  g_mutex_unlock(&index->lock);
  *ret_n = n;
  return row != ROW_FAILED;
}

gboolean index_children(Index *index, gint64 folder, gint64 after, IndexRowFunc func, gpointer user,
                        GError **error)
{
  g_autofree Node *nodes = g_new(Node, CHILDREN_BATCH);
  for (guint i = 0; i < CHILDREN_BATCH; i++)
    node_init(&nodes[i]);
  gboolean ok = TRUE, more = TRUE;
  while (ok && more) {
    guint n = 0;
    ok = read_children(index, folder, after, nodes, &n, error);
    for (guint i = 0; ok && more && i < n; i++) {
      more = func(&nodes[i], user);
      after = nodes[i].ino;
    }
    more = more && n == CHILDREN_BATCH;
  }
  for (guint i = 0; i < CHILDREN_BATCH; i++)
    node_clear(&nodes[i]);
  return ok;
}

gint64 index_count(Index *index, gint64 folder, GError **error)
{
  gint64 count = -1;
  g_mutex_lock(&index->lock);
  sqlite3_stmt *stmt = db_use(index->db, SQL_COUNT);
  sqlite3_bind_int64(stmt, 1, folder);
  db_int(index->db, stmt, &count, error);
  g_mutex_unlock(&index->lock);
  return count;
}

gint64 index_count_upto(Index *index, gint64 folder, gint64 most)
{
  gint64 count = -1;
  g_mutex_lock(&index->lock);
  sqlite3_stmt *stmt = db_use(index->db, SQL_COUNT_UPTO);
  sqlite3_bind_int64(stmt, 1, folder);
  sqlite3_bind_int64(stmt, 2, most);
  db_int(index->db, stmt, &count, NULL);
  g_mutex_unlock(&index->lock);
  return count;
}

gboolean index_has_local(Index *index, gint64 folder)
{
  g_mutex_lock(&index->lock);
  sqlite3_stmt *stmt = db_use(index->db, SQL_HAS_LOCAL);
  sqlite3_bind_int64(stmt, 1, folder);
  gboolean has = db_row(index->db, stmt, NULL) == ROW_FOUND;
  sqlite3_reset(stmt);
  g_mutex_unlock(&index->lock);
  return has;
}

GArray *index_with_state(Index *index, guint32 state, guint max, GError **error)
{
  g_autoptr(GArray) inos = g_array_new(FALSE, FALSE, sizeof(gint64));
  RowResult row;
  g_mutex_lock(&index->lock);
  sqlite3_stmt *stmt = db_use(index->db, SQL_WITH_STATE);
  sqlite3_bind_int64(stmt, 1, state);
  sqlite3_bind_int64(stmt, 2, max);
  while ((row = db_row(index->db, stmt, error)) == ROW_FOUND) {
    gint64 ino = sqlite3_column_int64(stmt, 0);
    g_array_append_val(inos, ino);
  }
  g_mutex_unlock(&index->lock);
  return row == ROW_FAILED ? NULL : g_steal_pointer(&inos);
}

/* One step up from *INO; FALSE at a row that is gone, local or without an id, or on a disk error.
 */
static gboolean step_up(Index *index, gint64 *ino, GPtrArray *path, GError **error)
{
  sqlite3_stmt *stmt = db_use(index->db, SQL_UP);
  sqlite3_bind_int64(stmt, 1, *ino);
  if (db_row(index->db, stmt, error) != ROW_FOUND)
    return FALSE;
  gboolean local = (sqlite3_column_int64(stmt, 1) & NODE_LOCAL) != 0;
  GBytes *id = local ? NULL : db_column_bytes(stmt, 2);
  *ino = sqlite3_column_int64(stmt, 0);
  sqlite3_reset(stmt);
  if (id)
    g_ptr_array_insert(path, 0, id);
  return id != NULL;
}

GPtrArray *index_path(Index *index, gint64 ino, GError **error)
{
  g_autoptr(GPtrArray) path = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
  gboolean ok = TRUE;
  g_mutex_lock(&index->lock);
  while (ok && ino != INO_ROOT && path->len < DEPTH_MAX)
    ok = step_up(index, &ino, path, error);
  g_mutex_unlock(&index->lock);
  return ok && ino == INO_ROOT ? g_steal_pointer(&path) : NULL;
}

gboolean row_is_below(Index *index, gint64 ino, gint64 folder)
{
  for (guint depth = 0; ino != folder && ino != 0 && depth < DEPTH_MAX; depth++) {
    gint64 parent = 0;
    sqlite3_stmt *stmt = db_use(index->db, SQL_UP);
    sqlite3_bind_int64(stmt, 1, ino);
    if (!db_int(index->db, stmt, &parent, NULL))
      return FALSE;
    ino = parent;
  }
  return ino == folder;
}

gboolean index_is_below(Index *index, gint64 ino, gint64 folder)
{
  g_mutex_lock(&index->lock);
  gboolean below = row_is_below(index, ino, folder);
  g_mutex_unlock(&index->lock);
  return below;
}
