/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little that both databases of the cache share: opening one (private, WAL, versioned schema,
 * a corrupt one put aside), prepared statements, transactions, and errors as errno. Private to
 * cache/; knows no table but its own "meta".
 *
 * Not safe from several threads: the owner's lock guards a Db and its statements.
 */
#pragma once

#include <glib.h>
#include <sqlite3.h>

/* What a database is made of. All static; statements are named by their place in SQL. */
typedef struct {
  const char *what;              /* for messages: "index" */
  const char *const *migrations; /* [i] takes user_version i to i + 1 */
  guint n_migrations;
  const char *setup; /* run at each open: temporary tables, pragmas */
  const char *const *sql;
  guint n_sql;
} DbSchema;

typedef struct {
  sqlite3 *handle;
  const DbSchema *schema;
  sqlite3_stmt **stmts; /* schema->n_sql, prepared at open */
  char *path;
  gboolean full;    /* the disk was: the log is folded back before the next transaction */
  gboolean damaged; /* SQLite met a bad page: the next open looks at all of them */
} Db;

/* How an opened database came to be. */
typedef enum { DB_KEPT, DB_FRESH, DB_REBUILT } DbOrigin;

/*
 * Opens or makes PATH (0600). EPROTONOSUPPORT when a newer version made it: nothing is touched. A
 * corrupt one is renamed to PATH.corrupt-TIME (only the last such copy is kept) and a fresh one
 * made. All pages are looked at when it was not closed cleanly.
 */
Db *db_open(const char *path, const DbSchema *schema, DbOrigin *ret_origin, GError **error);

/* Notes that all is well, checkpoints, closes. NULL is fine. */
void db_close(Db *db);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Db, db_close)

/* The statement WHICH, reset and without parameters. */
sqlite3_stmt *db_use(Db *db, guint which);

/* What a question for one row found. */
typedef enum { ROW_FAILED = -1, ROW_NONE, ROW_FOUND } RowResult;

/* The next row of STMT. Unless there is one, the statement is reset. */
RowResult db_row(Db *db, sqlite3_stmt *stmt, GError **error);

/* Runs a statement to its end. */
gboolean db_run(Db *db, sqlite3_stmt *stmt, GError **error);

/* Runs SQL text that has no parameters. */
gboolean db_exec(Db *db, const char *sql, GError **error);

/* The first column of STMT's first row, 0 when there is none. */
gboolean db_int(Db *db, sqlite3_stmt *stmt, gint64 *ret, GError **error);

/* Begins a transaction; db_end() commits it when OK, else (or when that fails) rolls it back. */
gboolean db_begin(Db *db, GError **error);
gboolean db_end(Db *db, gboolean ok, GError **error);

/* The text under KEY of the table meta; *RET NULL when there is none. */
gboolean db_meta_get(Db *db, const char *key, char **ret, GError **error);
gboolean db_meta_set(Db *db, const char *key, const char *value, GError **error);

/* Parameters and columns. NULL is NULL; bytes and text are borrowed until the statement ran. */
void db_bind_bytes(sqlite3_stmt *stmt, int at, GBytes *bytes);
void db_bind_text(sqlite3_stmt *stmt, int at, const char *text);
GBytes *db_column_bytes(sqlite3_stmt *stmt, int at);
char *db_column_text(sqlite3_stmt *stmt, int at);
