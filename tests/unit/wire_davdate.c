/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of wire/davdate and wire/davbody: strict times, escaped bodies. */
#include "base/rule.h"
#include "wire/davbody.h"
#include "wire/davdate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define SECOND G_GINT64_CONSTANT(1000000000)

static void test_parse(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    gint64 ns; /* -1: refused */
  } rows[] = {
      {"2004-03-09T06:36:40.125Z", 1078814200 * SECOND + 125000000},
      {"2004-03-09T06:36:40Z", 1078814200 * SECOND},
      {"2004-03-09T07:36:40+01:00", 1078814200 * SECOND},
      {"2004-03-09T06:36:40.1234567891Z", 1078814200 * SECOND + 123456789},
      {"Tue, 09 Mar 2004 06:36:40 GMT", 1078814200 * SECOND},
      {"2000-02-29T00:00:00Z", 951782400 * SECOND},
      {"1970-01-01T00:00:01Z", SECOND},
      {"1969-12-31T23:59:58Z", -2 * SECOND},
      {"1900-02-29T00:00:00Z", -1},
      {"2004-13-09T06:36:40Z", -1},
      {"2004-03-32T06:36:40Z", -1},
      {"2004-03-09T24:36:40Z", -1},
      {"2004-03-09T06:36:40", -1},
      {"2004-03-09T06:36:40.Z", -1},
      {"2004-03-09T06:36:40Zx", -1},
      {"2004-03-09 06:36:40Z", -1},
      {"4501-01-01T00:00:00Z", -1}, /* Exchange's "none" */
      {"0001-01-01T00:00:00Z", -1},
      {"Tue, 09 Xxx 2004 06:36:40 GMT", -1},
      {"Tue, 09 Mar 2004 06:36:40 UTC", -1},
      {"Tue, 9 Mar 2004 06:36:40 GMT", -1},
      {"", -1},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    gint64 ns = -1;
    gboolean good = davdate_parse(rows[i].text, &ns);
    if (good != (rows[i].ns != -1) || ns != rows[i].ns)
      fail_msg("%s gave %" G_GINT64_FORMAT, rows[i].text, ns);
  }
}

static void test_stamp(void **state)
{
  (void)state;
  static const gint64 times[] = {0, 1, -1, 1078814200123456789, G_MAXINT64, -9000000000000000001};
  for (gsize i = 0; i < G_N_ELEMENTS(times); i++) {
    g_autofree char *text = davdate_stamp(times[i]);
    gint64 back = 42;
    assert_true(davdate_parse_stamp(text, &back));
    assert_true(back == times[i]);
  }
  gint64 untouched = 42;
  static const char *const bad[] = {"", "x", "1.", "1.x", "1x", "99999999999999999999", " 1"};
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++)
    assert_false(davdate_parse_stamp(bad[i], &untouched));
  assert_int_equal(untouched, 42);
}

static void test_bodies(void **state)
{
  (void)state;
  static const DavName table[] = {{"DAV:", "getetag"}, {"urn:x&y:", "z"}};
  static const int both[] = {0, 1, -1};
  g_autofree char *propfind = davbody_propfind(table, both);
  assert_non_null(strstr(propfind, "<getetag xmlns=\"DAV:\"/><z xmlns=\"urn:x&amp;y:\"/>"));
  g_autofree char *text = davbody_sql_text("O'Hara <x>");
  assert_string_equal(text, "'O''Hara <x>'");
  g_autofree char *where = g_strconcat("\"a\" = ", text, NULL);
  g_autofree char *search = davbody_search(table, both, where, "DAV:creationdate");
  assert_non_null(strstr(search, "SHALLOW TRAVERSAL OF"));
  assert_non_null(strstr(search, "&lt;x&gt;"));
  DavSetting setting = {{"urn:x:", "p"}, "a\001<b>\n"};
  g_autofree char *patch = davbody_proppatch(&setting, 1);
  assert_non_null(strstr(patch, "<p xmlns=\"urn:x:\">a&lt;b&gt;\n</p>"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parse),
      cmocka_unit_test(test_stamp),
      cmocka_unit_test(test_bodies),
  };
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  return cmocka_run_group_tests(tests, NULL, NULL);
}
