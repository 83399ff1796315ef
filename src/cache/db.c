/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how a database of the cache is opened, checked, migrated and put aside; leaves what is in it
 * to the index and the journal. */
#include "cache/db.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* A page cache that holds the inner pages of an index of some 100,000 rows. */
#define PRAGMAS                                                                                    \
  "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=OFF;"                  \
  "PRAGMA cache_size=-16384;"                                                                      \
  "PRAGMA journal_size_limit=33554432; PRAGMA trusted_schema=OFF;"                                 \
  "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;"

#define LOG_PAGES_MIN 16
#define LOG_PAGES_MAX 8000
#define LOG_PART 64 /* of the disk */

static const char *const sidecars[] = {"", "-wal", "-shm"};

static int errno_of(Db *db, int code)
{
  int system = sqlite3_system_errno(db->handle);
  switch (code & 0xff) {
  case SQLITE_FULL:
    return ENOSPC;
  case SQLITE_NOMEM:
    return ENOMEM;
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
    return EBUSY;
  case SQLITE_READONLY:
    return EROFS;
  case SQLITE_PERM:
  case SQLITE_AUTH:
    return EACCES;
  case SQLITE_IOERR:
  case SQLITE_CANTOPEN:
    return system == ENOSPC || system == EDQUOT || system == EACCES || system == EROFS ? system
                                                                                       : EIO;
  default:
    return EIO;
  }
}

/* SQLITE_ERROR: our SQL does not fit, so these are not the tables we made. */
static gboolean means_damaged(int code)
{
  int kind = code & 0xff;
  return kind == SQLITE_CORRUPT || kind == SQLITE_NOTADB || kind == SQLITE_ERROR;
}

static gboolean db_error(Db *db, int code, GError **error)
{
  if (means_damaged(code)) {
    db->damaged = TRUE;
    log_debug("cache", "%s: %s", db->path, sqlite3_errmsg(db->handle));
    return error_set(error, EIO, SCOPE_LOCAL,
                     "the %s of the cache (%s) is damaged: unmount and mount again to rebuild it",
                     db->schema->what, db->path);
  }
  int errnum = errno_of(db, code);
  if (errnum == ENOSPC) {
    db->full = TRUE;
    return error_set(error, ENOSPC, SCOPE_LOCAL,
                     "no room for the %s of the cache (%s): free some space on that disk",
                     db->schema->what, db->path);
  }
  return error_set(error, errnum, SCOPE_LOCAL, "cannot use the %s of the cache (%s): %s",
                   db->schema->what, db->path, sqlite3_errmsg(db->handle));
}

sqlite3_stmt *db_use(Db *db, guint which)
{
  sqlite3_stmt *stmt = db->stmts[which];
  sqlite3_reset(stmt);
  sqlite3_clear_bindings(stmt);
  return stmt;
}

RowResult db_row(Db *db, sqlite3_stmt *stmt, GError **error)
{
  int code = sqlite3_step(stmt);
  if (code == SQLITE_ROW)
    return ROW_FOUND;
  if (code != SQLITE_DONE)
    db_error(db, code, error);
  sqlite3_reset(stmt);
  return code == SQLITE_DONE ? ROW_NONE : ROW_FAILED;
}

gboolean db_run(Db *db, sqlite3_stmt *stmt, GError **error)
{
  RowResult row = ROW_FOUND;
  while (row == ROW_FOUND)
    row = db_row(db, stmt, error);
  return row == ROW_NONE;
}

gboolean db_exec(Db *db, const char *sql, GError **error)
{
  int code = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
  return code == SQLITE_OK || db_error(db, code, error);
}

gboolean db_int(Db *db, sqlite3_stmt *stmt, gint64 *ret, GError **error)
{
  RowResult row = db_row(db, stmt, error);
  if (row == ROW_FAILED)
    return FALSE;
  *ret = row == ROW_FOUND ? sqlite3_column_int64(stmt, 0) : 0;
  sqlite3_reset(stmt);
  return TRUE;
}

