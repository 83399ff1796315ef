/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: what is owed survives, and nothing else does. */
#include "cache_support.h"

#include "base/file.h"
#include "base/rule.h"
#include "cache/db.h"
#include "cache/journal.h"

#include <fcntl.h>
#include <sys/wait.h>

typedef struct {
  char *dir;
  Journal *journal;
  GArray *strays;
} Fixture;

static void open_journal(Fixture *f)
{
  g_autoptr(GError) error = NULL;
  g_clear_pointer(&f->strays, g_array_unref);
  f->journal = journal_open(f->dir, &f->strays, &error);
  assert_ok(f->journal, error);
}

static int set_up(void **state)
{
  Fixture *f = g_new0(Fixture, 1);
  f->dir = make_dir();
  open_journal(f);
  *state = f;
  return 0;
}

static int tear_down(void **state)
{
  Fixture *f = *state;
  journal_close(f->journal);
  g_clear_pointer(&f->strays, g_array_unref);
  remove_tree(f->dir);
  g_free(f->dir);
  g_free(f);
  return 0;
}

static gint64 add(Fixture *f, const char *name, const char *text, gboolean durable)
{
  g_autoptr(GError) error = NULL;
  g_auto(JournalEntry) entry = {.ino = 20, .parent = 1, .create = TRUE};
  entry.name = g_strdup(name);
  entry.base_tag = bytes_of("tag");
  entry.size = (gint64)strlen(text);
  int fd = file_open_unnamed(f->dir, &error);
  assert_ok(fd >= 0, error);
  assert_true(file_pwrite_all(fd, text, strlen(text), 0, NULL));
  assert_ok(journal_add(f->journal, &entry, fd, durable, &error), error);
  close(fd);
  assert_true(entry.id > 0 && entry.time > 0);
  return entry.id;
}

static gboolean collect(const JournalEntry *entry, gpointer user)
{
  g_string_append_printf(user, "%s%s", ((GString *)user)->len ? "," : "", entry->name);
  assert_int_equal(entry->ino, 20);
  assert_true(entry->create);
  g_autoptr(GBytes) tag = bytes_of("tag");
  assert_true(g_bytes_equal(entry->base_tag, tag));
  return TRUE;
}

static void assert_entries(Fixture *f, const char *expected)
{
  g_autoptr(GString) names = g_string_new(NULL);
  assert_true(journal_foreach(f->journal, collect, names, NULL));
  assert_string_equal(names->str, expected);
}

static void assert_staged(Fixture *f, gint64 id, const char *expected)
{
  char text[16] = "";
  int fd = journal_open_staged(f->journal, id, NULL);
  assert_true(fd >= 0);
  assert_true(pread(fd, text, sizeof text - 1, 0) >= 0);
  assert_string_equal(text, expected);
  close(fd);
}

static void entries_survive(void **state)
{
  Fixture *f = *state;
  gint64 one = add(f, "one", "1", TRUE), two = add(f, "two", "22", FALSE);
  assert_true(two > one);
  journal_close(f->journal);
  open_journal(f);
  assert_int_equal(f->strays->len, 0);
  assert_entries(f, "one,two");
  assert_staged(f, one, "1");
  assert_staged(f, two, "22");
  g_autoptr(GError) error = NULL;
  assert_true(journal_remove(f->journal, one, &error));
  assert_true(journal_remove(f->journal, one, &error));
  assert_entries(f, "two");
  assert_int_equal(journal_open_staged(f->journal, one, &error), -1);
  assert_int_equal(error_errno(error), ENOENT);
  assert_true(journal_remove(f->journal, two, NULL));
  /* A number is not used again: bytes of an earlier one may still be somewhere. */
  assert_true(add(f, "three", "3", TRUE) > two);
}

static gboolean stop(const JournalEntry *entry, gpointer user)
{
  (void)entry;
  ++*(guint *)user;
  return FALSE;
}

static gboolean remove_it(const JournalEntry *entry, gpointer user)
{
  return journal_remove(user, entry->id, NULL);
}

