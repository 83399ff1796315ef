/* SPDX-License-Identifier: Apache-2.0 */
/* Where a password comes from: netrc, credentials files, options that contradict each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/rule.h"
#include "cli/credentials.h"
#include "cli/credfile.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

/* "user:password" that TEXT has for HOST and USER, "-" for no user name, NULL for no entry. */
static char *netrc(const char *text, const char *host, const char *user)
{
  g_autofree char *found = NULL;
  g_autoptr(Secret) password = NULL;
  if (!credfile_netrc(text, host, user, &found, &password))
    return NULL;
  return g_strdup_printf("%s:%s", found ? found : "-", secret_peek(password));
}

static void test_netrc(void **state)
{
  (void)state;
  static const struct {
    const char *text, *host, *user, *expected;
  } rows[] = {
      {"machine a login u password p", "a", NULL, "u:p"},
      {"machine a\n\tlogin u\n\tpassword p\n", "A", "u", "u:p"},
      {"machine A password p login u", "a", "u", "u:p"},
      {"machine a login u password p", "b", NULL, NULL},
      {"machine a login u password p", "a", "v", NULL},
      {"machine a login u", "a", NULL, NULL},
      {"", "a", NULL, NULL},
      {"machine", "a", NULL, NULL},
      {"machine a login", "a", NULL, NULL},
      {"machine a login u password", "a", NULL, NULL},
      /* the right one of several */
      {"machine b login x password y machine a login u password p", "a", NULL, "u:p"},
      {"machine a login x password y\nmachine a login u password p", "a", "u", "u:p"},
      {"machine a login x password y\nmachine a login u password p", "a", NULL, "x:y"},
      {"machine a login x\nmachine a login u password p", "a", NULL, "u:p"},
      {"machine a.b login x password y\nmachine a login u password p", "a", NULL, "u:p"},
      /* anybody's, anywhere */
      {"machine a password p", "a", "u", "-:p"},
      {"machine a password p", "a", NULL, "-:p"},
      {"machine b login x password y default login u password p", "a", NULL, "u:p"},
      {"default login u password p", "a", "v", NULL},
      {"machine a login u password p default login x password y", "a", NULL, "u:p"},
      /* quoted */
      {"machine \"a\" login \"u v\" password \"p q\"", "a", NULL, "u v:p q"},
      {"machine a login u password \"p\\\"q\\\\r\"", "a", NULL, "u:p\"q\\r"},
      {"machine a login u password \"\"", "a", NULL, "u:"},
      {"machine a login u password \"open", "a", NULL, "u:open"},
      {"machine a login u password \"open\\", "a", NULL, "u:open\\"},
      {"machine a login D\\u password p\\q", "a", NULL, "D\\u:p\\q"},
      {"machine a login \"password\" password \"machine\"", "a", NULL, "password:machine"},
      {"machine a login u password #p", "a", NULL, "u:#p"},
      /* what else ftp(1) has there */
      {"machine a login u account password password p", "a", NULL, "u:p"},
      {"machine b\nmacdef init\nmachine a login x password y\n\nmachine a login u password p", "a",
       NULL, "u:p"},
      {"machine b macdef init machine a login x password y", "a", NULL, NULL},
      {"# machine a login x password y\nmachine a login u password p", "a", NULL, "u:p"},
      {"machine a # mine\n login u password p", "a", NULL, "u:p"},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *found = netrc(rows[i].text, rows[i].host, rows[i].user);
    if (g_strcmp0(found, rows[i].expected) != 0)
      fail_msg("%s: %s, not %s", rows[i].text, found, rows[i].expected);
  }
}

