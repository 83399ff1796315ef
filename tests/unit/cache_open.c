/* SPDX-License-Identifier: Apache-2.0 */
/* The index: whose it is, and what it does when it is newer, damaged or somebody else's. */
#include "cache_fixture.h"

#include "cache/index_private.h"

#include <fcntl.h>
#include <sys/stat.h>

static void another_store(void **state)
{
  Fixture *f = *state;
  index_close(f->index);
  g_autoptr(GError) error = NULL;
  f->index = index_open(f->dir, "http://server/exchange/bob", NULL, &error);
  assert_null(f->index);
  assert_int_equal(error_errno(error), EINVAL);
  assert_non_null(strstr(error->message, "name another cache_dir"));
}

static void a_directory_given_up_serves_another_store(void **state)
{
  Fixture *f = *state;
  index_disown(f->index);
  index_close(f->index);
  f->index = index_open(f->dir, "http://server/exchange/bob", NULL, NULL);
  assert_non_null(f->index);
}

static char *sum_of(const char *dir)
{
  g_autofree char *path = g_build_filename(dir, "index.db", NULL);
  g_autofree char *bytes = NULL;
  gsize len = 0;
  assert_true(g_file_get_contents(path, &bytes, &len, NULL));
  return g_compute_checksum_for_data(G_CHECKSUM_SHA256, (guchar *)bytes, len);
}

static void made_by_a_newer_one(void **state)
{
  Fixture *f = *state;
  put(f->index, INO_ROOT, "a", "1", FALSE);
  assert_true(db_exec(f->index->db, "PRAGMA user_version=99", NULL));
  index_close(f->index);
  g_autofree char *before = sum_of(f->dir);
  g_autoptr(GError) error = NULL;
  f->index = index_open(f->dir, "http://server/exchange/alice", NULL, &error);
  assert_null(f->index);
  assert_int_equal(error_errno(error), EPROTONOSUPPORT);
  g_autofree char *after = sum_of(f->dir);
  assert_string_equal(before, after);
}

static guint count_aside(const char *dir_name)
{
  guint n = 0;
  g_autoptr(GDir) dir = g_dir_open(dir_name, 0, NULL);
  for (const char *name; (name = g_dir_read_name(dir));)
    n += g_str_has_prefix(name, "index.db.corrupt-") && !g_str_has_suffix(name, "-wal") &&
         !g_str_has_suffix(name, "-shm");
  return n;
}

/* Opens what must turn out to be corrupt. */
static void open_rebuilt(Fixture *f)
{
  g_autoptr(GError) error = NULL;
  gboolean rebuilt = FALSE;
  f->index = index_open(f->dir, "http://server/exchange/alice", &rebuilt, &error);
  assert_ok(f->index, error);
  assert_true(rebuilt);
  assert_int_equal(count_aside(f->dir), 1);
  assert_int_equal(ino_of(f->index, INO_ROOT, "a"), 0);
  g_autofree char *bodies = g_build_filename(f->dir, "bodies", "10", "16-1", NULL);
  assert_false(g_file_test(bodies, G_FILE_TEST_EXISTS));
}

static void put_body(Fixture *f)
{
  g_autofree char *dir = g_build_filename(f->dir, "bodies", "10", NULL);
  g_autofree char *path = g_build_filename(dir, "16-1", NULL);
  g_mkdir_with_parents(dir, 0700);
  assert_true(g_file_set_contents(path, "old", 3, NULL));
}

/* Writes junk over the file from OFFSET to its end. */
static void spoil(Fixture *f, goffset offset)
{
  g_autofree char *path = g_build_filename(f->dir, "index.db", NULL);
  struct stat st = {0};
  char junk[4096];
  int fd = open(path, O_RDWR | O_CLOEXEC);
  assert_true(fd >= 0 && fstat(fd, &st) == 0 && st.st_size > offset);
  memset(junk, 0x5a, sizeof junk);
  for (; offset < st.st_size; offset += (goffset)sizeof junk)
    assert_int_equal(pwrite(fd, junk, sizeof junk, offset), sizeof junk);
  close(fd);
}

static void a_spoiled_header(void **state)
{
  Fixture *f = *state;
  gint64 old = put(f->index, INO_ROOT, "a", "1", FALSE);
  put_body(f);
  index_close(f->index);
  spoil(f, 0);
  open_rebuilt(f);
  /* Its numbers are others than those that bodies, journal and local files may still name. */
  assert_true(put(f->index, INO_ROOT, "b", "1", FALSE) > old);
  index_close(f->index);
  spoil(f, 0);
  open_rebuilt(f);
}

static void spoiled_pages(void **state)
{
  Fixture *f = *state;
  for (guint i = 0; i < 500; i++) {
    char name[16];
    g_snprintf(name, sizeof name, "n%u", i);
    put(f->index, INO_ROOT, name, "1", FALSE);
  }
  put(f->index, INO_ROOT, "a", "1", FALSE);
  index_close(f->index);
  /* As after a kill: only then are all pages looked at. */
  f->index = open_index(f->dir);
  f->index->db->damaged = TRUE;
  index_close(f->index);
  spoil(f, 8192);
  open_rebuilt(f);
}

static void damage_met_while_running(void **state)
{
  Fixture *f = *state;
  for (guint i = 0; i < 500; i++) {
    char name[16];
    g_snprintf(name, sizeof name, "n%u", i);
    put(f->index, INO_ROOT, name, "1", FALSE);
  }
  index_close(f->index);
  spoil(f, 8192);
  /* Closed cleanly, so nobody looks at the pages before they are used. */
  g_autoptr(GError) error = NULL;
  gboolean rebuilt = FALSE;
  f->index = index_open(f->dir, "http://server/exchange/alice", &rebuilt, NULL);
  assert_non_null(f->index);
  if (!rebuilt) {
    g_auto(Node) node;
    node_init(&node);
    assert_false(index_find(f->index, INO_ROOT, "n250", &node, &error));
    assert_int_equal(error_errno(error), EIO);
    assert_int_equal(error_scope(error), SCOPE_LOCAL);
    index_close(f->index);
    open_rebuilt(f);
  }
}

static void no_database_at_all(void **state)
{
  Fixture *f = *state;
  index_close(f->index);
  g_autofree char *path = g_build_filename(f->dir, "index.db", NULL);
  assert_true(g_file_set_contents(path, "this is a text file, and a long enough one", -1, NULL));
  open_rebuilt(f);
}

static void files_are_private(void **state)
{
  Fixture *f = *state;
  const char *const names[] = {"index.db", "index.db-wal", "index.db-shm"};
  put(f->index, INO_ROOT, "a", "1", FALSE);
  for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = g_build_filename(f->dir, names[i], NULL);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(another_store),       TEST(a_directory_given_up_serves_another_store),
      TEST(made_by_a_newer_one), TEST(a_spoiled_header),
      TEST(spoiled_pages),       TEST(damage_met_while_running),
      TEST(no_database_at_all),  TEST(files_are_private),
  };
  return RUN(tests);
}