static void walks(void **state)
{
  Fixture *f = *state;
  guint n = 0;
  add(f, "one", "1", FALSE);
  add(f, "two", "2", FALSE);
  assert_true(journal_foreach(f->journal, stop, &n, NULL));
  assert_int_equal(n, 1);
  assert_true(journal_foreach(f->journal, remove_it, f->journal, NULL));
  assert_entries(f, "");
}

/* A process that adds and is killed. */
static void add_and_die(Fixture *f, gboolean durable)
{
  journal_close(f->journal);
  f->journal = NULL;
  pid_t pid = fork();
  if (pid == 0) {
    f->journal = journal_open(f->dir, &f->strays, NULL);
    add(f, durable ? "durable" : "quick", "bytes", durable);
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  assert_int_equal(status, 0);
}

static void a_killed_process(void **state)
{
  Fixture *f = *state;
  add_and_die(f, FALSE);
  open_journal(f);
  assert_entries(f, "quick");
  assert_int_equal(f->strays->len, 0);
  add_and_die(f, TRUE);
  open_journal(f);
  assert_entries(f, "quick,durable");
}

static void cut_staged(Fixture *f, gint64 id)
{
  g_autofree char *path = g_strdup_printf("%s/staged/%d", f->dir, (int)id);
  assert_int_equal(truncate(path, 2), 0);
}

static void a_power_cut(void **state)
{
  Fixture *f = *state;
  add_and_die(f, FALSE); /* so that nobody makes it durable */
  cut_staged(f, 1);
  open_journal(f);
  assert_entries(f, "");
  assert_int_equal(f->strays->len, 1); /* what is left of the bytes is still ours to judge */
  add_and_die(f, TRUE);
  cut_staged(f, 2);
  open_journal(f);
  assert_entries(f, "durable"); /* promised: the mailbox must say why it cannot be kept */
}

static void strays(void **state)
{
  Fixture *f = *state;
  g_autofree char *stray = g_build_filename(f->dir, "staged", "7", NULL);
  g_autofree char *half = g_build_filename(f->dir, "staged", "8.new", NULL);
  assert_true(g_file_set_contents(stray, "bytes", 5, NULL));
  assert_true(g_file_set_contents(half, "bytes", 5, NULL));
  journal_close(f->journal);
  open_journal(f);
  assert_int_equal(f->strays->len, 1);
  assert_int_equal(g_array_index(f->strays, gint64, 0), 7);
  assert_false(g_file_test(half, G_FILE_TEST_EXISTS));
  assert_true(add(f, "one", "1", FALSE) > 7); /* does not write over it */
  assert_staged(f, 7, "bytes");
  assert_true(journal_remove(f->journal, 7, NULL));
  assert_false(g_file_test(stray, G_FILE_TEST_EXISTS));
}

static void a_corrupt_journal(void **state)
{
  Fixture *f = *state;
  gint64 id = add(f, "one", "bytes", TRUE);
  journal_close(f->journal);
  g_autofree char *path = g_build_filename(f->dir, "journal.db", NULL);
  assert_true(g_file_set_contents(path, "not a database, and long enough to see it", -1, NULL));
  open_journal(f);
  assert_entries(f, "");
  assert_int_equal(f->strays->len, 1);
  assert_int_equal(g_array_index(f->strays, gint64, 0), id);
  assert_staged(f, id, "bytes");
  assert_true(add(f, "two", "2", TRUE) > id);
}

static void made_by_a_newer_one(void **state)
{
  Fixture *f = *state;
  journal_close(f->journal);
  f->journal = NULL;
  g_autofree char *path = g_build_filename(f->dir, "journal.db", NULL);
  sqlite3 *handle = NULL;
  assert_int_equal(sqlite3_open(path, &handle), SQLITE_OK);
  assert_int_equal(sqlite3_exec(handle, "PRAGMA user_version=7", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(handle);
  g_autoptr(GError) error = NULL;
  GArray *none = NULL;
  assert_null(journal_open(f->dir, &none, &error));
  assert_int_equal(error_errno(error), EPROTONOSUPPORT);
  assert_null(none);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  const struct CMUnitTest tests[] = {
      TEST(entries_survive),     TEST(walks),  TEST(a_killed_process),
      TEST(a_power_cut),         TEST(strays), TEST(a_corrupt_journal),
      TEST(made_by_a_newer_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
