/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of wire/davurl: the spelling of names, and what an href may lead to. */
#include "base/rule.h"
#include "wire/davurl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void assert_text(char *got, const char *expected)
{
  g_autofree char *owned = got;
  if (!expected)
    assert_null(owned);
  else
    assert_string_equal(owned ? owned : "(null)", expected);
}

static void test_names(void **state)
{
  (void)state;
  static const struct {
    DavSpelling spelling;
    const char *segment, *name;
    gboolean back; /* davurl_segment(name) is segment again */
  } rows[] = {
      {SPELL_PLAIN, "a.eml", "a.eml", TRUE},
      {SPELL_PLAIN, "50%25", "50%", TRUE},
      {SPELL_PLAIN, "a%20b%26c", "a b&c", TRUE},
      {SPELL_PLAIN, "a+b", "a+b", TRUE},
      {SPELL_PLAIN, "x~y", "x~y", TRUE},
      {SPELL_PLAIN, "q%3F%23%5C", "q?#\\", TRUE},
      {SPELL_PLAIN, "%C3%A9%F0%9F%98%80", "\xC3\xA9\xF0\x9F\x98\x80", TRUE},
      {SPELL_PLAIN, "q_x003F_", "q_x003F_", TRUE},
      {SPELL_PLAIN, "a%2Fb", "a/b", FALSE},
      {SPELL_PLAIN, "50%", "50%", FALSE},
      {SPELL_PLAIN, "50%2", "50%2", FALSE},
      {SPELL_PLAIN, "50%zz", "50%zz", FALSE},
      {SPELL_PLAIN, "Sub/", "Sub", FALSE},
      {SPELL_EXCHANGE, "Re:%20Lunch.EML", "Re: Lunch.EML", TRUE},
      {SPELL_EXCHANGE, "q_x003F_", "q?", TRUE},
      {SPELL_EXCHANGE, "x_x007E_y", "x~y", TRUE},
      {SPELL_EXCHANGE, "C:_xF8FE_", "C:\\", TRUE},
      {SPELL_EXCHANGE, "c_xf8fe_", "c\\", FALSE},
      {SPELL_EXCHANGE, "a_xF8FF_b", "a_xF8FF_b", TRUE},
      {SPELL_EXCHANGE, "a_x000D__x000A_b", "a_x000D__x000A_b", TRUE},
      {SPELL_EXCHANGE, "_x003", "_x003", TRUE},
      {SPELL_PLAIN, "", NULL, FALSE},
      {SPELL_PLAIN, "/", NULL, FALSE},
      {SPELL_PLAIN, ".", NULL, FALSE},
      {SPELL_PLAIN, "..", NULL, FALSE},
      {SPELL_PLAIN, "%2e%2E", NULL, FALSE},
      {SPELL_PLAIN, "%2e", NULL, FALSE},
      {SPELL_PLAIN, "a%00b", NULL, FALSE},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    assert_text(davurl_name(rows[i].segment, rows[i].spelling), rows[i].name);
    if (rows[i].back)
      assert_text(davurl_segment(rows[i].name, rows[i].spelling), rows[i].segment);
  }
}

static void test_stored_name(void **state)
{
  (void)state;
  assert_text(davurl_stored_name("50% a&b+c:d;e?~*|#<>\".EML"),
              "50%25 a%26b%2Bc%3Ad%3Be%3F%7E%2A%7C%23%3C%3E%22.EML");
  assert_text(davurl_stored_name("a_xF8FF_b"), "a\xEF\xA3\xBF"
                                               "b");
}

static void test_below(void **state)
{
  (void)state;
  static const struct {
    const char *base, *href;
    gboolean fold;
    const char *rest;
  } rows[] = {
      {"/e/alice/", "/e/alice/a.eml", FALSE, "a.eml"},
      {"/e/alice/", "http://other.invalid:81/e/alice/a.eml", FALSE, "a.eml"},
      {"/e/alice/", "https://h/e/alice/Sub/", FALSE, "Sub/"},
      {"/e/alice/", "/e/alice/", FALSE, ""},
      {"/e/alice/", "/e/alice", FALSE, ""},
      {"/e/alice/", "/e/alice/a/b", FALSE, "a/b"},
      {"/e/alice/", " /e/alice/a.eml\n", FALSE, "a.eml"},
      {"/e/al%69ce/", "/e/alice/%61.eml", FALSE, "%61.eml"},
      {"/e/a%20b/", "/e/a%20b/x y?z#.eml", FALSE, "x%20y%3Fz%23.eml"},
      {"/e/alice/", "/e/alice/a%zz", FALSE, "a%25zz"},
      {"/e/alice/", "/E/Alice/a.eml", TRUE, "a.eml"},
      {"/e/alice/", "/E/Alice/a.eml", FALSE, NULL},
      {"/e/alice/", "/e/bob/a.eml", TRUE, NULL},
      {"/e/alice/", "/e/", TRUE, NULL},
      {"/e/alice/", "/e/alicex/a", TRUE, NULL},
      {"/e/alice/", "/e/alice/../bob/a.eml", TRUE, NULL},
      {"/e/alice/", "/e/alice/%2e%2e", TRUE, NULL},
      {"/e/alice/", "/e/alice/./a", TRUE, NULL},
      {"/e/alice/", "/e/alice//a", TRUE, NULL},
      {"/e/alice/", "/e/alice/a%00b", TRUE, NULL},
      {"/e/alice/", "a.eml", TRUE, NULL},
      {"/e/alice/", "", TRUE, NULL},
      {"/e/alice/", "//evil/e/alice/a", TRUE, NULL},
      {"/e/alice/", "javascript:x", TRUE, NULL},
      {"/", "/a", FALSE, "a"},
      {"/", "/", FALSE, ""},
      {"/e/alice/", "/e/alice/a%2Fb", FALSE, "a%2Fb"},
      {"/e/\xC3\x89/", "/e/%c3%a9/a", TRUE, "a"},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
    assert_text(davurl_below(rows[i].base, rows[i].href, rows[i].fold), rows[i].rest);
}

static void test_path_and_origin(void **state)
{
  (void)state;
  assert_text(davurl_path("https://h:1/a/b%20c/"), "/a/b%20c/");
  assert_text(davurl_path("/a\r\nHost: x"), "/a%0D%0AHost:%20x");
  assert_text(davurl_path("/a/../b"), NULL);
  assert_text(davurl_path("https://h"), NULL);
  assert_text(davurl_origin("https://h:1/a?b"), "https://h:1");
  assert_text(davurl_origin("/a://b"), NULL);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_stored_name),
      cmocka_unit_test(test_below),
      cmocka_unit_test(test_path_and_origin),
  };
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  return cmocka_run_group_tests(tests, NULL, NULL);
}
