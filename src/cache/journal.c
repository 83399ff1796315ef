/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what we owe the server: entries in journal.db, bytes in staged/. Leaves what is done about
 * them to the mailbox.
 *
 * Order, so that a crash at any step leaves either all or a stray file: bytes, then the entry; at
 * the end the entry, then the bytes. An entry that was not made durable promised to outlive this
 * process only: if its bytes did not come through a power cut whole, it is no entry any more.
 */
#include "cache/journal.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rule.h"
#include "cache/db.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct Journal {
  GMutex lock; /* guards db */
  Db *db;
  char *staged_dir;
};

static const char *const migrations[] = {
    "CREATE TABLE upload(id INTEGER PRIMARY KEY AUTOINCREMENT, durable INTEGER NOT NULL,"
    "  ino INTEGER NOT NULL, parent INTEGER NOT NULL, name TEXT NOT NULL,"
    "  creates INTEGER NOT NULL, base_tag BLOB, size INTEGER NOT NULL,"
    "  time INTEGER NOT NULL);"
    "INSERT INTO sqlite_sequence VALUES('upload', 0);",
};

enum {
  SQL_ADD,
  SQL_REMOVE,
  SQL_NEXT,
  SQL_DURABLE,
  SQL_ALL_DURABLE,
  SQL_HAS,
  SQL_SKIP_IDS,
  SQL_N,
};
static const char *const statements[SQL_N] = {
    [SQL_ADD] = "INSERT INTO upload VALUES(NULL,?1,?2,?3,?4,?5,?6,?7,?8)",
    [SQL_REMOVE] = "DELETE FROM upload WHERE id=?1",
    [SQL_NEXT] = ("SELECT id,durable,ino,parent,name,creates,base_tag,size,time FROM upload"
                  " WHERE id>?1 ORDER BY id LIMIT 1"),
    [SQL_DURABLE] = "SELECT durable FROM upload WHERE id=?1",
    [SQL_ALL_DURABLE] = "UPDATE upload SET durable=1 WHERE durable=0",
    [SQL_HAS] = "SELECT count(*) FROM upload WHERE id=?1",
    [SQL_SKIP_IDS] = "UPDATE sqlite_sequence SET seq=max(seq,?1) WHERE name='upload'",
};
static const DbSchema schema = {.what = "journal",
                                .migrations = migrations,
                                .n_migrations = G_N_ELEMENTS(migrations),
                                .setup = "",
                                .sql = statements,
                                .n_sql = SQL_N};

void journal_entry_clear(JournalEntry *entry)
{
  g_free(entry->name);
  g_clear_pointer(&entry->base_tag, g_bytes_unref);
  *entry = (JournalEntry){0};
}

static char *staged_path(const Journal *journal, gint64 id)
{
  return g_strdup_printf("%s/%" G_GINT64_FORMAT, journal->staged_dir, id);
}

static gboolean set_durable(Journal *journal, gboolean durable, GError **error)
{
  return db_exec(journal->db, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL",
                 error);
}

/* The first entry with an id above AFTER. */
static RowResult next_entry(Journal *journal, gint64 after, JournalEntry *out,
                            gboolean *ret_durable, GError **error)
{
  sqlite3_stmt *stmt = db_use(journal->db, SQL_NEXT);
  sqlite3_bind_int64(stmt, 1, after);
  RowResult row = db_row(journal->db, stmt, error);
  if (row != ROW_FOUND)
    return row;
  journal_entry_clear(out);
  out->id = sqlite3_column_int64(stmt, 0);
  *ret_durable = sqlite3_column_int(stmt, 1) != 0;
  out->ino = sqlite3_column_int64(stmt, 2);
  out->parent = sqlite3_column_int64(stmt, 3);
  out->name = db_column_text(stmt, 4);
  out->create = sqlite3_column_int(stmt, 5) != 0;
  out->base_tag = db_column_bytes(stmt, 6);
  out->size = sqlite3_column_int64(stmt, 7);
  out->time = sqlite3_column_int64(stmt, 8);
  sqlite3_reset(stmt);
  return row;
}

static gboolean delete_entry(Journal *journal, gint64 id, GError **error)
{
  sqlite3_stmt *stmt = db_use(journal->db, SQL_REMOVE);
  sqlite3_bind_int64(stmt, 1, id);
  return db_run(journal->db, stmt, error);
}

/* Drops entries that did not come through a power cut; their bytes, if any, become strays. */
static gboolean drop_torn(Journal *journal, GError **error)
{
  g_auto(JournalEntry) entry = {0};
  gboolean durable = FALSE;
  RowResult row;
  while ((row = next_entry(journal, entry.id, &entry, &durable, error)) == ROW_FOUND) {
    g_autofree char *path = staged_path(journal, entry.id);
    struct stat st;
    gboolean whole = lstat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == entry.size;
    if (whole || durable || !RULE("journal-torn"))
      continue;
    log_debug("cache", "upload %" G_GINT64_FORMAT " was never made durable and is torn", entry.id);
    if (!delete_entry(journal, entry.id, error))
      return FALSE;
  }
  return row != ROW_FAILED;
}

