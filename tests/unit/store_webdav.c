/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of store/webdav's opening and listing against a server that says what a test writes down:
 * answers that no decent server gives, each with the errno and the sentence it must end in.
 */
#include "store_rig.h"

/* ---- opening ---- */

static void test_open(void **state)
{
  (void)state;
  static const struct {
    const char *answer;
    int errnum;
    const char *words;
  } cases[] = {
      {PLAIN_ROOT, 0, NULL},
      {EXCHANGE_ROOT, 0, NULL},
      {"401|WWW-Authenticate: Basic realm=\"x\"|no", EACCES, "password"},
      {"403||<html>The page must be viewed over SSL</html>", EPROTO, "https://"},
      {"403||no", EACCES, "right"},
      {"404|MS-WebStorage: 6.5.7226|", ENOENT, "mailbox"},
      {"404||", ENOENT, "check the address"},
      {"405||", EPROTO, "does not speak WebDAV"},
      {"440||", EACCES, "form"},
      {"200|Content-Type: text/html|<html>Log on</html>", EPROTO, "web page"},
      {"207|Content-Type: text/html|<html>Log on</html>", EPROTO, "web page"},
      {"302|Location: /exchweb/bin/auth/owalogon.asp?url=x|", EACCES, "form"},
      {"302|Location: /owa/auth/logon.aspx?url=x|", EACCES, "form"},
      {"302|Location: https://be2.example.org/exchange/alice/|", EPROTO, "be2.example.org"},
      {"302|Location: /m/|", EPROTO, "mount that address"}, /* round and round */
      {"500||", EIO, "failed"},
      {"207|" XML "|" HEAD TAIL, EPROTO, "no folder"},
      {"207|" XML "|" HEAD ROW("/m/", "<a:resourcetype/>") TAIL, EPROTO, "no folder"},
      {"207|" XML "|" HEAD ROW("/m/", "<a:resourcetype/>"), EIO, "ends in the middle"},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    const Rule one[] = {{"PROPFIND /m/", cases[i].answer, 0}, {0}};
    g_auto(Rig) rig = {0};
    g_autoptr(GError) error = NULL;
    rig_new(&rig, one);
    gboolean good = store_open(rig.store, &call, &error);
    if (cases[i].errnum) {
      assert_false(good);
      assert_error(error, cases[i].errnum, cases[i].words);
    } else if (!good) {
      fail_msg("%s", error->message);
    }
    assert_true(server_saw(rig.server, "Depth: 0"));
    assert_true(server_saw(rig.server, "Translate: f"));
  }
}

static void test_redirect_is_adopted_once(void **state)
{
  (void)state;
  static const Rule with[] = {
      {"PROPFIND /m/", "301|Location: /n/|", 0}, {"PROPFIND /n/ ", PLAIN_ROOT, 0}, {0}};
  g_auto(Rig) rig = {0};
  rig_open(&rig, with);
}

/* ---- listings ---- */

static void test_listing_hrefs(void **state)
{
  (void)state;
  static const struct {
    const char *href, *names; /* NULL: the listing fails EIO */
  } cases[] = {
      {"/m/a%20b.eml", "a b.eml "},
      {"http://elsewhere.invalid/m/a.eml", "a.eml "},
      {"/m/Sub/", "Sub "}, /* an item says its isfolder */
      {"/m/", ""},
      {"/etc/passwd", NULL},
      {"/m/../etc/passwd", NULL},
      {"/m/%2e%2e", NULL},
      {"/m/a/b", NULL},
      {"/m/a%00b", NULL},
      {"/m//a", NULL},
      {"", NULL},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *answer =
        g_strdup_printf("207|" XML "|" HEAD "<a:response><a:href>%s</a:href><a:propstat><a:prop>"
                        "<a:isfolder>0</a:isfolder></a:prop></a:propstat></a:response>" TAIL,
                        cases[i].href);
    const Rule with[] = {{"PROPFIND", EXCHANGE_ROOT, 0}, {"SEARCH", answer, 0}, {0}};
    g_auto(Rig) rig = {0};
    g_autoptr(GError) error = NULL;
    rig_open(&rig, with);
    g_autofree char *names = list_folder(&rig, NULL, &error);
    if (!cases[i].names)
      assert_error(error, EIO, NULL);
    else if (g_strcmp0(names, cases[i].names) != 0)
      fail_msg("%s gave %s (%s)", cases[i].href, names, error ? error->message : "");
  }
}

/* Quirk 24: asked as "Innboks", answered as "Inbox"; never from deeper or elsewhere. */
static void test_another_name_of_the_folder(void **state)
{
  (void)state;
  static const struct {
    const char *href, *names;
  } cases[] = {{"/m/Inbox/a.eml", "a.eml "}, {"/m/Inbox/b/a.eml", NULL}, {"/o/Inbox/a.eml", NULL}};
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *answer = g_strdup_printf(
        "207|" XML "|" HEAD "<a:response><a:href>%s</a:href></a:response>" TAIL, cases[i].href);
    const Rule with[] = {{"PROPFIND", EXCHANGE_ROOT, 0}, {"SEARCH", answer, 0}, {0}};
    g_auto(Rig) rig = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) id = id_of("Innboks/");
    rig_open(&rig, with);
    g_autofree char *names = list_folder(&rig, id, &error);
    if (g_strcmp0(names, cases[i].names) != 0)
      fail_msg("%s gave %s (%s)", cases[i].href, names, error ? error->message : "");
  }
}

