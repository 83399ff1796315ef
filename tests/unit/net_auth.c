/* SPDX-License-Identifier: Apache-2.0 */
/* Which scheme is taken, what is said when none is, and what a cookie is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/rule.h"
#include "net/auth.h"
#include "net/cookies.h"
#include "net/response.h"

#include <errno.h>
#include <string.h>

#define BASIC HTTP_AUTH_BASIC
#define NTLM HTTP_AUTH_NTLM
#define FORMS HTTP_AUTH_FORMS
#define NEGOTIATE HTTP_AUTH_NEGOTIATE
#define BEARER HTTP_AUTH_BEARER

static HttpResponse *response_with(const char *name, const char *const *values)
{
  HttpResponse *response = response_new();
  response_add_line(response, "HTTP/1.1 401 No\r\n", 17);
  for (; *values; values++) {
    g_autofree char *line = g_strdup_printf("%s: %s\r\n", name, *values);
    response_add_line(response, line, strlen(line));
  }
  return response;
}

static void test_offered(void **state)
{
  (void)state;
  static const struct {
    const char *values[4];
    guint offered;
  } rows[] = {
      {{NULL}, 0},
      {{"Negotiate", "NTLM", "Basic realm=\"mail\""}, NEGOTIATE | NTLM | BASIC},
      {{"basic realm=\"a, NTLM\", negotiate"}, BASIC | NEGOTIATE},
      {{"Negotiate YIIabc=="}, NEGOTIATE},
      {{"NTLM TlRMTVNTUAAC="}, NTLM},
      {{"Bearer realm=\"x\", authorization_uri=\"https://y\""}, BEARER},
      {{"Digest realm=\"a\", qop=\"auth\", nonce=\"Basic\""}, 0},
      {{"BasicX realm=\"a\"", "XNTLM"}, 0},
      {{""}, 0},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(HttpResponse) response = response_with("WWW-Authenticate", rows[i].values);
    if (auth_offered(response) != rows[i].offered)
      fail_msg("row %zu: %u", i, auth_offered(response));
  }
}

static void test_choice(void **state)
{
  (void)state;
  static const struct {
    guint offered, allowed;
    AuthMeans means;
    guint chosen;
    const char *said; /* when nothing is chosen */
  } rows[] = {
      {NEGOTIATE | NTLM | BASIC,
       HTTP_AUTH_ALL,
       {.ticket = TRUE, .password = TRUE},
       NEGOTIATE,
       NULL},
      {NEGOTIATE | NTLM | BASIC, HTTP_AUTH_ALL, {.password = TRUE}, NTLM, NULL},
      {FORMS | NTLM | BASIC, HTTP_AUTH_ALL, {.password = TRUE}, FORMS, NULL},
      {BASIC, HTTP_AUTH_ALL, {.password = TRUE}, BASIC, NULL},
      {BEARER | BASIC, HTTP_AUTH_ALL, {.password = TRUE, .token = TRUE}, BEARER, NULL},
      {NEGOTIATE | NTLM, BASIC, {.password = TRUE, .ticket = TRUE}, 0, "only Basic was allowed"},
      {NTLM | BASIC, HTTP_AUTH_ALL, {.password = TRUE, .readable = TRUE}, NTLM, NULL},
      {BASIC, HTTP_AUTH_ALL, {.password = TRUE, .readable = TRUE}, 0, "insecure_basic"},
      {BEARER, HTTP_AUTH_ALL, {.token = TRUE, .readable = TRUE}, 0, "token"},
      {NEGOTIATE, HTTP_AUTH_ALL, {.password = TRUE}, 0, "kinit"},
      {NEGOTIATE | BASIC, HTTP_AUTH_ALL, {0}, 0, "kinit, or give user="},
      {NEGOTIATE, HTTP_AUTH_ALL, {.no_ticket = "it expired: run kinit"}, 0, "it expired"},
      {BASIC, HTTP_AUTH_ALL, {0}, 0, "give user="},
      {BASIC, HTTP_AUTH_ALL, {.user = "alice"}, 0, "no password was given for alice"},
      {BEARER, HTTP_AUTH_ALL, {0}, 0, "token_cmd="},
      {0, HTTP_AUTH_ALL, {.password = TRUE}, 0, "nothing that is known"},
      {BASIC, 0, {.password = TRUE}, 0, "sec=none"},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    guint chosen = auth_choose(rows[i].offered, rows[i].allowed, &rows[i].means);
    if (chosen != rows[i].chosen)
      fail_msg("row %zu: %u", i, chosen);
    g_autoptr(GError) error =
        auth_refusal("http://h", rows[i].offered, rows[i].allowed, &rows[i].means);
    assert_int_equal(error_errno(error), EACCES);
    assert_int_equal(error_scope(error), SCOPE_SIGN_IN);
    if (rows[i].said && !strstr(error->message, rows[i].said))
      fail_msg("row %zu: %s", i, error->message);
  }
}

static void learn(Cookies *cookies, gboolean safe, const char *one, const char *two)
{
  const char *values[] = {one, two, NULL};
  g_autoptr(HttpResponse) response = response_with("Set-Cookie", values);
  cookies_learn(cookies, response, safe);
}

static void assert_line(const Cookies *cookies, const char *expected)
{
  g_autofree char *line = cookies_line(cookies);
  if (expected)
    assert_string_equal(line, expected);
  else
    assert_null(line);
}

static void test_cookies(void **state)
{
  (void)state;
  g_autoptr(Cookies) cookies = cookies_new();
  assert_line(cookies, NULL);
  learn(cookies, TRUE, "sessionid=1f0c,0x409; path=/",
        "cadata=\"2,q83=\"; HttpOnly; secure; path=/");
  assert_line(cookies, "Cookie: sessionid=1f0c,0x409; cadata=\"2,q83=\"");
  learn(cookies, TRUE, "cadata=\"3\"; path=/", NULL); /* renewed */
  assert_line(cookies, "Cookie: sessionid=1f0c,0x409; cadata=\"3\"");
  learn(cookies, FALSE, "secret=1; Secure", "open=2");
  assert_line(cookies, "Cookie: sessionid=1f0c,0x409; cadata=\"3\"; open=2");
  learn(cookies, TRUE, "sessionid=; path=/; expires=Thu, 01-Jan-1970 00:00:00 GMT",
        "open=; Max-Age=0");
  assert_line(cookies, "Cookie: cadata=\"3\"");
  learn(cookies, TRUE, "noequals", "=noname");
  learn(cookies, TRUE, "later=1; expires=Fri, 31-Dec-2099 00:00:00 GMT", "cadata=; max-age=-1");
  assert_line(cookies, "Cookie: later=1");
}

static void test_cookies_are_bounded(void **state)
{
  (void)state;
  g_autoptr(Cookies) cookies = cookies_new();
  g_autofree char *large = g_strnfill(5000, 'x');
  g_autofree char *too_large = g_strconcat("a=", large, NULL);
  learn(cookies, TRUE, too_large, NULL);
  assert_line(cookies, NULL);
  for (guint i = 0; i < 100; i++) {
    g_autofree char *pair = g_strdup_printf("c%u=1", i);
    learn(cookies, TRUE, pair, NULL);
  }
  g_autofree char *line = cookies_line(cookies);
  assert_non_null(strstr(line, "c31=1"));
  assert_null(strstr(line, "c32=1"));
}

int main(void)
{
  const char *broken = g_getenv("XFS_BREAK");
  if (broken)
    rule_break(broken);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_offered),
      cmocka_unit_test(test_choice),
      cmocka_unit_test(test_cookies),
      cmocka_unit_test(test_cookies_are_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
