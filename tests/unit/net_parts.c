/* SPDX-License-Identifier: Apache-2.0 */
/* Which addresses and sign-ins a client accepts, and how the head of an answer is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/rule.h"
#include "net/config.h"
#include "net/response.h"

#include <errno.h>
#include <string.h>

static int config_errno(const char *origin, const char *user, gboolean insecure)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Secret) password = secret_new("hunter2", 7);
  HttpOptions options = {.origin = origin,
                         .schemes = user ? HTTP_AUTH_BASIC : 0,
                         .user = user,
                         .password = password,
                         .insecure_basic = insecure};
  g_autoptr(NetConfig) config = config_new(&options, &error);
  assert_true((config == NULL) == (error != NULL));
  if (error)
    assert_null(strstr(error->message, "hunter2"));
  return error_errno(error);
}

static void test_origin(void **state)
{
  (void)state;
  static const struct {
    const char *origin;
    int errnum;
  } rows[] = {
      {"http://127.0.0.1:8025", 0},
      {"https://mail.example.com", 0},
      {"HTTPS://mail.example.com:444", 0},
      {"http://[::1]:8025", 0},
      {"", EINVAL},
      {"mail.example.com", EINVAL},
      {"http://", EINVAL},
      {"ftp://mail.example.com", EINVAL},
      {"file:///etc/passwd", EINVAL},
      {"http://alice@mail.example.com", EINVAL},
      {"http://alice:hunter2@mail.example.com", EINVAL},
      {"http://@mail.example.com", EINVAL},
      {"http://mail.example.com/", EINVAL},
      {"http://mail.example.com/exchange", EINVAL},
      {"http://mail.example.com?x", EINVAL},
      {"http://mail.example.com#x", EINVAL},
      {"http://mail.example.com\\@evil.example", EINVAL},
      {"http://mail.example.com:99999", EINVAL},
      {"http://mail.exa mple.com", EINVAL},
      {"http://mail.example.com\r\nX: y", EINVAL},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    int errnum = config_errno(rows[i].origin, NULL, FALSE);
    if (errnum != rows[i].errnum)
      fail_msg("%s: %d, not %d", rows[i].origin, errnum, rows[i].errnum);
  }
}

static void test_plain_password(void **state)
{
  (void)state;
  static const struct {
    const char *origin;
    int errnum;
  } rows[] = {
      {"http://127.0.0.1:8025", 0},
      {"http://127.255.3.4", 0},
      {"http://127.1", 0},
      {"http://[::1]", 0},
      {"http://localhost:8025", 0},
      {"http://LocalHost", 0},
      {"https://mail.example.com", 0},
      {"HTTPS://mail.example.com", 0},
      {"http://mail.example.com", EACCES},
      {"HTTP://mail.example.com", EACCES},
      {"http://128.0.0.1", EACCES},
      {"http://[::2]", EACCES},
      {"http://127.0.0.1.evil.org", EACCES},
      {"http://localhost.evil.org", EACCES},
      {"http://10.127.0.0", EACCES},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    int errnum = config_errno(rows[i].origin, "alice", FALSE);
    if (errnum != rows[i].errnum)
      fail_msg("%s: %d, not %d", rows[i].origin, errnum, rows[i].errnum);
    assert_int_equal(config_errno(rows[i].origin, "alice", TRUE), 0);
    assert_int_equal(config_errno(rows[i].origin, NULL, FALSE), 0);
  }
}

static HeadState add(HttpResponse *response, const char *line)
{
  return response_add_line(response, line, strlen(line));
}

static void test_head(void **state)
{
  (void)state;
  g_autoptr(HttpResponse) response = response_new();
  assert_int_equal(add(response, "HTTP/1.1 102 Processing\r\n"), HEAD_MORE);
  assert_int_equal(add(response, "X-Early: 1\r\n"), HEAD_MORE);
  assert_int_equal(add(response, "\r\n"), HEAD_MORE);
  assert_int_equal(add(response, "HTTP/1.1 207 Multi-Status\r\n"), HEAD_MORE);
  assert_int_equal(add(response, "ETag:W/\"1\"  \r\n"), HEAD_MORE);
  assert_int_equal(add(response, "etag: \"2\"\r\n"), HEAD_MORE);
  assert_int_equal(add(response, "no colon\r\n"), HEAD_MORE);
  assert_int_equal(add(response, "Empty:\r\n"), HEAD_MORE);
  assert_int_equal(add(response, "Content-Length: 12\n"), HEAD_MORE);
  assert_int_equal(add(response, "\r\n"), HEAD_DONE);
  assert_int_equal(http_response_status(response), 207);
  assert_string_equal(http_response_header(response, "ETag"), "\"2\"");
  assert_string_equal(http_response_header(response, "empty"), "");
  assert_null(http_response_header(response, "X-Early"));
  assert_int_equal(http_response_length(response), 12);
  assert_string_equal(http_response_text(response), "");
}

static void test_length(void **state)
{
  (void)state;
  static const struct {
    const char *line;
    gint64 length;
  } rows[] = {
      {"X: y\r\n", -1},
      {"Content-Length: 0\r\n", 0},
      {"content-length: 9223372036854775807\r\n", G_MAXINT64},
      {"Content-Length: 9223372036854775808\r\n", -1},
      {"Content-Length: -5\r\n", -1},
      {"Content-Length: 5, 5\r\n", -1},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(HttpResponse) response = response_new();
    add(response, "HTTP/1.1 200 OK\r\n");
    add(response, rows[i].line);
    assert_int_equal(http_response_length(response), rows[i].length);
    add(response, "Transfer-Encoding: chunked\r\n");
    assert_int_equal(http_response_length(response), -1);
  }
}

static void test_bounds(void **state)
{
  (void)state;
  g_autoptr(HttpResponse) lines = response_new();
  HeadState last = add(lines, "HTTP/1.1 200 OK\r\n");
  for (guint i = 1; i < HEAD_LINES_MAX; i++)
    assert_int_equal(last = add(lines, "A: b\r\n"), HEAD_MORE);
  assert_int_equal(add(lines, "A: b\r\n"), HEAD_TOO_BIG);

  g_autoptr(HttpResponse) bytes = response_new();
  g_autofree char *line = g_strnfill(HEAD_BYTES_MAX / 2, 'x');
  assert_int_equal(add(bytes, line), HEAD_MORE);
  assert_int_equal(add(bytes, line), HEAD_MORE);
  assert_int_equal(add(bytes, "x"), HEAD_TOO_BIG);

  for (guint i = 0; i < 3; i++)
    response_add_text(bytes, line, RESPONSE_TEXT_MAX / 2 + 1);
  assert_int_equal(strlen(http_response_text(bytes)), RESPONSE_TEXT_MAX);
}

int main(void)
{
  const char *broken = g_getenv("XFS_BREAK");
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_origin), cmocka_unit_test(test_plain_password),
      cmocka_unit_test(test_head),   cmocka_unit_test(test_length),
      cmocka_unit_test(test_bounds),
  };
  if (broken)
    rule_break(broken);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