static void test_lines(void **state)
{
  (void)state;
  static const struct {
    const char *text, *user, *password;
  } rows[] = {
      {"user=u\npassword=p\n", "u", "p"},
      {"username=u\r\npassword=p\r\n", "u", "p"},
      {"  user=u\n\tPassword= p, q=r \n", "u", " p, q=r "},
      {"user=u\npassword=p\ndomain=D", "D\\u", "p"},
      {"domain=D\nuser=E\\u\npassword=p", "E\\u", "p"},
      {"domain=D\nuser=u@e\npassword=p", "u@e", "p"},
      {"domain=\nuser=u\npassword=p", "u", "p"},
      {"#user=x\n\nuser=u\nother=y\nnothing\n=\npassword=p", "u", "p"},
      {"password=p", NULL, "p"},
      {"user=u\npassword=", "u", ""},
      {"user=u", "u", NULL},
      {"", NULL, NULL},
      {"users=u\npasswords=p\n", NULL, NULL},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *user = NULL;
    g_autoptr(Secret) password = NULL;
    credfile_lines(rows[i].text, &user, &password);
    if (g_strcmp0(user, rows[i].user) != 0 ||
        g_strcmp0(password ? secret_peek(password) : NULL, rows[i].password) != 0)
      fail_msg("%s: %s, %s", rows[i].text, user, password ? secret_peek(password) : "none");
  }
}

static void test_check(void **state)
{
  (void)state;
  char word[] = "x";
  const Options good[] = {{.user = word},
                          {0},
                          {.user = word, .passwd_file = word},
                          {.user = word, .passwd_cmd = word},
                          {.netrc = word},
                          {.credentials = word},
                          {.token_cmd = word},
                          {.user = word, .passwd_cmd = word, .token_cmd = word}};
  const Options bad[] = {{.passwd_file = word},
                         {.passwd_cmd = word},
                         {.user = word, .passwd_file = word, .passwd_cmd = word},
                         {.user = word, .passwd_cmd = word, .netrc = word},
                         {.netrc = word, .credentials = word},
                         {.user = word, .passwd_file = word, .credentials = word}};
  for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
    assert_true(credentials_check(&good[i], NULL));
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    assert_false(credentials_check(&bad[i], &error));
    assert_int_equal(error_errno(error), EINVAL);
  }
}

static char *make_file(const char *text)
{
  char *path = g_strdup("/tmp/exchangefs-XXXXXX");
  int fd = mkstemp(path); /* 0600 */
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  close(fd);
  return path;
}

/* The user and password of OPTIONS at host "mail", or the errno. */
static int ask(const Options *options, char **ret)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Credentials) credentials = credentials_new(options, "mail", &error);
  if (credentials) {
    g_autoptr(Secret) password = credentials_password(credentials, &error);
    if (password)
      *ret = g_strdup_printf("%s:%s", credentials_user(credentials), secret_peek(password));
  }
  if (error)
    assert_non_null(strchr(error->message, ':')); /* cause, then the next step */
  return error_errno(error);
}

static void test_files(void **state)
{
  (void)state;
  static const struct {
    const char *text, *user, *expected;
    int kind; /* which option: file, netrc, lines */
  } rows[] = {
      {"p\n", "u", "u:p", 0},
      {"\n", "u", NULL, 0},
      {"machine mail login u password p", NULL, "u:p", 1},
      {"machine mail password p", "u", "u:p", 1},
      {"machine mail password p", NULL, NULL, 1},
      {"machine other login u password p", NULL, NULL, 1},
      {"user=u\npassword=p", NULL, "u:p", 2},
      {"user=u\npassword=p", "u", "u:p", 2},
      {"user=u\npassword=p", "v", NULL, 2},
      {"password=p", "v", "v:p", 2},
      {"password=p", NULL, NULL, 2},
      {"user=u\npassword=", NULL, NULL, 2},
      {"user=u", NULL, NULL, 2},
      {"", NULL, NULL, 2},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *path = make_file(rows[i].text), *found = NULL;
    Options options = {.user = (char *)(gsize)rows[i].user};
    *(rows[i].kind == 0   ? &options.passwd_file
      : rows[i].kind == 1 ? &options.netrc
                          : &options.credentials) = path;
    int errnum = ask(&options, &found);
    assert_true((errnum == 0) == (rows[i].expected != NULL));
    if (g_strcmp0(found, rows[i].expected) != 0)
      fail_msg("%s: %s, not %s", rows[i].text, found, rows[i].expected);
    g_chmod(path, 0644);
    assert_int_equal(ask(&options, &found), EACCES);
    g_unlink(path);
    assert_int_equal(ask(&options, &found), ENOENT);
  }
}

