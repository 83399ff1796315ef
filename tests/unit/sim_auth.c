/* SPDX-License-Identifier: Apache-2.0 */
/* exchange-sim: who is let in, for how long, to what (sections 3.2 to 3.6; quirks 15, 17, 18, 21,
 * 50). */
#include "sim_wire.h"

#include <signal.h>

#define POST_2003 "/exchweb/bin/auth/owaauth.dll"
#define POST_2007 "/owa/auth/owaauth.dll"
#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"
#define TARGET "destination=http%3A%2F%2Fh%2Fexchange%2F"
#define ALICE TARGET "&username=CONTOSO%5Calice&password=secret"
#define DAV "Translate: f\r\nDepth: 0\r\n"

/* The Cookie header for what an answer sets; free with g_free. */
static char *cookies_of(const char *answer)
{
  GString *out = g_string_new(NULL);
  for (const char *at = answer; (at = strstr(at, "\r\nSet-Cookie: "));) {
    at += strlen("\r\nSet-Cookie: ");
    g_string_append_printf(out, "%s%.*s", out->len ? "; " : "Cookie: ", (int)strcspn(at, ";\r"),
                           at);
  }
  g_string_append(out, "\r\n");
  return g_string_free(out, FALSE);
}

static int status_with(const Wire *wire, const char *method, const char *path, const char *cookies,
                       const char *headers, const char *body)
{
  g_autofree char *all = g_strconcat(cookies, headers, NULL);
  g_autofree char *answer = once(wire, method, path, all, body);
  return status_of(answer);
}

static int look(const Wire *wire, const char *cookies)
{
  return status_with(wire, "PROPFIND", ROOT, cookies, DAV, "");
}

/* Signs in; the Cookie header. */
static char *session(const Wire *wire, const char *path, const char *form)
{
  g_autofree char *answer = once(wire, "POST", path, FORM, form);
  assert_int_equal(status_of(answer), 302);
  return cookies_of(answer);
}

static void order(const Wire *wire, const char *what, const char *text)
{
  g_autofree char *path = g_strconcat("/.sim/", what, NULL);
  assert_int_equal(status_with(wire, "POST", path, "", "", text), 200);
}

static void assert_says(char *answer, int status, const char *text)
{
  g_autofree char *owned = answer;
  if (status_of(owned) != status || !strstr(owned, text)) {
    fail_msg("no %d with \"%s\": %s", status, text, owned);
  }
}

static void forms_ask(void **state)
{
  static const char *const posts[] = {POST_2003, POST_2007};
  static const char *const pages[] = {"/exchweb/bin/auth/owalogon.asp", "/owa/auth/logon.aspx"};
  static const char *const profiles[] = {"e2003-fba", "e2007-fba"};
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(profiles); i++) {
    g_autoptr(Wire) wire = wire_new(profiles[i], "", "");
    g_autofree char *location = g_strdup_printf(
        "Location: http://h%s?url=http%%3A%%2F%%2Fh%%2Fexchange%%2F&reason=0\r\n", pages[i]);
    g_autofree char *dav = once(wire, "PROPFIND", ROOT, BASIC, "");
    assert_int_equal(status_of(dav), 440);
    assert_non_null(strstr(dav, "Set-Cookie: sessionid=; path=/; expires=Thu, 01-Jan-1970"));
    assert_non_null(strstr(dav, "Set-Cookie: cadata=; path=/; expires=Thu, 01-Jan-1970"));
    assert_says(once(wire, "GET", "/exchange/", "", ""), 302, location);
    assert_int_equal(status_with(wire, "GET", "/exchange/", "", "Translate: f\r\n", ""), 440);
    assert_int_equal(status_with(wire, "GET", pages[i], "", "Translate: f\r\n", ""), 403);
    assert_says(once(wire, "GET", pages[i], "", ""), 200, "name=\"password\"");
    assert_int_equal(
        status_with(wire, "POST", posts[i], "", FORM, "username=alice&password=secret"), 400);
    assert_int_equal(status_with(wire, "POST", posts[i], "", "", ALICE), 400);
    g_autofree char *cookies = session(wire, posts[i], ALICE);
    assert_int_equal(look(wire, cookies), 207);
  }
}