/* The staged files no entry names. New entries get ids beyond all of them. */
static gboolean find_strays(Journal *journal, GArray *strays, GError **error)
{
  g_autoptr(GDir) dir = g_dir_open(journal->staged_dir, 0, NULL);
  gint64 last = 0;
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    char *end;
    gint64 id = g_ascii_strtoll(name, &end, 10), known = 0;
    g_autofree char *path = g_build_filename(journal->staged_dir, name, NULL);
    if (!g_ascii_isdigit(*name) || *end != '\0' || id <= 0) {
      unlink(path); /* a name of ours that was not given to the end */
      continue;
    }
    last = MAX(last, id);
    sqlite3_stmt *stmt = db_use(journal->db, SQL_HAS);
    sqlite3_bind_int64(stmt, 1, id);
    if (!db_int(journal->db, stmt, &known, error))
      return FALSE;
    if (!known)
      g_array_append_val(strays, id);
  }
  sqlite3_stmt *stmt = db_use(journal->db, SQL_SKIP_IDS);
  sqlite3_bind_int64(stmt, 1, last);
  return db_run(journal->db, stmt, error);
}

static void journal_free(Journal *journal)
{
  db_close(journal->db);
  g_mutex_clear(&journal->lock);
  g_free(journal->staged_dir);
  g_free(journal);
}

Journal *journal_open(const char *dir, GArray **ret_strays, GError **error)
{
  g_autofree char *path = g_build_filename(dir, "journal.db", NULL);
  g_autofree char *staged = g_build_filename(dir, "staged", NULL);
  DbOrigin origin = DB_KEPT;
  if (!file_make_private_dir(staged, error))
    return NULL;
  Db *db = db_open(path, &schema, &origin, error);
  if (!db)
    return NULL;
  Journal *journal = g_new0(Journal, 1);
  g_mutex_init(&journal->lock);
  journal->db = db;
  journal->staged_dir = g_steal_pointer(&staged);
  g_autoptr(GArray) strays = g_array_new(FALSE, FALSE, sizeof(gint64));
  if (!drop_torn(journal, error) || !find_strays(journal, strays, error)) {
    journal_free(journal);
    return NULL;
  }
  if (ret_strays)
    *ret_strays = g_steal_pointer(&strays);
  return journal;
}

void journal_close(Journal *journal)
{
  if (!journal)
    return;
  /* What is left waits for the next mount, which may be in the next boot. */
  int fd = open(journal->staged_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  gboolean synced = fd >= 0 && syncfs(fd) == 0;
  if (fd >= 0)
    close(fd);
  if (synced && set_durable(journal, TRUE, NULL))
    db_run(journal->db, db_use(journal->db, SQL_ALL_DURABLE), NULL);
  journal_free(journal);
}

static gboolean insert_entry(Journal *journal, const JournalEntry *entry, gboolean durable,
                             GError **error)
{
  sqlite3_stmt *stmt = db_use(journal->db, SQL_ADD);
  sqlite3_bind_int(stmt, 1, durable);
  sqlite3_bind_int64(stmt, 2, entry->ino);
  sqlite3_bind_int64(stmt, 3, entry->parent);
  db_bind_text(stmt, 4, entry->name ? entry->name : "");
  sqlite3_bind_int(stmt, 5, entry->create);
  db_bind_bytes(stmt, 6, entry->base_tag);
  sqlite3_bind_int64(stmt, 7, entry->size);
  sqlite3_bind_int64(stmt, 8, entry->time);
  return db_run(journal->db, stmt, error);
}

gboolean journal_add(Journal *journal, JournalEntry *entry, int fd, gboolean durable,
                     GError **error)
{
  /* The long part of it without the lock. */
  durable = durable && RULE("journal-durable");
  if (durable && fdatasync(fd) < 0) {
    int saved = errno;
    return error_set(error, saved, SCOPE_LOCAL, "cannot sync the staged bytes: %s",
                     g_strerror(saved));
  }
  JournalEntry added = *entry;
  if (added.time == 0)
    added.time = g_get_real_time();
  g_autofree char *path = NULL;
  g_mutex_lock(&journal->lock);
  gboolean ok = set_durable(journal, durable, error) && db_begin(journal->db, error);
  if (ok) {
    ok = insert_entry(journal, &added, durable, error);
    if (ok) {
      added.id = sqlite3_last_insert_rowid(journal->db->handle);
      path = staged_path(journal, added.id);
      ok = file_publish(fd, path, durable, error);
    }
    ok = db_end(journal->db, ok, error);
  }
  if (!ok && path)
    unlink(path);
  g_mutex_unlock(&journal->lock);
  if (ok)
    *entry = added;
  return ok;
}

int journal_open_staged(Journal *journal, gint64 id, GError **error)
{
  g_autofree char *path = staged_path(journal, id);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    int saved = errno;
    error_set(error, saved, SCOPE_LOCAL, "cannot open %s: %s", path, g_strerror(saved));
  }
  return fd;
}

gboolean journal_remove(Journal *journal, gint64 id, GError **error)
{
  gint64 durable = 0;
  g_autofree char *path = staged_path(journal, id);
  g_mutex_lock(&journal->lock);
  sqlite3_stmt *stmt = db_use(journal->db, SQL_DURABLE);
  sqlite3_bind_int64(stmt, 1, id);
  gboolean ok = db_int(journal->db, stmt, &durable, error) &&
                set_durable(journal, durable != 0, error) && delete_entry(journal, id, error);
  g_mutex_unlock(&journal->lock);
  if (ok && unlink(path) < 0 && errno != ENOENT)
    log_debug("cache", "cannot remove %s: %s", path, g_strerror(errno));
  return ok;
}

gboolean journal_foreach(Journal *journal, JournalFunc func, gpointer user, GError **error)
{
  g_auto(JournalEntry) entry = {0};
  RowResult row = ROW_FOUND;
  gboolean more = TRUE, durable = FALSE;
  while (more && row == ROW_FOUND) {
    g_mutex_lock(&journal->lock);
    row = next_entry(journal, entry.id, &entry, &durable, error);
    g_mutex_unlock(&journal->lock);
    more = row == ROW_FOUND && func(&entry, user);
  }
  return row != ROW_FAILED;
}
