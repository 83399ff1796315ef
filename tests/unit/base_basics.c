/* SPDX-License-Identifier: Apache-2.0 */
/* Errors with their details, rules that can be switched off, secrets and where they come from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/rule.h"
#include "base/secret.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_error(void **state)
{
  (void)state;
  g_autoptr(GError) error = error_new(EBUSY, SCOPE_FOLDER, "%s is locked: wait", "Inbox");
  assert_string_equal(error->message, "Inbox is locked: wait");
  assert_int_equal(error_errno(error), EBUSY);
  assert_int_equal(error_scope(error), SCOPE_FOLDER);
  assert_int_equal(error_retry_after_ms(error), -1);
  assert_false(error_maybe_applied(error));
  error_set_retry_after_ms(error, 1500);
  error_set_maybe_applied(error, TRUE);

  g_autoptr(GError) copy = g_error_copy(error); /* the details travel with it */
  assert_int_equal(error_scope(copy), SCOPE_FOLDER);
  assert_int_equal(error_retry_after_ms(copy), 1500);
  assert_true(error_maybe_applied(copy));
}

static void test_foreign_error(void **state)
{
  (void)state;
  g_autoptr(GError) foreign = g_error_new_literal(G_FILE_ERROR, G_FILE_ERROR_NOENT, "not ours");
  error_set_maybe_applied(foreign, TRUE);
  error_set_retry_after_ms(foreign, 1);
  assert_int_equal(error_errno(foreign), EIO);
  assert_int_equal(error_scope(foreign), SCOPE_LOCAL);
  assert_int_equal(error_retry_after_ms(foreign), -1);
  assert_false(error_maybe_applied(foreign));
  assert_int_equal(error_errno(NULL), 0);
  assert_false(error_maybe_applied(NULL));

  g_autoptr(GError) error = NULL;
  assert_false(error_set(NULL, EIO, SCOPE_ITEM, "nobody asks"));
  assert_false(error_set(&error, ENOSPC, SCOPE_LOCAL, "full"));
  assert_int_equal(error_errno(error), ENOSPC);
}

static void test_rule(void **state)
{
  (void)state;
  assert_true(rule_holds("a"));
  if (!rule_break("a:b-c"))
    return; /* a build without the switches */
  assert_false(RULE("a"));
  assert_false(RULE("b-c"));
  assert_true(RULE("b"));
  assert_true(rule_break(""));
  assert_true(RULE("a"));
}

static void test_secret(void **state)
{
  (void)state;
  char text[] = "pass word";
  g_autoptr(Secret) secret = secret_new(text, 4);
  secret_wipe(text, sizeof text);
  for (gsize i = 0; i < sizeof text; i++)
    assert_int_equal(text[i], 0);
  assert_string_equal(secret_peek(secret), "pass");
  secret_free(NULL);

  g_autofree char *endless = g_strnfill(SECRET_WHOLE_MAX + 10, 'x');
  g_autoptr(Secret) cut = secret_new(endless, SECRET_WHOLE_MAX + 10);
  assert_int_equal(strlen(secret_peek(cut)), SECRET_WHOLE_MAX);
  secret_append(cut, "y", 1);
  g_autoptr(Secret) copy = secret_ref(cut);
  assert_int_equal(strlen(secret_peek(copy)), SECRET_WHOLE_MAX);
  assert_null(strchr(secret_peek(copy), 'y'));
}

/* Growing moves the bytes from page to page. */
static void test_secret_grows(void **state)
{
  (void)state;
  g_autoptr(Secret) secret = secret_new("", 0);
  g_autoptr(GString) same = g_string_new(NULL);
  for (guint i = 0; i < 9000; i++) {
    char c = (char)('a' + i % 26);
    secret_append(secret, &c, 1);
    g_string_append_c(same, c);
  }
  assert_string_equal(secret_peek(secret), same->str);
}

/* A line of LEN bytes through secret_take() and secret_first_line(): what is left, -1 refused. */
static gssize line_of(gsize len)
{
  g_autofree char *path = g_strdup("/tmp/exchangefs-XXXXXX");
  int fd = mkstemp(path);
  unlink(path);
  g_autofree char *text = g_strnfill(len, 'x');
  assert_int_equal(write(fd, text, len), len);
  assert_int_equal(write(fd, "\nmore", 5), 5);
  lseek(fd, 0, SEEK_SET);

  g_autoptr(GError) error = NULL;
  g_autoptr(Secret) secret = secret_read_fd(fd, &error);
  lseek(fd, 0, SEEK_SET);
  g_autoptr(Secret) taken = secret_new("", 0);
  gssize got;
  while ((got = secret_take(taken, fd)) > 0)
    ;
  assert_int_equal(got, len + 5 < SECRET_WHOLE_MAX ? 0 : -1);
  assert_true(got == 0 || errno == EFBIG);
  close(fd);
  assert_int_equal(secret_first_line(taken, "token", NULL), secret != NULL);
  if (!secret)
    return -1;
  assert_string_equal(secret_peek(secret), secret_peek(taken));
  return (gssize)strlen(secret_peek(secret));
}