static void old_address_of_2007(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2007-fba", "", "");
  g_autofree char *answer = once(wire, "POST", POST_2003, FORM, ALICE);
  assert_int_equal(status_of(answer), 302);
  assert_non_null(strstr(answer, "/owa/auth/logon.aspx?"));
  assert_null(strstr(answer, "Set-Cookie"));
}

static void both_cookies_with_quotes(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003-fba", "", "");
  g_autofree char *cookies = session(wire, POST_2003, ALICE);
  const char *id = strstr(cookies, "sessionid="), *data = strstr(cookies, "cadata=\"2,");
  assert_non_null(id);
  assert_non_null(data);
  g_autofree char *only_id = g_strdup_printf("Cookie: %.*s\r\n", (int)strcspn(id, ";"), id);
  g_autofree char *only_data = g_strdup_printf("Cookie: %s", data);
  g_autofree char *bare = g_strdup(cookies);
  g_strdelimit(bare, "\"", ' ');
  assert_int_equal(look(wire, cookies), 207);
  assert_int_equal(look(wire, only_id), 440);
  assert_int_equal(look(wire, only_data), 440);
  assert_int_equal(look(wire, bare), 440);
}

static void wrong_passwords(void **state)
{
  static const struct {
    const char *how;
    int status;
    const char *says;
    gboolean cookies;
  } rows[] = {{"wrong=0", 302, "&reason=2\r\n", FALSE},
              {"wrong=1", 302, "Location: http://h/exchange/\r\n", TRUE},
              {"wrong=2", 302, "&reason=4\r\n", FALSE},
              {"wrong=3", 302, "Location: http://h/exchange/\r\n", FALSE},
              {"wrong=4", 200, "name=\"password\"", FALSE}};
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(Wire) wire = wire_new("e2003-fba", rows[i].how, "");
    g_autofree char *answer =
        once(wire, "POST", POST_2003, FORM, TARGET "&username=alice&password=x");
    assert_int_equal(status_of(answer), rows[i].status);
    assert_non_null(strstr(answer, rows[i].says));
    assert_int_equal(strstr(answer, "Set-Cookie") != NULL, rows[i].cookies);
    g_autofree char *cookies = cookies_of(answer);
    assert_int_equal(look(wire, rows[i].cookies ? cookies : ""), 440);
  }
  g_autoptr(Wire) wire = wire_new("e2003-fba", "locked", "");
  assert_int_equal(status_with(wire, "POST", POST_2003, "", FORM, ALICE), 403);
}

static void sessions_end(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003-fba", "", "");
  g_autofree char *public = session(wire, POST_2003, ALICE "&flags=0&trusted=0");
  g_autofree char *half = session(wire, POST_2003, ALICE "&flags=0&trusted=4");
  g_autofree char *private = session(wire, POST_2003, ALICE "&flags=4&trusted=4");
  order(wire, "advance", "600");
  assert_int_equal(look(wire, public), 207); /* which starts its quarter of an hour again */
  order(wire, "advance", "600");
  assert_int_equal(look(wire, public), 207);
  assert_int_equal(look(wire, half), 440);
  order(wire, "advance", "901");
  assert_int_equal(look(wire, public), 440);
  assert_int_equal(look(wire, private), 207);
  order(wire, "advance", "86401");
  assert_int_equal(look(wire, private), 440);
  g_autofree char *last = session(wire, POST_2003, ALICE);
  order(wire, "expire", "");
  assert_int_equal(look(wire, last), 440);
  order(wire, "password", "alice:changed");
  g_autofree char *refused = once(wire, "POST", POST_2003, FORM, ALICE);
  assert_non_null(strstr(refused, "reason=2"));
}

