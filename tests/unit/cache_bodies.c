/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies and local files on disk, and the lock of their directory. */
#include "cache_support.h"

#include "base/file.h"
#include "base/rule.h"
#include "cache/bodies.h"
#include "cache/cachedir.h"

#include <fcntl.h>
#include <sys/stat.h>

#define BOUND 1000

typedef struct {
  char *dir;
  Bodies *bodies;
} Fixture;

static void open_bodies(Fixture *f)
{
  g_autoptr(GError) error = NULL;
  f->bodies = bodies_open(f->dir, BOUND, &error);
  assert_ok(f->bodies, error);
}

static int set_up(void **state)
{
  Fixture *f = g_new0(Fixture, 1);
  f->dir = make_dir();
  open_bodies(f);
  *state = f;
  return 0;
}

static int tear_down(void **state)
{
  Fixture *f = *state;
  bodies_close(f->bodies);
  remove_tree(f->dir);
  g_free(f->dir);
  g_free(f);
  return 0;
}

static void reopen(Fixture *f)
{
  bodies_close(f->bodies);
  open_bodies(f);
}

static void publish(Fixture *f, gint64 ino, guint32 version, guint size)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *bytes = g_strnfill(size, 'x');
  int fd = bodies_new_file(f->bodies, &error);
  assert_ok(fd >= 0, error);
  assert_true(file_pwrite_all(fd, bytes, size, 0, NULL));
  assert_ok(bodies_publish(f->bodies, ino, version, fd, size, &error), error);
  close(fd);
}

static char *path_of(Fixture *f, gint64 ino, guint32 version)
{
  return g_strdup_printf("%s/bodies/%02x/%d-%u", f->dir, (guint)(ino & 0xff), (int)ino, version);
}