gboolean db_begin(Db *db, GError **error)
{
  if (db->full) {
    db->full = FALSE;
    sqlite3_wal_checkpoint_v2(db->handle, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
  }
  return db_exec(db, "BEGIN IMMEDIATE", error);
}

gboolean db_end(Db *db, gboolean ok, GError **error)
{
  if (ok && db_exec(db, "COMMIT", error))
    return TRUE;
  /* SQLite has rolled back by itself after some errors (a full disk). */
  if (!sqlite3_get_autocommit(db->handle))
    db_exec(db, "ROLLBACK", NULL);
  return FALSE;
}

/* Prepares SQL for one use. */
static sqlite3_stmt *prepare(Db *db, const char *sql, GError **error)
{
  sqlite3_stmt *stmt = NULL;
  int code = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
  if (code != SQLITE_OK)
    db_error(db, code, error);
  return stmt;
}

static gboolean query_int(Db *db, const char *sql, gint64 *ret, GError **error)
{
  sqlite3_stmt *stmt = prepare(db, sql, error);
  gboolean ok = stmt && db_int(db, stmt, ret, error);
  sqlite3_finalize(stmt);
  return ok;
}

gboolean db_meta_get(Db *db, const char *key, char **ret, GError **error)
{
  sqlite3_stmt *stmt = prepare(db, "SELECT value FROM meta WHERE key=?", error);
  if (!stmt)
    return FALSE;
  db_bind_text(stmt, 1, key);
  RowResult row = db_row(db, stmt, error);
  if (row != ROW_FAILED)
    *ret = row == ROW_FOUND ? db_column_text(stmt, 0) : NULL;
  sqlite3_finalize(stmt);
  return row != ROW_FAILED;
}

gboolean db_meta_set(Db *db, const char *key, const char *value, GError **error)
{
  sqlite3_stmt *stmt = prepare(db, "INSERT OR REPLACE INTO meta VALUES(?,?)", error);
  if (!stmt)
    return FALSE;
  db_bind_text(stmt, 1, key);
  db_bind_text(stmt, 2, value);
  gboolean ok = db_run(db, stmt, error);
  sqlite3_finalize(stmt);
  return ok;
}

void db_bind_bytes(sqlite3_stmt *stmt, int at, GBytes *bytes)
{
  gsize len = 0;
  const void *data = bytes ? g_bytes_get_data(bytes, &len) : NULL;
  if (bytes)
    sqlite3_bind_blob64(stmt, at, len > 0 ? data : "", len, SQLITE_STATIC);
}

void db_bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
  if (text)
    sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

GBytes *db_column_bytes(sqlite3_stmt *stmt, int at)
{
  if (sqlite3_column_type(stmt, at) == SQLITE_NULL)
    return NULL;
  const void *data = sqlite3_column_blob(stmt, at);
  return g_bytes_new(data, (gsize)sqlite3_column_bytes(stmt, at));
}

char *db_column_text(sqlite3_stmt *stmt, int at)
{
  return g_strdup((const char *)sqlite3_column_text(stmt, at));
}

static void db_free(Db *db)
{
  for (guint i = 0; i < db->schema->n_sql; i++)
    sqlite3_finalize(db->stmts[i]);
  sqlite3_close(db->handle);
  g_free(db->stmts);
  g_free(db->path);
  g_free(db);
}

void db_close(Db *db)
{
  if (!db)
    return;
  if (!db->damaged)
    db_meta_set(db, "clean", "1", NULL);
  db_free(db);
}

/* Looks at the pages of a database that was not closed; its owner died. */
static gboolean check_pages(Db *db, GError **error)
{
  g_autofree char *clean = NULL;
  if (!db_meta_get(db, "clean", &clean, error))
    return FALSE;
  if (!g_strcmp0(clean, "1"))
    return TRUE;
  sqlite3_stmt *stmt = prepare(db, "PRAGMA quick_check(1)", error);
  RowResult row = stmt ? db_row(db, stmt, error) : ROW_FAILED;
  gboolean sound = row == ROW_FOUND && !g_strcmp0((const char *)sqlite3_column_text(stmt, 0), "ok");
  sqlite3_finalize(stmt);
  return sound || (row != ROW_FAILED && db_error(db, SQLITE_CORRUPT, error));
}

static gboolean migrate(Db *db, gint64 from, GError **error)
{
  for (gint64 i = from; i < db->schema->n_migrations; i++) {
    g_autofree char *version = g_strdup_printf("PRAGMA user_version=%" G_GINT64_FORMAT, i + 1);
    if (!db_begin(db, error))
      return FALSE;
    gboolean ok = db_exec(db, db->schema->migrations[i], error) && db_exec(db, version, error);
    if (!db_end(db, ok, error))
      return FALSE;
  }
  return TRUE;
}

/*
 * After how many pages the log is folded back: seldom, so that a long listing is not made of
 * fsync(2), but the log is to be a small part of a small disk.
 */
static int log_pages(const char *path)
{
  struct statvfs disk;
  if (statvfs(path, &disk) < 0)
    return LOG_PAGES_MIN;
  guint64 pages = (guint64)disk.f_blocks * disk.f_frsize / LOG_PART / 4096;
  return (int)CLAMP(pages, LOG_PAGES_MIN, LOG_PAGES_MAX);
}

/* Everything that can find out that the file is no database of ours. */
static gboolean make_ready(Db *db, DbOrigin *ret_origin, GError **error)
{
  gint64 version = 0;
  if (!query_int(db, "PRAGMA user_version", &version, error))
    return FALSE;
  if (version > db->schema->n_migrations && RULE("cache-newer"))
    return error_set(error, EPROTONOSUPPORT, SCOPE_LOCAL,
                     "%s was made by a newer exchangefs: use that one, or name another cache_dir",
                     db->path);
  sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
  sqlite3_wal_autocheckpoint(db->handle, log_pages(db->path));
  if (!db_exec(db, PRAGMAS, error) || (version > 0 && !check_pages(db, error)) ||
      !migrate(db, version, error) || !db_meta_set(db, "clean", "0", error) ||
      !db_exec(db, db->schema->setup, error))
    return FALSE;
  for (guint i = 0; i < db->schema->n_sql; i++)
    if (!(db->stmts[i] = prepare(db, db->schema->sql[i], error)))
      return FALSE;
  *ret_origin = version > 0 ? DB_KEPT : DB_FRESH;
  return TRUE;
}

/* *RET_CORRUPT: it failed because the file is no sound database. */
static Db *open_once(const char *path, const DbSchema *schema, DbOrigin *ret_origin,
                     gboolean *ret_corrupt, GError **error)
{
  /* SQLite gives its other files the mode of this one. */
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    int saved = errno;
    error_set(error, saved, SCOPE_LOCAL, "cannot open %s: %s", path, g_strerror(saved));
    return NULL;
  }
  close(fd);

  Db *db = g_new0(Db, 1);
  db->schema = schema;
  db->path = g_strdup(path);
  db->stmts = g_new0(sqlite3_stmt *, schema->n_sql);
  int code = sqlite3_open_v2(path, &db->handle, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
  if (db->handle) {
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  }
  if (code == SQLITE_OK ? make_ready(db, ret_origin, error) : db_error(db, code, error))
    return db;
  *ret_corrupt = db->damaged;
  db_free(db);
  return NULL;
}

/* Removes earlier copies of PATH that were put aside: a bad disk must not fill up with them. */
static void remove_old_copies(const char *path)
{
  g_autofree char *dir_name = g_path_get_dirname(path);
  g_autofree char *base = g_path_get_basename(path);
  g_autofree char *prefix = g_strconcat(base, ".corrupt-", NULL);
  g_autoptr(GDir) dir = g_dir_open(dir_name, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *old = g_build_filename(dir_name, name, NULL);
    if (g_str_has_prefix(name, prefix))
      unlink(old);
  }
}

static gboolean put_aside(const char *path, GError **error)
{
  gint64 now = g_get_real_time() / G_USEC_PER_SEC;
  remove_old_copies(path);
  for (guint i = 0; i < G_N_ELEMENTS(sidecars); i++) {
    g_autofree char *from = g_strconcat(path, sidecars[i], NULL);
    g_autofree char *to =
        g_strdup_printf("%s.corrupt-%" G_GINT64_FORMAT "%s", path, now, sidecars[i]);
    if (rename(from, to) < 0 && errno != ENOENT) {
      int saved = errno;
      return error_set(error, saved, SCOPE_LOCAL, "cannot put %s aside: %s", from,
                       g_strerror(saved));
    }
  }
  return TRUE;
}

/* Nobody asks SQLite how much memory it uses; counting it takes a global lock for each piece. */
static void configure_once(void)
{
  static gsize done;
  if (g_once_init_enter(&done)) {
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    g_once_init_leave(&done, 1);
  }
}

Db *db_open(const char *path, const DbSchema *schema, DbOrigin *ret_origin, GError **error)
{
  configure_once();
  gboolean corrupt = FALSE;
  DbOrigin origin = DB_FRESH;
  g_autoptr(GError) first = NULL;
  Db *db = open_once(path, schema, &origin, &corrupt, &first);
  if (!db && corrupt && RULE("cache-corrupt")) {
    log_debug("cache", "%s is damaged: put aside", path);
    if (!put_aside(path, error))
      return NULL;
    db = open_once(path, schema, &origin, &corrupt, error);
    origin = DB_REBUILT;
  } else if (!db) {
    g_propagate_error(error, g_steal_pointer(&first));
  }
  if (db)
    *ret_origin = origin;
  return db;
}