static void cookies_are_renewed(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003-fba", "renew=2", "");
  g_autofree char *first = session(wire, POST_2003, ALICE);
  const char *data = strstr(first, "cadata=");
  assert_int_equal(look(wire, first), 207);
  g_autofree char *headers = g_strconcat(first, DAV, NULL);
  g_autofree char *answer = once(wire, "PROPFIND", ROOT, headers, "");
  assert_int_equal(status_of(answer), 207);
  g_autofree char *renewed = cookies_of(answer);
  g_autofree char *both =
      g_strdup_printf("%.*s%s", (int)(data - first), first, strstr(renewed, "cadata="));
  assert_string_not_equal(both, first);
  assert_int_equal(look(wire, both), 207);
  assert_int_equal(look(wire, first), 440); /* too old by now */
}

static void forbidden_is_440(void **state)
{
  static const struct {
    const char *how;
    int status, after;
  } rows[] = {
      {"forbidden-440=1", 440, 440}, {"forbidden-440=2", 440, 207}, {"forbidden-440=0", 401, 207}};
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(Wire) wire = wire_new("e2003-fba", rows[i].how, "");
    g_autofree char *cookies = session(wire, POST_2003, ALICE);
    order(wire, "access", "alice/Inbox=alice:none");
    assert_int_equal(look(wire, cookies), 207);
    assert_int_equal(status_with(wire, "PROPFIND", ROOT "Inbox/", cookies, DAV, ""),
                     rows[i].status);
    assert_int_equal(look(wire, cookies), rows[i].after);
  }
}

static void isa_in_front(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003", "isa", "");
  static const char page[] =
      "Location: http://h/CookieAuth.dll?GetLogon?curl=Z2Fexchange&reason=0&formdir=3\r\n";
  assert_says(once(wire, "PROPFIND", ROOT, BASIC, ""), 302, page);
  assert_says(once(wire, "GET", "/CookieAuth.dll?GetLogon?curl=Z2Fexchange&reason=0", "", ""), 200,
              "action=\"/CookieAuth.dll?Logon\"");
  assert_says(once(wire, "POST", "/CookieAuth.dll?Logon", FORM,
                   "curl=Z2Fexchange&username=alice&password=x"),
              302, "&reason=2&");
  g_autofree char *cookies =
      session(wire, "/CookieAuth.dll?Logon", "curl=Z2Fexchange&username=alice&password=secret");
  assert_non_null(strstr(cookies, "cadataF1A5E2D0="));
  assert_int_equal(look(wire, cookies), 207);
}

static void a_body_is_not_waited_for(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003-fba", "early-440", "");
  g_autoptr(GSocketConnection) connection = wire_open(wire);
  g_autofree char *got = exchange(connection,
                                  "PUT " ROOT "Inbox/x HTTP/1.1\r\nHost: h\r\nTranslate: f\r\n"
                                  "Content-Length: 1000000\r\n\r\n",
                                  100, NULL);
  assert_int_equal(status_of(got), 440);
}

static void schemes_offered(void **state)
{
  (void)state;
  g_autoptr(Wire) all = wire_new("e2003", "offer=3", "");
  g_autofree char *three = once(all, "PROPFIND", ROOT, "", "");
  assert_non_null(strstr(three, "WWW-Authenticate: Negotiate\r\n"));
  assert_non_null(strstr(three, "WWW-Authenticate: NTLM\r\n"));
  assert_non_null(strstr(three, "WWW-Authenticate: Basic"));
  assert_int_equal(look(all, BASIC), 207);
  g_autoptr(Wire) none = wire_new("e2003", "offer=5", "");
  g_autofree char *one = once(none, "PROPFIND", ROOT, BASIC, "");
  assert_int_equal(status_of(one), 401);
  assert_null(strstr(one, "Basic"));
  g_autoptr(Wire) locked = wire_new("e2003", "locked", "");
  assert_int_equal(look(locked, BASIC), 403);
  assert_int_equal(look(locked, ""), 401);
}

static void https_is_demanded(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003-fba", "need-ssl", "");
  assert_says(once(wire, "PROPFIND", ROOT, BASIC, ""), 403, "SSL");
  assert_says(once(wire, "GET", "/exchange/", "Front-End-Https: on\r\n", ""), 302,
              "Location: https://h/exchweb/");
  g_autofree char *in = once(wire, "POST", POST_2003, FORM "Front-End-Https: on\r\n", ALICE);
  assert_non_null(strstr(in, "HttpOnly; secure; path=/"));
}

