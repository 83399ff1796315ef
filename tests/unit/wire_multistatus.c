/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of wire/multistatus: every document is read whole and cut at each byte, with one result. */
#include "base/error.h"
#include "base/rule.h"
#include "wire/multistatus.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const DavName table[] = {{"DAV:", "getetag"},
                                {"DAV:", "resourcetype"},
                                {"urn:schemas:httpmail:", "read"},
                                {"http://schemas.microsoft.com/mapi/id/{AB}/", "0x8101"}};

#define HEAD                                                                                       \
  "<?xml version=\"1.0\"?><a:multistatus xmlns:a=\"DAV:\" xmlns:h=\"urn:schemas:httpmail:\" "      \
  "xmlns:e=\"http://schemas.microsoft.com/mapi/id/{ab}/\">"
#define TAIL "</a:multistatus>"
#define ROW(inner) HEAD "<a:response>" inner "</a:response>" TAIL
#define OK "<a:status>HTTP/1.1 200 OK</a:status>"
#define NOT_FOUND "<a:status>HTTP/1.1 404 Resource Not Found</a:status>"

static gboolean note(const DavResponse *response, gpointer user, GError **error)
{
  (void)error;
  GString *out = user;
  g_string_append_printf(out, "%s:%d:%d", response->href, response->status, response->failed);
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++)
    g_string_append_printf(out, "|%s", response->values[i] ? response->values[i] : "-");
  g_string_append_c(out, ';');
  return TRUE;
}

/* What the reader makes of TEXT fed in two pieces cut at CUT; NULL when it refuses. */
static char *read_cut(const char *text, gsize len, gsize cut)
{
  GString *out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  g_autoptr(Multistatus) reader = multistatus_new(table, G_N_ELEMENTS(table), note, out);
  gboolean good = multistatus_feed(reader, text, cut, &error) &&
                  multistatus_feed(reader, text + cut, len - cut, &error) &&
                  multistatus_finish(reader, &error);
  assert_true(good == (error == NULL));
  if (error)
    assert_int_equal(error_errno(error), EIO);
  return g_string_free(out, !good);
}

static void check(const char *text, const char *expected)
{
  gsize len = strlen(text);
  for (gsize cut = 0; cut <= len; cut++) {
    g_autofree char *got = read_cut(text, len, cut);
    if (g_strcmp0(got, expected) != 0)
      fail_msg("%s\ncut at %zu gave %s\nexpected %s", text, cut, got, expected);
  }
}

