/* SPDX-License-Identifier: Apache-2.0 */
/* Tests of wire/logonform and wire/logonurl: logon pages as they are met, and hostile ones. */
#include "base/rule.h"
#include "wire/logonform.h"
#include "wire/logonurl.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define DESTINATION "https://mail.contoso.com/exchange/alice/"

static const char owa2003[] =
    "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.0 Transitional//EN\">"
    "<HTML><HEAD><TITLE>Outlook Web Access</TITLE><META HTTP-EQUIV=\"Content-Type\" "
    "CONTENT=\"text/html; charset=utf-16\"><SCRIPT>function logonForm_onsubmit(){ if (a < b) "
    "document.write('<form action=\"/wrong\"><input type=password name=no>'); }</SCRIPT></HEAD>"
    "<BODY><FORM action=\"owaauth.dll\" method=\"POST\" name=\"logonForm\" autocomplete=\"off\">"
    "<INPUT type=\"hidden\" name=\"destination\" "
    "value=\"https://mail.contoso.com/exchange/?a=1&amp;b=2\">"
    "<INPUT type=\"hidden\" name=\"flags\" value=\"0\"><TABLE><TR><TD>Domain\\user name:</TD><TD>"
    "<INPUT type=\"text\" name=\"username\"></TD></TR><TR><TD><INPUT type=\"password\" "
    "name=\"password\"></TD></TR></TABLE><INPUT type=\"submit\" name=\"SubmitCreds\" "
    "value=\"Log On\"><INPUT type=\"radio\" name=\"trusted\" value=\"0\" checked>Public"
    "<INPUT type=\"radio\" name=\"trusted\" value=\"4\">Private</FORM></BODY></HTML>";

static const char owa2007[] =
    "<html><body><form action=\"/owa/auth/owaauth.dll\" method=post name=logonForm "
    "enctype=\"application/x-www-form-urlencoded\"><input type=hidden name=destination value=''>"
    "<input type=hidden name=flags value=1><input type=hidden name=forcedownlevel value=0>"
    "<table><tr><td><input id=rdoPblc type=radio name=trusted value=0 checked>"
    "<tr><td><input id=rdoPrvt type=radio name=trusted value=4>"
    "<tr><td><input type=checkbox id=chkBsc><input type=checkbox name=light value=1>"
    "<tr><td><input id=username name=username type=text><tr><td><input id=password name=password "
    "type=password><tr><td><input type=submit value='Log On'></table>"
    "<input type=hidden name=isUtf8 value=1></form></body></html>";

static const char isa[] =
    "<html><body><form action=\"/CookieAuth.dll?Logon\" method=\"post\" id=\"logonForm\">"
    "<input type=\"hidden\" name=\"curl\" value=\"Z2Fexchange\"/><input type=\"hidden\" "
    "name=\"flags\" value=\"0\"/><input type=\"hidden\" name=\"forcedownlevel\" value=\"0\"/>"
    "<input type=\"hidden\" name=\"formdir\" value=\"3\"/><input type=\"radio\" name=\"trusted\" "
    "value=\"0\" checked=\"checked\"/><input type=\"radio\" name=\"trusted\" value=\"4\"/>"
    "<input type=\"text\" name=\"domain\" value=\"CONTOSO\"/><input type=\"text\" "
    "name=\"username\"/><input type=\"password\" name=\"password\"/><input type=\"submit\" "
    "name=\"SubmitCreds\" value=\"Log On\"/></form></body></html>";

/* "action|user|password|name=value name=value", or "none". */
static char *read_form(const char *html, gsize len)
{
  g_auto(LogonForm) form = {0};
  if (!logon_form_parse(html, len, DESTINATION, &form)) {
    assert_null(form.action);
    assert_null(form.pairs);
    return g_strdup("none");
  }
  GString *out = g_string_new(NULL);
  g_string_printf(out, "%s|%s|%s|", form.action, form.user_name, form.password_name);
  for (guint i = 0; i < form.pairs->len; i += 2)
    g_string_append_printf(out, "%s%s=%s", i ? " " : "", (char *)form.pairs->pdata[i],
                           (char *)form.pairs->pdata[i + 1]);
  return g_string_free(out, FALSE);
}