static void a_matrix_of_rights(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003", "", "");
  static const struct {
    const char *who, *method, *path;
    int status;
  } rows[] = {{BASIC, "PROPFIND", ROOT "Inbox/", 207},     {BOB, "PROPFIND", ROOT, 401},
              {BOB, "PROPFIND", ROOT "Inbox/", 207},       {BOB, "PUT", ROOT "Inbox/b.bin", 401},
              {BOB, "PROPFIND", ROOT "Inbox/Deep/", 401},  {BOB, "PUT", ROOT "Drafts/b.bin", 201},
              {BOB, "DELETE", ROOT "Drafts/b.bin", 200},   {BASIC, "PUT", "/public/a.bin", 201},
              {BOB, "GET", "/public/a.bin", 200},          {BOB, "DELETE", "/public/a.bin", 401},
              {BASIC, "PROPFIND", ROOT "Inbox/Deep/", 207}};
  assert_int_equal(status_with(wire, "MKCOL", ROOT "Inbox/Deep/", BASIC, "", ""), 201);
  order(wire, "access", "alice/inbox=bob:read");
  order(wire, "access", "/alice/Inbox/Deep=bob:none");
  order(wire, "access", "alice/Drafts=bob:all");
  order(wire, "access", "public=*:read");
  order(wire, "access", "public=alice:all");
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    int got = status_with(wire, rows[i].method, rows[i].path, rows[i].who, "Depth: 0\r\n", "");
    if (got != rows[i].status) {
      fail_msg("row %zu: %s %s: %d", i, rows[i].method, rows[i].path, got);
    }
  }
  g_autofree char *access =
      once(wire, "PROPFIND", ROOT "Inbox/", BOB "Depth: 0\r\n",
           "<propfind xmlns=\"DAV:\" xmlns:p=\"http://schemas.microsoft.com/mapi/proptag/\">"
           "<prop><p:x0ff40003/></prop></propfind>");
  assert_non_null(strstr(access, ">2<"));
  assert_false(access_add(wire->rig->sim.access, "alice=bob:some"));
  assert_false(access_add(wire->rig->sim.access, "alice"));
}

static void folders_elsewhere(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003", "", "");
  assert_true(access_add_elsewhere(wire->rig->sim.access, "/public/Sales=http://other:81"));
  assert_false(access_add_elsewhere(wire->rig->sim.access, "Sales=http://other:81"));
  assert_says(once(wire, "PROPFIND", "/public/sales/a%20b?x", BASIC, ""), 302,
              "Location: http://other:81/public/sales/a%20b?x\r\n");
  assert_int_equal(status_with(wire, "PROPFIND", "/public/Salesmen/", BASIC, "", ""), 404);
}

static void done_but_denied(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003", "public-401", "");
  assert_int_equal(status_with(wire, "PUT", "/public/a.bin", BASIC, "", "text"), 401);
  assert_int_equal(status_with(wire, "GET", "/public/a.bin", BASIC, "", ""), 200);
  assert_int_equal(status_with(wire, "PUT", ROOT "Inbox/a.bin", BASIC, "", "text"), 201);
}

int main(void)
{
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(forms_ask),
      cmocka_unit_test(old_address_of_2007),
      cmocka_unit_test(both_cookies_with_quotes),
      cmocka_unit_test(wrong_passwords),
      cmocka_unit_test(sessions_end),
      cmocka_unit_test(cookies_are_renewed),
      cmocka_unit_test(forbidden_is_440),
      cmocka_unit_test(isa_in_front),
      cmocka_unit_test(a_body_is_not_waited_for),
      cmocka_unit_test(schemes_offered),
      cmocka_unit_test(https_is_demanded),
      cmocka_unit_test(a_matrix_of_rights),
      cmocka_unit_test(folders_elsewhere),
      cmocka_unit_test(done_but_denied),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
