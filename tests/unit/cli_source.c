/* SPDX-License-Identifier: Apache-2.0 */
/* The source word: one form for each store, nothing of a password in a refusal. */
#include "cli/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void sources_come_to_one_form(void **state)
{
  static const struct {
    const char *text, *origin, *path;
  } cases[] = {
      {"http://127.0.0.1:8025/exchange/alice/", "http://127.0.0.1:8025", "/exchange/alice/"},
      {"HTTPS://Mail.Example.ORG:443/exchange/alice", "https://mail.example.org",
       "/exchange/alice/"},
      {"http://h:80", "http://h", "/"},
      {"http://h/./a//b/", "http://h", "/a/b/"},
      {"http://h/%41%2fb%20c/", "http://h", "/A%2Fb%20c/"},
      {"http://h/a b/\xc3\xa4", "http://h", "/a%20b/%C3%A4/"},
      {"http://h/a+b@c(1)&2/", "http://h", "/a+b@c(1)&2/"},
      {"http://[::1]:8025/x", "http://[::1]:8025", "/x/"},
      {"http://h/100%25/%3F%23/", "http://h", "/100%25/%3F%23/"},
  };
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_auto(Source) source = {0};
    GError *error = NULL;
    if (!source_parse(cases[i].text, &source, &error))
      fail_msg("%s: %s", cases[i].text, error->message);
    assert_string_equal(source.origin, cases[i].origin);
    assert_string_equal(source.path, cases[i].path);
  }
}

static void others_are_refused(void **state)
{
  static const struct {
    const char *text, *says;
  } cases[] = {
      {"alice@example.org", "is no URL"},
      {"mail.example.org:/exchange", "is no URL"},
      {"", "is no URL"},
      {"ftp://h/", "https:// or http://"},
      {"http:///a/", "names no server"},
      {"http://h:99999/", "names no server"},
      {"http://alice:sEcret@h/", "user="},
      {"http://h/a?sEcret=1", "'?'"},
      {"http://h/a#sEcret", "'#'"},
      {"http://h/a/../b/", "'..'"},
      {"http://h/a/%2e%2E/b/", "'..'"},
      {"http://h/a%zz/", "percent"},
      {"http://h/a%00/", "percent"},
      {"http://h/a\nb/", "control"},
  };
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_auto(Source) source = {0};
    GError *error = NULL;
    if (source_parse(cases[i].text, &source, &error))
      fail_msg("%s is taken", cases[i].text);
    if (!strstr(error->message, cases[i].says) || strstr(error->message, "sEcret"))
      fail_msg("%s: %s", cases[i].text, error->message);
    assert_null(source.origin);
    assert_null(source.path);
    g_error_free(error);
  }
}

static void identity_tells_users_apart(void **state)
{
  (void)state;
  g_auto(Source) source = {0};
  assert_true(source_parse("http://h/a", &source, NULL));
  g_autofree char *alice = source_identity(&source, "alice");
  g_autofree char *nobody = source_identity(&source, NULL);
  assert_string_equal(alice, "alice http://h/a/");
  assert_string_not_equal(alice, nobody);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sources_come_to_one_form),
      cmocka_unit_test(others_are_refused),
      cmocka_unit_test(identity_tells_users_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