static void assert_form(const char *html, const char *expected)
{
  g_autofree char *got = read_form(html, strlen(html));
  assert_string_equal(got, expected);
}

static void test_pages(void **state)
{
  (void)state;
  assert_form(owa2003, "owaauth.dll|username|password|"
                       "destination=https://mail.contoso.com/exchange/?a=1&b=2 flags=4 "
                       "SubmitCreds=Log On trusted=4");
  assert_form(owa2007, "/owa/auth/owaauth.dll|username|password|destination=" DESTINATION
                       " flags=5 forcedownlevel=0 trusted=4 isUtf8=1");
  assert_form(isa, "/CookieAuth.dll?Logon|username|password|curl=Z2Fexchange flags=4 "
                   "forcedownlevel=0 formdir=3 trusted=4 domain=CONTOSO SubmitCreds=Log On");
}

#define PASSWORD "<input type=password name=p>"
#define FIELDS "<input name=u>" PASSWORD

static void test_variants(void **state)
{
  (void)state;
  static const char *const rows[][2] = {
      {"<form>" FIELDS, "|u|p|"},
      {"<form action>" FIELDS "</form>", "|u|p|"},
      {"<form action='  a b '>" FIELDS, "a b|u|p|"},
      {"<form action='?Logon&amp;x'>" FIELDS, "?Logon&x|u|p|"},
      {"<form action=/first><input name=q></form><form action=/second>" FIELDS "</form>",
       "/second|u|p|"},
      {"<form action=/one>" FIELDS "</form><form action=/two>" FIELDS "</form>", "/one|u|p|"},
      {"<table><tr><form action=/a><td><input name=u></td></tr><tr><td>" PASSWORD
       "</td></tr><input type=hidden name=h value=1></form></table>",
       "/a|u|p|h=1"},
      {"<form><input name=otp><input name=UserName>" PASSWORD, "|UserName|p|otp="},
      {"<form><input type=email name=who>" PASSWORD, "|who|p|"},
      {"<form>" FIELDS "<input type=password name=second>", "|u|p|"},
      {"<form>" FIELDS "<input type=checkbox name=trusted value=4><input type=checkbox name=c "
       "checked><input type=radio name=r value=1><input type=radio name=r value=2 checked>",
       "|u|p|trusted=4 c=on r=2"},
      {"<form>" FIELDS "<input type=submit name=a value=1><input type=submit name=b value=2>"
       "<input type=image name=c><input type=button name=d><input type=file name=e>",
       "|u|p|a=1"},
      {"<form>" FIELDS "<input type=hidden name=flags value=x><input type=hidden name='' value=1>"
       "<input type=hidden value=1>",
       "|u|p|flags=x"},
      {"<form>" FIELDS "<input type=hidden name=h value='&eacute;&#65;&lt;&unknown;&#0;'>",
       "|u|p|h=\xC3\xA9"
       "A<&unknown;"},
      {"<!DOCTYPE html [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><form>" FIELDS
       "<input type=hidden name=h value='&x;'>",
       "|u|p|h=&x;"},
      {"", "none"},
      {"no page at all", "none"},
      {"<form><input name=u></form>", "none"},
      {"<form>" PASSWORD "</form>", "none"},
      {FIELDS, "none"},
      {"<!-- <form>" FIELDS "</form> -->", "none"},
      {"<form action=/a" FIELDS, "none"},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
    assert_form(rows[i][0], rows[i][1]);
}

static void test_bytes(void **state)
{
  (void)state;
  static const char nul[] = "<fo\0rm><form action=/a><input na\0me=x>\0" FIELDS;
  g_autofree char *a = read_form(nul, sizeof nul - 1);
  assert_string_equal(a, "/a|u|p|");
  static const char latin[] = "<form>" FIELDS "<input type=hidden name=h value='Gr\xFC\xDF'>";
  g_autofree char *b = read_form(latin, sizeof latin - 1);
  assert_string_equal(b, "|u|p|h=Gr\xC3\xBC\xC3\x9F");
}

static char *repeat(const char *head, const char *piece, guint count, const char *tail)
{
  GString *out = g_string_new(head);
  for (guint i = 0; i < count; i++)
    g_string_append(out, piece);
  g_string_append(out, tail);
  return g_string_free(out, FALSE);
}

/* Each ends quickly, and none is taken for a form that can be sent. */
static void test_bounds(void **state)
{
  (void)state;
  static const struct {
    const char *head, *piece;
    guint count;
    const char *tail;
    gboolean taken;
  } rows[] = {
      {"<form>" FIELDS, "x", 10u << 20, "", TRUE},
      {"<p>", "x", 10u << 20, "<form>" FIELDS, FALSE},
      {"<form>", "<input type=hidden name=a value=b>", 63, FIELDS, TRUE},
      {"<form>", "<input type=hidden name=a value=b>", 65, FIELDS, FALSE},
      {"<form>" FIELDS "<input type=hidden name=a value='", "v", 4000, "'>", TRUE},
      {"<form>" FIELDS "<input type=hidden name=a value='", "v", 4096, "'>", FALSE},
      {"", "<div>", 10000, "<form>" FIELDS, FALSE},
      {"<form>" FIELDS, "<div>", 10000, "", TRUE},
      {"<form>", "<b><i>", 10000, "", FALSE},
      {"", "<form>", 10000, "", FALSE},
      {"", "</form>", 9000, "", FALSE},
      {"", "<table><tr>", 5000, "</table>", FALSE},
      {"<form a='", "<", 60000, "", FALSE},
      {"", "&#x", 20000, "", FALSE},
      {"<form ", "a=b ", 15000, ">" FIELDS, TRUE},
      {"", "<!--", 15000, "", FALSE},
      {"", "<", 64000, "", FALSE},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *html = repeat(rows[i].head, rows[i].piece, rows[i].count, rows[i].tail);
    gint64 begun = g_get_monotonic_time();
    g_autofree char *got = read_form(html, strlen(html));
    if (rows[i].taken != (strcmp(got, "none") != 0))
      fail_msg("row %zu: %.200s", i, got);
    assert_true(g_get_monotonic_time() - begun < 5 * G_USEC_PER_SEC);
  }
}

/* A page that is cut anywhere gives a form or none, and leaks nothing (valgrind, asan). */
static void test_cut(void **state)
{
  (void)state;
  static const char *const pages[] = {owa2003, owa2007, isa};
  for (gsize i = 0; i < G_N_ELEMENTS(pages); i++)
    for (gsize len = 0; len < strlen(pages[i]); len++)
      g_free(read_form(pages[i], len));
}

static void test_addresses(void **state)
{
  (void)state;
  static const struct {
    const char *location;
    gboolean page;
    LogonReason reason;
  } rows[] = {
      {"https://m/exchweb/bin/auth/owalogon.asp?url=https://m/exchange/&reason=0", TRUE,
       LOGON_ASKED},
      {"https://m/exchweb/bin/auth/owalogon.asp?url=https%3A%2F%2Fm%2F&reason=2", TRUE,
       LOGON_REFUSED},
      {"/owa/auth/logon.aspx?replaceCurrent=1&reason=4&url=https%3a%2f%2fm%2fowa%2f", TRUE,
       LOGON_REFUSED},
      {"/owa/auth/logon.aspx?url=/exchange/?reason=2&reason=0", TRUE, LOGON_ASKED},
      {"/OWA/Auth/Logon.aspx?Reason=2#x", TRUE, LOGON_REFUSED},
      {"/CookieAuth.dll?GetLogon?curl=Z2Fexchange&reason=2&formdir=3", TRUE, LOGON_REFUSED},
      {"/CookieAuth.dll?GetLogon?reason=22", TRUE, LOGON_ASKED},
      {"/logon.asp", TRUE, LOGON_ASKED},
      {"owalogon.asp?noreason=2", TRUE, LOGON_ASKED},
      {"https://portal.invalid/login?next=/exchange/", TRUE, LOGON_ASKED},
      {"/exchange/alice/login/", FALSE, LOGON_ASKED},
      {"https://m/exchange/alice/Inbox/logon.asp", FALSE, LOGON_ASKED},
      {"/public/auth/x?url=/owa/auth/logon.aspx", FALSE, LOGON_ASKED},
      {"https://m/exchange/", FALSE, LOGON_ASKED},
      {"https://logon.contoso.com", FALSE, LOGON_ASKED},
      {"https://other/exchange/alice?u=http://x/logon.asp", FALSE, LOGON_ASKED},
      {"", FALSE, LOGON_ASKED},
      {"/mailbox/login/", FALSE, LOGON_ASKED},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    if (logon_is_page(rows[i].location) != rows[i].page ||
        logon_reason(rows[i].location) != rows[i].reason)
      fail_msg("%s", rows[i].location);
  }
}

static void test_resolving(void **state)
{
  (void)state;
  static const char page[] = "https://m.contoso.com/exchweb/bin/auth/owalogon.asp?url=a b&reason=0";
  static const struct {
    const char *reference, *url;
  } rows[] = {
      {"owaauth.dll", "https://m.contoso.com/exchweb/bin/auth/owaauth.dll"},
      {"/owa/auth/owaauth.dll", "https://m.contoso.com/owa/auth/owaauth.dll"},
      {"?x=1#top", "https://m.contoso.com/exchweb/bin/auth/owalogon.asp?x=1"},
      {"", "https://m.contoso.com/exchweb/bin/auth/owalogon.asp?url=a%20b&reason=0"},
      {"../../../../a", "https://m.contoso.com/a"},
      {" /a b\"<>\\\xC3\xA9 ", "https://m.contoso.com/a%20b%22%3C%3E%5C%C3%A9"},
      {"/a%20b?url=https%3A%2F%2Fm", "https://m.contoso.com/a%20b?url=https%3A%2F%2Fm"},
      {"/CookieAuth.dll?GetLogon?curl=Z2F&reason=0",
       "https://m.contoso.com/CookieAuth.dll?GetLogon?curl=Z2F&reason=0"},
      {"/a\r\nSet-Cookie: x=y", "https://m.contoso.com/a%0D%0ASet-Cookie:%20x=y"},
      {"//other.invalid/x", "https://other.invalid/x"},
      {"http://Other.invalid:8080", "http://Other.invalid:8080/"},
      {"https://user:pw@m.contoso.com/", NULL},
      {"javascript:alert(1)", NULL},
      {"file:///etc/passwd", NULL},
      {"https://", NULL},
      {"https:///x", NULL},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *got = logon_resolve(page, rows[i].reference);
    if (g_strcmp0(got, rows[i].url) != 0)
      fail_msg("%s: %s", rows[i].reference, got ? got : "(null)");
  }
  g_autofree char *lengthy = repeat("/", "a", 40000, "");
  assert_null(logon_resolve(page, lengthy));
}

static void test_origins(void **state)
{
  (void)state;
  static const struct {
    const char *url, *origin, *path;
  } rows[] = {
      {"https://m/a?b", "https://m", "/a?b"},
      {"https://m:443/a", "https://m", "/a"},
      {"https://M.contoso.com/a", "https://m.contoso.com:443", "/a"},
      {"http://127.0.0.1:8025/a", "http://127.0.0.1:8025", "/a"},
      {"http://[::1]:80/a", "http://[::1]", "/a"},
      {"http://m/a", "https://m", NULL},
      {"https://m:444/a", "https://m", NULL},
      {"https://m.invalid/a", "https://m", NULL},
      {"https://m@other/a", "https://m", NULL},
      {"nonsense", "https://m", NULL},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    const char *path = logon_path_at(rows[i].url, rows[i].origin);
    if (g_strcmp0(path, rows[i].path) != 0)
      fail_msg("%s at %s: %s", rows[i].url, rows[i].origin, path ? path : "(null)");
  }
}

int main(void)
{
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_pages),     cmocka_unit_test(test_variants),
      cmocka_unit_test(test_bytes),     cmocka_unit_test(test_bounds),
      cmocka_unit_test(test_cut),       cmocka_unit_test(test_addresses),
      cmocka_unit_test(test_resolving), cmocka_unit_test(test_origins),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