static void test_hidden_and_forbidden_rows(void **state)
{
  (void)state;
  static const Rule with[] = {
      {"PROPFIND", EXCHANGE_ROOT, 1},
      {"SEARCH", "422||", 0},
      {"Depth: 1,noroot",
       "207|" XML "|" HEAD ROW("/m/v", "<a:ishidden>1</a:ishidden>") ROW(
           "/m/a",
           "<a:isfolder>0</a:isfolder>") "<a:response><a:href>/m/b</a:href><a:status>HTTP/1.1 401 "
                                         "No</a:status></a:response><a:response><a:href>/m/c</"
                                         "a:href><a:status>HTTP/1.1 404 "
                                         "No</a:status></a:response>" TAIL,
       0},
      {0}};
  g_auto(Rig) rig = {0};
  rig_open(&rig, with);
  g_autofree char *names = list_folder(&rig, NULL, NULL);
  assert_string_equal(names, "a b ");
}

static void test_a_listing_that_repeats(void **state)
{
  (void)state;
  static const char *const ranges[] = {"", "Content-Range: rows 0-0; total=3\r\n",
                                       "Content-Range: rows 7-7; total=3\r\n",
                                       "Content-Range: rows 0-0; total=4000000\r\n"};
  for (gsize i = 1; i < G_N_ELEMENTS(ranges); i++) {
    g_autofree char *page =
        g_strconcat("207|", ranges[i], XML "|" HEAD ITEM("a", "rid:a") TAIL, NULL);
    const Rule with[] = {{"PROPFIND", EXCHANGE_ROOT, 0}, {"SEARCH", page, 0}, {0}};
    g_auto(Rig) rig = {0};
    g_autoptr(GError) error = NULL;
    rig_open(&rig, with);
    g_autofree char *names = list_folder(&rig, NULL, &error);
    assert_null(names);
    assert_error(error, EIO, NULL);
    assert_true(server_requests(rig.server) < 50);
  }
}

/* The first page again and again, with and without a count of rows that is never reached. */
static void test_the_same_page_again(void **state)
{
  (void)state;
  g_autoptr(GString) full = g_string_new("207|" XML "|" HEAD);
  for (int i = 0; i < 200; i++)
    g_string_append_printf(full, ITEM("%d", "rid:%d"), i, i);
  g_string_append(full, TAIL);
  static const char two[] = "207|Content-Range: rows 0-1; total=3\r\n" XML
                            "|" HEAD ITEM("a", "rid:a") ITEM("b", "rid:b") TAIL;
  static const char again[] = "207|Content-Range: rows 1-2; total=3\r\n" XML
                              "|" HEAD ITEM("b", "rid:b") ITEM("a", "rid:a") TAIL;
  const Rule cases[][4] = {
      {{"PROPFIND", EXCHANGE_ROOT, 0}, {"SEARCH", full->str, 0}, {0}},
      {{"PROPFIND", EXCHANGE_ROOT, 0}, {"rows=0-", two, 0}, {"SEARCH", again, 0}, {0}}};
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_auto(Rig) rig = {0};
    g_autoptr(GError) error = NULL;
    rig_open(&rig, cases[i]);
    g_autofree char *names = list_folder(&rig, NULL, &error);
    assert_null(names);
    assert_error(error, EIO, NULL);
    assert_true(server_requests(rig.server) < 50);
  }
}

/* Between two pages "a" goes away: "c" moves up to a row that was read already. */
static void test_rows_that_shift(void **state)
{
  (void)state;
  static const Rule with[] = {{"PROPFIND", EXCHANGE_ROOT, 0},
                              {"rows=0-199",
                               "207|Content-Range: rows 0-1; total=4\r\n" XML
                               "|" HEAD ITEM("a", "rid:a") ITEM("b", "rid:b") TAIL,
                               1},
                              {"rows=1-2000",
                               "207|Content-Range: rows 1-2; total=3\r\n" XML
                               "|" HEAD ITEM("c", "rid:c") ITEM("d", "rid:d") TAIL,
                               0},
                              {"rows=0-1999",
                               "207|Content-Range: rows 0-2; total=3\r\n" XML "|" HEAD ITEM(
                                   "b", "rid:b") ITEM("c", "rid:c") ITEM("d", "rid:d") TAIL,
                               0},
                              {0}};
  g_auto(Rig) rig = {0};
  g_autoptr(GError) error = NULL;
  rig_open(&rig, with);
  g_autofree char *names = list_folder(&rig, NULL, &error);
  assert_string_equal(names ? names : error->message, "a b c d ");
  assert_true(server_saw(rig.server, "rows=0-1999"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_open),
      cmocka_unit_test(test_redirect_is_adopted_once),
      cmocka_unit_test(test_listing_hrefs),
      cmocka_unit_test(test_another_name_of_the_folder),
      cmocka_unit_test(test_hidden_and_forbidden_rows),
      cmocka_unit_test(test_a_listing_that_repeats),
      cmocka_unit_test(test_the_same_page_again),
      cmocka_unit_test(test_rows_that_shift),
  };
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  return cmocka_run_group_tests(tests, NULL, NULL);
}