/* Each call of the command leaves a line in its file. */
static guint calls(const char *path)
{
  g_autofree char *text = NULL;
  assert_true(g_file_get_contents(path, &text, NULL, NULL));
  guint n = 0;
  for (const char *c = text; *c; c++)
    n += *c == '\n';
  return n;
}

static gpointer ask_password(gpointer data)
{
  g_autoptr(Secret) password = credentials_password(data, NULL);
  assert_string_equal(secret_peek(password), "p");
  return NULL;
}

/* A file is read again when its password is asked for again: the server refused the one before. */
static void test_file_anew(void **state)
{
  (void)state;
  char user[] = "u";
  g_autofree char *path = make_file("old\n");
  Options options = {.user = user, .passwd_file = path};
  g_autoptr(Credentials) credentials = credentials_new(&options, "mail", NULL);
  g_autoptr(Secret) first = credentials_password(credentials, NULL);
  assert_true(g_file_set_contents(path, "new\n", -1, NULL));
  g_chmod(path, 0600);
  g_autoptr(Secret) second = credentials_password(credentials, NULL);
  assert_string_equal(secret_peek(first), "old");
  assert_string_equal(secret_peek(second), "new");
  g_unlink(path);
  g_autoptr(GError) error = NULL;
  assert_null(credentials_password(credentials, &error));
  assert_int_equal(error_errno(error), ENOENT);
}

static void test_command(void **state)
{
  (void)state;
  char user[] = "u";
  g_autofree char *count = make_file("");
  g_autofree char *good = g_strdup_printf("echo run >> %s; echo p", count);
  g_autofree char *bad = g_strdup_printf("echo run >> %s; exit 3", count);
  g_autofree char *token = g_strdup_printf("echo run >> %s; wc -l < %s", count, count);
  Options options = {.user = user, .passwd_cmd = good};
  g_autoptr(Credentials) credentials = credentials_new(&options, "mail", NULL);
  assert_true(credentials_can(credentials));
  assert_int_equal(calls(count), 0); /* not before it is wanted */
  GThread *threads[8];
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("ask", ask_password, credentials);
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
    g_thread_join(threads[i]);
  assert_int_equal(calls(count), 8); /* what it says may have changed */

  /* one that fails is not run for each request */
  options.passwd_cmd = bad;
  g_autoptr(Credentials) failing = credentials_new(&options, "mail", NULL);
  for (guint i = 0; i < 3; i++) {
    g_autoptr(GError) error = NULL;
    assert_null(credentials_password(failing, &error));
    assert_int_equal(error_errno(error), EACCES);
    assert_int_equal(error_scope(error), SCOPE_SIGN_IN);
    assert_non_null(strstr(error->message, "code 3"));
  }
  assert_int_equal(calls(count), 9);

  /* a token is fresh each time */
  Options bearer = {.token_cmd = token};
  g_autoptr(Credentials) tokens = credentials_new(&bearer, "mail", NULL);
  g_autoptr(Secret) one = credentials_token(tokens, NULL);
  g_autoptr(Secret) two = credentials_token(tokens, NULL);
  assert_string_equal(secret_peek(one), "10");
  assert_string_equal(secret_peek(two), "11");
  assert_null(credentials_password(tokens, NULL));
  assert_null(credentials_token(credentials, NULL));
  g_unlink(count);
}

int main(void)
{
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_netrc),     cmocka_unit_test(test_lines),
      cmocka_unit_test(test_check),     cmocka_unit_test(test_files),
      cmocka_unit_test(test_file_anew), cmocka_unit_test(test_command),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