static void test_shapes(void **state)
{
  (void)state;
  static const struct {
    const char *text, *expected;
  } rows[] = {
      {HEAD TAIL, ""},
      {ROW("<a:href>/x</a:href><a:propstat>" OK "<a:prop><a:getetag>\"t\"</a:getetag></a:prop>"
           "</a:propstat>"),
       "/x:0:0|\"t\"|-|-|-;"},
      {ROW("<a:href>/x</a:href><a:propstat><a:prop><h:read>1</h:read></a:prop>" OK "</a:propstat>"
           "<a:propstat><a:prop><a:getetag/></a:prop>" NOT_FOUND "</a:propstat>"),
       "/x:0:404|-|-|1|-;"},
      {ROW("<a:href>/x</a:href><a:propstat><a:prop><h:read>1</h:read></a:prop></a:propstat>"),
       "/x:0:0|-|-|1|-;"},
      {ROW("<a:href>/x</a:href>" NOT_FOUND), "/x:404:0|-|-|-|-;"},
      {ROW("<a:href>/x</a:href><h:read>0</h:read>"), "/x:0:0|-|-|0|-;"},
      {ROW("<a:href>/x</a:href><a:propstat><a:prop><a:resourcetype> <a:collection/>\n<h:z/>"
           "</a:resourcetype></a:prop></a:propstat>"),
       "/x:0:0|-|collection z|-|-;"},
      {ROW("<a:href>/x</a:href><a:propstat><a:prop><e:0x8101>7</e:0x8101><e:32898 h:q='<'/>"
           "</a:prop></a:propstat>"),
       NULL}, /* '<' in an attribute is no XML */
      {ROW("<a:href>/x</a:href><a:propstat><a:prop><e:0x8101>7</e:0x8101><e:32898 h:q='>1:2'/>"
           "<5/></a:prop></a:propstat>"),
       "/x:0:0|-|-|-|7;"},
      {ROW("<a:href>/x\001\037y</a:href><!-- <1:2> --><![CDATA[<3]]>"), "/xy:0:0|-|-|-|-;"},
      {ROW("<a:href>/x</a:href><h:read>a&#1;&#x1F;&#x41;&amp;&lt;b</h:read>"),
       "/x:0:0|-|-|aA&<b|-;"},
      {ROW("<a:href>/x</a:href><h:read>a\002&amp;&#10;&#0;b</h:read>"), "/x:0:0|-|-|a&\nb|-;"},
      {ROW("<a:href>/\xC3\xA9</a:href>"), "/\xC3\xA9:0:0|-|-|-|-;"},
      {HEAD "<a:response><a:href>/1</a:href></a:response><a:response><a:href>/2</a:href>"
            "</a:response>" TAIL "\n",
       "/1:0:0|-|-|-|-;/2:0:0|-|-|-|-;"},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
    check(rows[i].text, rows[i].expected);
}

static void test_refused(void **state)
{
  (void)state;
  static const char *const rows[] = {
      "",
      "<html><body>Log on</body></html>",
      "not XML at all",
      HEAD "<a:response><a:href>/x</a:href></a:response>", /* root not closed */
      HEAD "<a:response><a:href>/x</a:hr",
      HEAD "<a:response><a:href>/x</a:href></a:wrong>" TAIL,
      ROW("<a:status>HTTP/1.1 200 OK</a:status>"), /* no href */
      ROW("<a:href>/x</a:href><h:read>&boom;</h:read>"),
      "<!DOCTYPE a [<!ENTITY b \"c\">]>" ROW("<a:href>&b;</a:href>"),
      "<!DOCTYPE a><a:multistatus xmlns:a='DAV:'></a:multistatus>",
      "<!DOCTYPE a SYSTEM \"file:///etc/passwd\">" HEAD TAIL,
      ROW("<a:href>/x</a:href>") "trailing",
      ROW("<a:href>/x&</a:href>"),
      ROW("<a:href>/x&a b</a:href>"),
      ROW("<a:href>/x&abcdefghijklmnopq;</a:href>"),
      ROW("<a:href>/x\377</a:href>"),
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
    check(rows[i], NULL);
}

static void test_bounds(void **state)
{
  (void)state;
  g_autoptr(GString) deep = g_string_new(HEAD "<a:response><a:href>/x</a:href>");
  for (int i = 0; i < 100; i++)
    g_string_append(deep, "<a:x>");
  g_autofree char *got = read_cut(deep->str, deep->len, 0);
  assert_null(got);

  g_autoptr(GString) wide = g_string_new(HEAD "<a:response><a:href>/x</a:href><h:read>");
  for (int i = 0; i < 3 * 1024; i++)
    g_string_append_printf(wide, "%01024d", 1);
  g_string_append(wide, "</h:read></a:response>" TAIL);
  got = read_cut(wide->str, wide->len, 0);
  assert_null(got);
}

static void test_stop(void **state)
{
  (void)state;
  static const char cut_in_text[] = ROW("<a:href>/x</a:href><h:read>0</h:read>");
  for (gsize len = 0; len < sizeof(cut_in_text) - 1; len++) {
    g_autofree char *got = read_cut(cut_in_text, len, len / 2);
    assert_null(got); /* cut short anywhere is never taken for whole */
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_shapes),
      cmocka_unit_test(test_refused),
      cmocka_unit_test(test_bounds),
      cmocka_unit_test(test_stop),
  };
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  return cmocka_run_group_tests(tests, NULL, NULL);
}