static void published_is_found_again(void **state)
{
  Fixture *f = *state;
  gint64 size = -1, bytes = 0, files = 0;
  assert_int_equal(bodies_lease(f->bodies, 300, 1, &size), -1);
  publish(f, 300, 1, 10);
  for (guint i = 0; i < 2; i++) {
    int fd = bodies_lease(f->bodies, 300, 1, &size);
    assert_true(fd >= 0);
    assert_int_equal(size, 10);
    char text[11] = "";
    assert_int_equal(pread(fd, text, 10, 0), 10);
    assert_string_equal(text, "xxxxxxxxxx");
    assert_int_equal(write(fd, "y", 1), -1); /* for reading only */
    bodies_release(f->bodies, 300, 1, fd);
    reopen(f);
  }
  assert_false(bodies_have(f->bodies, 300, 2));
  assert_int_equal(bodies_lease(f->bodies, 300, 2, &size), -1);
  bodies_usage(f->bodies, &bytes, &files);
  assert_int_equal(bytes, 10);
  assert_int_equal(files, 1);
  g_autofree char *path = path_of(f, 300, 1);
  struct stat st;
  assert_int_equal(stat(path, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
}

static void one_version_of_each(void **state)
{
  Fixture *f = *state;
  gint64 size = 0, bytes = 0, files = 0;
  publish(f, 20, 1, 10);
  int old = bodies_lease(f->bodies, 20, 1, &size);
  publish(f, 20, 2, 30);
  assert_false(bodies_have(f->bodies, 20, 1));
  char text[10];
  assert_int_equal(pread(old, text, 10, 0), 10); /* who has it open reads on */
  bodies_release(f->bodies, 20, 1, old);
  publish(f, 20, 2, 40);
  bodies_usage(f->bodies, &bytes, &files);
  assert_int_equal(bytes, 40);
  assert_int_equal(files, 1);
  int fd = bodies_lease(f->bodies, 20, 2, &size);
  assert_int_equal(size, 40);
  bodies_drop(f->bodies, 20);
  assert_false(bodies_have(f->bodies, 20, 2));
  assert_int_equal(pread(fd, text, 10, 0), 10);
  bodies_release(f->bodies, 20, 2, fd);
  g_autofree char *path = path_of(f, 20, 2);
  assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void the_least_recently_used_goes(void **state)
{
  Fixture *f = *state;
  gint64 size = 0, bytes = 0, files = 0;
  publish(f, 20, 1, 300);
  publish(f, 21, 1, 300);
  publish(f, 22, 1, 300);
  bodies_release(f->bodies, 20, 1, bodies_lease(f->bodies, 20, 1, &size));
  publish(f, 23, 1, 300);
  assert_true(bodies_have(f->bodies, 20, 1));
  assert_false(bodies_have(f->bodies, 21, 1));
  assert_true(bodies_have(f->bodies, 22, 1) && bodies_have(f->bodies, 23, 1));
  bodies_usage(f->bodies, &bytes, &files);
  assert_int_equal(bytes, 900);
  g_autofree char *path = path_of(f, 21, 1);
  assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

static void leased_stays(void **state)
{
  Fixture *f = *state;
  gint64 size = 0, bytes = 0, files = 0;
  publish(f, 20, 1, 600);
  int one = bodies_lease(f->bodies, 20, 1, &size), two = bodies_lease(f->bodies, 20, 1, &size);
  publish(f, 21, 1, 600);
  assert_true(bodies_have(f->bodies, 20, 1) && bodies_have(f->bodies, 21, 1));
  assert_true(bodies_make_room(f->bodies, 100));
  assert_true(bodies_have(f->bodies, 20, 1));
  assert_false(bodies_make_room(f->bodies, 100));
  publish(f, 22, 1, 600);
  bodies_release(f->bodies, 20, 1, one);
  assert_true(bodies_have(f->bodies, 20, 1));
  bodies_release(f->bodies, 20, 1, two);
  bodies_usage(f->bodies, &bytes, &files);
  assert_int_equal(bytes, 600); /* back under the bound when the last lease ended */
}

static void too_large_to_keep(void **state)
{
  Fixture *f = *state;
  g_autoptr(GError) error = NULL;
  publish(f, 20, 1, 300);
  int fd = bodies_new_file(f->bodies, NULL);
  assert_false(bodies_publish(f->bodies, 21, 1, fd, BOUND + 1, &error));
  assert_non_null(error);
  close(fd);
  assert_true(bodies_have(f->bodies, 20, 1));
}

static void set_mtime(const char *path, time_t seconds)
{
  struct timespec times[2] = {{seconds, 0}, {seconds, 0}};
  assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void order_survives(void **state)
{
  Fixture *f = *state;
  const guint order[] = {22, 20, 21}; /* oldest use first */
  for (guint i = 20; i <= 22; i++)
    publish(f, i, 1, 300);
  for (guint i = 0; i < 3; i++) {
    g_autofree char *path = path_of(f, order[i], 1);
    set_mtime(path, 1000 + (time_t)i);
  }
  reopen(f);
  publish(f, 30, 1, 300);
  assert_false(bodies_have(f->bodies, 22, 1));
  assert_true(bodies_have(f->bodies, 20, 1) && bodies_have(f->bodies, 21, 1));
  /* A use is written down. */
  gint64 size;
  bodies_release(f->bodies, 20, 1, bodies_lease(f->bodies, 20, 1, &size));
  reopen(f);
  publish(f, 31, 1, 300);
  assert_false(bodies_have(f->bodies, 21, 1));
  assert_true(bodies_have(f->bodies, 20, 1));
}

static void strays_go(void **state)
{
  Fixture *f = *state;
  const char *const strays[] = {"bodies/14/20-1.new", "bodies/14/21-1", "bodies/14/x",
                                "bodies/14/20--1",    "bodies/14/20-",  "bodies/14/0020-1",
                                "bodies/14/-20-1",    "local/7.new"};
  publish(f, 20, 1, 10);
  for (gsize i = 0; i < G_N_ELEMENTS(strays); i++) {
    g_autofree char *path = g_build_filename(f->dir, strays[i], NULL);
    assert_true(g_file_set_contents(path, "stray", 5, NULL));
  }
  reopen(f);
  for (gsize i = 0; i < G_N_ELEMENTS(strays); i++) {
    g_autofree char *path = g_build_filename(f->dir, strays[i], NULL);
    if (g_file_test(path, G_FILE_TEST_EXISTS))
      fail_msg("%s is still there", strays[i]);
  }
  gint64 bytes = 0, files = 0;
  bodies_usage(f->bodies, &bytes, &files);
  assert_int_equal(files, 1);
}

static void two_versions_after_a_crash(void **state)
{
  Fixture *f = *state;
  publish(f, 20, 7, 10);
  g_autofree char *path = path_of(f, 20, 6);
  assert_true(g_file_set_contents(path, "older", 5, NULL));
  reopen(f);
  assert_true(bodies_have(f->bodies, 20, 7));
  assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
  gint64 bytes = 0, files = 0, size = 0;
  bodies_usage(f->bodies, &bytes, &files);
  assert_int_equal(bytes, 10);
  int fd = bodies_lease(f->bodies, 20, 7, &size);
  assert_int_equal(size, 10);
  bodies_release(f->bodies, 20, 7, fd);
}

static void a_power_cut(void **state)
{
  Fixture *f = *state;
  publish(f, 20, 1, 10);
  reopen(f); /* synced */
  g_usleep(20000);
  g_autofree char *marker = g_build_filename(f->dir, "bodies", "session", NULL);
  g_autofree char *held = NULL;
  g_autofree char *same = NULL;
  assert_true(g_file_get_contents(marker, &held, NULL, NULL));
  struct stat st;
  assert_int_equal(stat(marker, &st), 0);
  publish(f, 21, 1, 10);
  bodies_close(f->bodies);
  /* A kill in the same boot loses nothing. */
  assert_true(g_file_set_contents(marker, held, -1, NULL));
  set_mtime(marker, st.st_mtime);
  open_bodies(f);
  assert_true(bodies_have(f->bodies, 20, 1) && bodies_have(f->bodies, 21, 1));
  bodies_close(f->bodies);
  /* Another boot: what was published since is not trusted. */
  assert_true(g_file_set_contents(marker, "another boot", -1, NULL));
  struct timespec times[2] = {st.st_atim, st.st_mtim};
  assert_int_equal(utimensat(AT_FDCWD, marker, times, 0), 0);
  open_bodies(f);
  assert_true(bodies_have(f->bodies, 20, 1));
  assert_false(bodies_have(f->bodies, 21, 1));
}

static void a_file_that_is_not_what_it_was(void **state)
{
  Fixture *f = *state;
  gint64 size = 0;
  publish(f, 20, 1, 10);
  publish(f, 21, 1, 10);
  g_autofree char *cut = path_of(f, 20, 1);
  g_autofree char *gone = path_of(f, 21, 1);
  assert_int_equal(truncate(cut, 5), 0);
  assert_int_equal(unlink(gone), 0);
  assert_int_equal(bodies_lease(f->bodies, 20, 1, &size), -1);
  assert_int_equal(bodies_lease(f->bodies, 21, 1, &size), -1);
  assert_false(bodies_have(f->bodies, 20, 1));
  publish(f, 20, 1, 10);
  assert_true(bodies_have(f->bodies, 20, 1));
}

static int write_file(Fixture *f, const char *text)
{
  int fd = bodies_new_file(f->bodies, NULL);
  assert_true(fd >= 0);
  assert_true(file_pwrite_all(fd, text, strlen(text), 0, NULL));
  return fd;
}

static void local_files(void **state)
{
  Fixture *f = *state;
  g_autoptr(GError) error = NULL;
  int fd = write_file(f, "one");
  assert_true(bodies_local_keep(f->bodies, 20, fd, TRUE, &error));
  close(fd);
  fd = write_file(f, "two");
  assert_true(bodies_local_keep(f->bodies, 20, fd, FALSE, &error));
  close(fd);
  reopen(f);
  fd = bodies_local_open(f->bodies, 20, &error);
  char text[4] = "";
  assert_int_equal(pread(fd, text, 3, 0), 3);
  assert_string_equal(text, "two");
  assert_int_equal(pwrite(fd, "six", 3, 0), 3);
  assert_true(bodies_local_keep(f->bodies, 20, fd, TRUE, &error)); /* it is that file already */
  close(fd);
  g_autoptr(GArray) all = bodies_local_list(f->bodies);
  assert_int_equal(all->len, 1);
  assert_int_equal(g_array_index(all, gint64, 0), 20);
  /* Never evicted. */
  publish(f, 21, 1, 900);
  publish(f, 22, 1, 900);
  fd = bodies_local_open(f->bodies, 20, &error);
  assert_true(fd >= 0);
  close(fd);
  bodies_local_drop(f->bodies, 20);
  bodies_local_drop(f->bodies, 20);
  assert_int_equal(bodies_local_open(f->bodies, 20, &error), -1);
  assert_int_equal(error_errno(error), ENOENT);
}

static void one_mount_only(void **state)
{
  Fixture *f = *state;
  g_autoptr(GError) error = NULL;
  int fd = cachedir_lock(f->dir, &error);
  assert_ok(fd >= 0, error);
  assert_int_equal(cachedir_lock(f->dir, &error), -1);
  assert_int_equal(error_errno(error), EBUSY);
  g_autofree char *pid = g_strdup_printf("process %d", (int)getpid());
  assert_non_null(strstr(error->message, pid));
  close(fd);
  fd = cachedir_lock(f->dir, NULL);
  assert_true(fd >= 0);
  close(fd);
  struct stat st = {0};
  assert_int_equal(chmod(f->dir, 0755), 0);
  fd = cachedir_lock(f->dir, NULL);
  assert_true(fd >= 0 && stat(f->dir, &st) == 0);
  assert_int_equal(st.st_mode & 07777, 0700);
  close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  const struct CMUnitTest tests[] = {
      TEST(published_is_found_again),
      TEST(one_version_of_each),
      TEST(the_least_recently_used_goes),
      TEST(leased_stays),
      TEST(too_large_to_keep),
      TEST(order_survives),
      TEST(strays_go),
      TEST(two_versions_after_a_crash),
      TEST(a_power_cut),
      TEST(a_file_that_is_not_what_it_was),
      TEST(local_files),
      TEST(one_mount_only),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
