/* SPDX-License-Identifier: Apache-2.0 */
/* A cache whose disk is full: errors of ENOSPC, nothing lost, and all goes on once there is room.
 * The disk is a small tmpfs in a mount namespace of this process. */
#include "cache_support.h"

#include "base/file.h"
#include "base/rule.h"
#include "cache/bodies.h"
#include "cache/cachedir.h"
#include "cache/journal.h"

#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>

#define DISK "size=1m"

typedef struct {
  char *dir;
  Index *index;
  Bodies *bodies;
  Journal *journal;
} Fixture;

static int set_up(void **state)
{
  g_autoptr(GArray) strays = NULL;
  Fixture *f = g_new0(Fixture, 1);
  f->dir = make_dir();
  assert_int_equal(mount("none", f->dir, "tmpfs", 0, DISK), 0);
  f->index = open_index(f->dir);
  f->bodies = bodies_open(f->dir, 1 << 30, NULL);
  f->journal = journal_open(f->dir, &strays, NULL);
  assert_true(f->bodies && f->journal);
  *state = f;
  return 0;
}

static int tear_down(void **state)
{
  Fixture *f = *state;
  index_close(f->index);
  bodies_close(f->bodies);
  journal_close(f->journal);
  umount(f->dir);
  rmdir(f->dir);
  g_free(f->dir);
  g_free(f);
  return 0;
}

/* Takes all room that is left; give it back with unlink(). */
static char *fill_disk(Fixture *f)
{
  char *path = g_build_filename(f->dir, "filler", NULL);
  static const char zeros[4096];
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  assert_true(fd >= 0);
  while (write(fd, zeros, sizeof zeros) > 0)
    ;
  close(fd);
  return path;
}

static void the_index(void **state)
{
  Fixture *f = *state;
  gint64 ino = put(f->index, INO_ROOT, "first", "1", FALSE);
  g_autofree char *filler = fill_disk(f);
  g_autoptr(GError) error = NULL;
  IndexListing *listing = index_list_begin(f->index, INO_ROOT);
  for (guint i = 0; i < 20000 && !error; i++) {
    g_auto(Entry) entry;
    char name[32];
    g_snprintf(name, sizeof name, "message %u", i);
    tell(&entry, name, NULL, "1");
    index_list_add(listing, &entry, &error);
  }
  assert_int_equal(error_errno(error), ENOSPC);
  index_list_abort(listing);
  assert_int_equal(ino_of(f->index, INO_ROOT, "first"), ino);
  assert_int_equal(unlink(filler), 0);
  put(f->index, INO_ROOT, "second", "1", FALSE);
  index_close(f->index);
  f->index = open_index(f->dir);
  assert_int_equal(index_count(f->index, INO_ROOT, NULL), 2);
}

static void bodies_make_way(void **state)
{
  Fixture *f = *state;
  g_autofree char *bytes = g_strnfill(100000, 'x');
  gint64 size = 0;
  for (gint64 ino = 20; ino < 23; ino++) {
    int fd = bodies_new_file(f->bodies, NULL);
    assert_true(file_pwrite_all(fd, bytes, 100000, 0, NULL));
    assert_true(bodies_publish(f->bodies, ino, 1, fd, 100000, NULL));
    close(fd);
  }
  g_autofree char *filler = fill_disk(f);
  g_autoptr(GError) error = NULL;
  int fd = bodies_new_file(f->bodies, &error);
  assert_ok(fd >= 0, error);
  assert_false(file_pwrite_all(fd, bytes, 100000, 0, &error));
  assert_int_equal(error_errno(error), ENOSPC);
  int lease = bodies_lease(f->bodies, 22, 1, &size);
  assert_true(bodies_make_room(f->bodies, 100000));
  assert_false(bodies_have(f->bodies, 20, 1));
  assert_true(bodies_have(f->bodies, 22, 1));
  assert_true(file_pwrite_all(fd, bytes, 100000, 0, NULL));
  close(fd);
  bodies_release(f->bodies, 22, 1, lease);
}

static void bodies_leave_room(void **state)
{
  Fixture *f = *state;
  g_autofree char *bytes = g_strnfill(50000, 'x');
  gint64 held = 0, files = 0;
  for (gint64 ino = 20; ino < 60; ino++) {
    int fd = bodies_new_file(f->bodies, NULL);
    assert_true(file_pwrite_all(fd, bytes, 50000, 0, NULL));
    assert_true(bodies_publish(f->bodies, ino, 1, fd, 50000, NULL));
    close(fd);
  }
  bodies_usage(f->bodies, &held, &files);
  assert_true(files > 2);
  for (guint i = 0; i < 20; i++) {
    char name[16];
    g_snprintf(name, sizeof name, "n%u", i);
    put(f->index, INO_ROOT, name, "1", FALSE);
  }
}

static void the_journal(void **state)
{
  Fixture *f = *state;
  g_autofree char *big = g_strnfill(600, 'n');
  gint64 last = 0;
  int fd = file_open_unnamed(f->dir, NULL);
  g_autofree char *filler = fill_disk(f);
  g_autoptr(GError) error = NULL;
  for (guint i = 0; i < 5000 && !error; i++) {
    g_auto(JournalEntry) entry = {.ino = 20, .parent = 1};
    entry.name = g_strdup(big);
    if (journal_add(f->journal, &entry, fd, FALSE, &error))
      last = entry.id;
  }
  close(fd);
  assert_int_equal(error_errno(error), ENOSPC);
  g_autofree char *next = g_strdup_printf("%s/staged/%d", f->dir, (int)last + 1);
  assert_false(g_file_test(next, G_FILE_TEST_EXISTS)); /* what was refused leaves nothing */
  assert_int_equal(unlink(filler), 0);
  assert_true(last == 0 || journal_remove(f->journal, last, NULL));
}

static void opening(void **state)
{
  Fixture *f = *state;
  g_autofree char *sub = g_build_filename(f->dir, "other", NULL);
  assert_int_equal(g_mkdir(sub, 0700), 0);
  g_autofree char *filler = fill_disk(f);
  g_autoptr(GError) error = NULL;
  gboolean rebuilt = FALSE;
  assert_null(index_open(sub, "x", &rebuilt, &error));
  assert_int_equal(error_errno(error), ENOSPC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  int own = geteuid() == 0 ? CLONE_NEWNS : CLONE_NEWNS | CLONE_NEWUSER;
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  if (unshare(own) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
    print_message("no mount namespace here: skipped\n");
    return 0;
  }
  const struct CMUnitTest tests[] = {
      TEST(the_index),   TEST(bodies_make_way), TEST(bodies_leave_room),
      TEST(the_journal), TEST(opening),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