/* A bearer token is longer than a page; a disk image is no password. */
static void test_secret_lengths(void **state)
{
  (void)state;
  static const gsize lengths[] = {1, 4094, 4095, 4096, 4097, 8191, 8192, SECRET_LINE_MAX};
  for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++)
    assert_int_equal(line_of(lengths[i]), lengths[i]);
  assert_int_equal(line_of(SECRET_LINE_MAX + 1), -1);
  assert_int_equal(line_of(SECRET_WHOLE_MAX + 1), -1);
  assert_int_equal(line_of(10 * 1024 * 1024), -1);

  g_autoptr(Secret) binary = secret_new("a\0b", 3);
  g_autoptr(GError) error = NULL;
  assert_false(secret_first_line(binary, "token", &error));
  assert_int_equal(error_errno(error), EINVAL);
}

/* What reading TEXT through a pipe makes of it; NULL when it is refused. */
static char *through_pipe(const char *text)
{
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
  close(ends[1]);
  g_autoptr(GError) error = NULL;
  g_autoptr(Secret) secret = secret_read_fd(ends[0], &error);
  close(ends[0]);
  assert_true((secret == NULL) == (error != NULL));
  return secret ? g_strdup(secret_peek(secret)) : NULL;
}

static void test_secret_fd(void **state)
{
  (void)state;
  static const struct {
    const char *text, *secret;
  } rows[] = {
      {"open", "open"},     {"open\n", "open"}, {"open\r\n", "open"}, {"open\nsesame\n", "open"},
      {" open ", " open "}, {"", NULL},         {"\n", NULL},         {"\r\nx", NULL},
      {"a\rb\n", "a\rb"},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *secret = through_pipe(rows[i].text);
    assert_int_equal(g_strcmp0(secret, rows[i].secret), 0);
  }
}

static int read_errno(const char *path)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Secret) secret = secret_read_file(path, &error);
  if (secret)
    assert_string_equal(secret_peek(secret), "open");
  else
    assert_non_null(strstr(error->message, path));
  return error_errno(error);
}

static void test_secret_file(void **state)
{
  (void)state;
  g_autofree char *dir = g_dir_make_tmp("exchangefs-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(dir, "password", NULL);
  assert_int_equal(read_errno(path), ENOENT);
  assert_true(g_file_set_contents(path, "open\n", -1, NULL));
  static const struct {
    mode_t mode;
    int errnum;
  } rows[] = {{0600, 0}, {0400, 0}, {0640, EACCES}, {0604, EACCES}, {0620, EACCES}, {0700, 0}};
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    assert_int_equal(chmod(path, rows[i].mode), 0);
    assert_int_equal(read_errno(path), rows[i].errnum);
  }
  if (geteuid() == 0) { /* only root can make a file somebody else's */
    assert_int_equal(chown(path, 65534, 65534), 0);
    assert_int_equal(read_errno(path), EACCES);
  }
  assert_int_equal(read_errno(dir), EACCES); /* a directory, even a private one */
  unlink(path);
  rmdir(dir);
}

static void test_secret_whole(void **state)
{
  (void)state;
  g_autofree char *path = g_strdup("/tmp/exchangefs-XXXXXX");
  close(mkstemp(path)); /* 0600 */
  g_autofree char *large = g_strnfill(SECRET_WHOLE_MAX + 1, 'x');
  static const struct {
    gssize len;
    int errnum;
  } rows[] = {{0, 0}, {4096, 0}, {SECRET_WHOLE_MAX - 1, 0}, {SECRET_WHOLE_MAX + 1, EINVAL}};
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    FILE *file = fopen(path, "w"); /* g_file_set_contents() makes a file of another mode */
    assert_int_equal(fwrite(large, 1, (gsize)rows[i].len, file), rows[i].len);
    assert_int_equal(fclose(file), 0);
    g_autoptr(Secret) secret = secret_read_whole(path, "netrc file", &error);
    assert_int_equal(error_errno(error), rows[i].errnum);
    if (secret)
      assert_int_equal(strlen(secret_peek(secret)), rows[i].len);
  }
  chmod(path, 0644);
  assert_null(secret_read_whole(path, "netrc file", NULL));
  unlink(path);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_error),        cmocka_unit_test(test_foreign_error),
      cmocka_unit_test(test_rule),         cmocka_unit_test(test_secret),
      cmocka_unit_test(test_secret_grows), cmocka_unit_test(test_secret_lengths),
      cmocka_unit_test(test_secret_fd),    cmocka_unit_test(test_secret_file),
      cmocka_unit_test(test_secret_whole),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
