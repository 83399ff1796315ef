/* SPDX-License-Identifier: Apache-2.0 */
/* Files of the cache: private, whole or absent, replaced in one step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;

static int setup(void **state)
{
  (void)state;
  dir = g_dir_make_tmp("exchangefs-XXXXXX", NULL);
  return dir ? 0 : -1;
}

static int teardown(void **state)
{
  (void)state;
  GDir *listing = g_dir_open(dir, 0, NULL);
  for (const char *name; (name = g_dir_read_name(listing));) {
    g_autofree char *path = g_build_filename(dir, name, NULL);
    remove(path);
  }
  g_dir_close(listing);
  int left = rmdir(dir);
  g_free(dir);
  return left;
}

static guint entries(void)
{
  guint n = 0;
  GDir *listing = g_dir_open(dir, 0, NULL);
  while (g_dir_read_name(listing))
    n++;
  g_dir_close(listing);
  return n;
}

static int make_errno(const char *path)
{
  g_autoptr(GError) error = NULL;
  assert_true(file_make_private_dir(path, &error) == (error == NULL));
  return error_errno(error);
}

static void test_private_dir(void **state)
{
  (void)state;
  struct stat st;
  g_autofree char *outer = g_build_filename(dir, "a", NULL);
  g_autofree char *inner = g_build_filename(outer, "b", NULL);
  g_autofree char *file = g_build_filename(dir, "file", NULL);
  g_autofree char *link = g_build_filename(dir, "link", NULL);
  assert_int_equal(make_errno(inner), 0);
  assert_int_equal(stat(inner, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0700);
  assert_int_equal(chmod(inner, 0755), 0);
  assert_int_equal(make_errno(inner), 0); /* made private again */
  assert_int_equal(stat(inner, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0700);
  assert_true(g_file_set_contents(file, "x", 1, NULL));
  assert_int_not_equal(make_errno(file), 0);
  assert_int_equal(symlink(inner, link), 0);
  assert_int_equal(make_errno(link), ENOTDIR); /* not where somebody's link points */
  if (geteuid() == 0) {
    assert_int_equal(chown(inner, 65534, 65534), 0);
    assert_int_equal(make_errno(inner), EACCES);
  }
  assert_int_equal(rmdir(inner), 0);
}

static void test_unnamed(void **state)
{
  (void)state;
  struct stat st;
  int fd = file_open_unnamed(dir, NULL);
  assert_true(fd >= 0);
  assert_int_equal(fstat(fd, &st), 0);
  assert_int_equal(st.st_mode & 07777, 0600);
  assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  assert_int_equal(entries(), 0);
  close(fd);
  g_autofree char *absent = g_build_filename(dir, "absent", NULL);
  g_autoptr(GError) error = NULL;
  assert_int_equal(file_open_unnamed(absent, &error), -1);
  assert_int_equal(error_errno(error), ENOENT);
}

static void publish(const char *path, const char *text, gboolean durable)
{
  g_autoptr(GError) error = NULL;
  int fd = file_open_unnamed(dir, &error);
  assert_true(file_pwrite_all(fd, text, strlen(text), 0, &error));
  assert_true(file_publish(fd, path, durable, &error));
  close(fd);
}

static void test_publish(void **state)
{
  (void)state;
  g_autofree char *path = g_build_filename(dir, "body", NULL);
  g_autofree char *stale = g_strconcat(path, ".new", NULL);
  g_autofree char *text = NULL, *after = NULL;
  publish(path, "first", FALSE);
  assert_true(g_file_set_contents(stale, "left by a crash", -1, NULL));
  int old = open(path, O_RDONLY | O_CLOEXEC);
  publish(path, "second", TRUE);
  assert_true(g_file_get_contents(path, &text, NULL, NULL));
  assert_string_equal(text, "second");
  assert_int_equal(entries(), 1); /* no step is left behind */
  char kept[8] = "";
  assert_int_equal(file_pread_all(old, kept, sizeof kept, 0, NULL), 5);
  assert_string_equal(kept, "first"); /* who has it open keeps what he opened */
  close(old);

  g_autofree char *nowhere = g_build_filename(dir, "absent", "body", NULL);
  g_autoptr(GError) error = NULL;
  int fd = file_open_unnamed(dir, NULL);
  assert_false(file_publish(fd, nowhere, FALSE, &error));
  assert_int_equal(error_errno(error), ENOENT);
  close(fd);
}

static void test_copy(void **state)
{
  (void)state;
  const gsize size = 3 * 1024 * 1024 + 5;
  g_autofree guint8 *bytes = g_malloc(size), *back = g_malloc(size + 1);
  for (gsize i = 0; i < size; i++)
    bytes[i] = (guint8)(i * 31 >> 7);
  int in = file_open_unnamed(dir, NULL), out = file_open_unnamed(dir, NULL);
  g_autoptr(GError) error = NULL;
  assert_true(file_pwrite_all(in, bytes, size, 0, &error));
  assert_true(file_copy(in, out, (goffset)size, &error));
  assert_int_equal(file_pread_all(out, back, size + 1, 0, &error), size);
  assert_memory_equal(back, bytes, size);
  assert_int_equal(file_pread_all(out, back, 10, (goffset)size - 4, &error), 4);
  assert_int_equal(file_pread_all(out, back, 10, (goffset)size + 4, &error), 0);
  assert_false(file_copy(in, out, (goffset)size + 1, &error)); /* shorter than promised */
  assert_int_equal(error_errno(error), EIO);
  close(in);
  close(out);
}

static void test_bad_fd(void **state)
{
  (void)state;
  g_autoptr(GError) write_error = NULL, read_error = NULL;
  char byte = 0;
  assert_false(file_pwrite_all(-1, &byte, 1, 0, &write_error));
  assert_int_equal(error_errno(write_error), EBADF);
  assert_int_equal(file_pread_all(-1, &byte, 1, 0, &read_error), -1);
  assert_int_equal(error_scope(read_error), SCOPE_LOCAL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_private_dir, setup, teardown),
      cmocka_unit_test_setup_teardown(test_unnamed, setup, teardown),
      cmocka_unit_test_setup_teardown(test_publish, setup, teardown),
      cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
      cmocka_unit_test(test_bad_fd),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
