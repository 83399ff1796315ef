/* SPDX-License-Identifier: Apache-2.0 */
/* exchange-sim's WebDAV face against the demands on it (exchange-webdav section 16). */
#include "sim_rig.h"

#define MESSAGE                                                                                    \
  "Subject: Plan\r\nFrom: Bob <bob@contoso.com>\r\nBcc: eve@contoso.com\r\n\r\nText\r\n"
#define PROPTAG "http://schemas.microsoft.com/mapi/proptag/"

static const char mail[] = "Content-Type: message/rfc822";
static const char document[] = "Content-Type: application/x-thing";

static void names_survive(void **state)
{
  (void)state;
  static const struct {
    const char *sent, *shown, *stored;
  } names[] = {
      {"a_xF8FF_b.bin", "a/b.bin",
       "a\xEF\xA3\xBF"
       "b.bin"},
      {"50%25.bin", "50%.bin", "50%25.bin"},
      {"q%3F.bin", "q?.bin", "q%3F.bin"},
      {"q2_x003f_.bin", "q2?.bin", "q2%3F.bin"},
      {"x%7Ey.bin", "x~y.bin", "x%7Ey.bin"},
      {"C%3A%5C", "C:\\", "C%3A\\"},
      {"%c3%A9.bin", "\xC3\xA9.bin", "\xC3\xA9.bin"},
      {"%F0%9F%98%80", "\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80"},
      {"A%26B", "A&amp;B", "A%26B"},
      {"a%23b", "a#b", "a%23b"},
      {"%D0%9F", "\xD0\x9F", "\xD0\x9F"},
      {"l_x000D__x000A_f", "l\r\nf", "l\r\nf"},
      {"it's", "it's", "it''s"},
  };
  g_autoptr(Rig) rig = rig_new("e2003", "");
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = g_strconcat(ROOT "Inbox/", names[i].sent, NULL);
    assert_int_equal(rig_do(rig, "PUT", path, document, names[i].sent), 201);
    g_autofree char *shown = rig_prop(rig, path, "DAV:", "displayname");
    assert_string_equal(shown, names[i].shown);
    g_autofree char *href = rig_between(rig, "<a:href>http://mail.contoso.com", "</a:href>");
    assert_int_equal(rig_do(rig, "GET", href, "", ""), 200);
    g_autofree char *body = rig_body(rig);
    assert_string_equal(body, names[i].sent);
    g_autofree char *where =
        g_strdup_printf("WHERE \"" PROPTAG "x10f3001f\" = '%s'", names[i].stored);
    assert_int_equal(rig_search(rig, ROOT "Inbox/", where, ""), 207);
    assert_true(rig_says(rig, href));
  }
}

static void names_fold_case_but_keep_it(void **state)
{
  (void)state;
  g_autoptr(Rig) rig = rig_new("e2003", "");
  assert_int_equal(rig_do(rig, "PUT", ROOT "Inbox/%C3%89t%C3%A9.txt", document, "1"), 201);
  assert_int_equal(rig_do(rig, "PUT", ROOT "inbox/%C3%A9T%C3%89.TXT", document, "2"), 200);
  g_autofree char *name = rig_prop(rig, ROOT "INBOX/%C3%A9t%C3%A9.txt", "DAV:", "displayname");
  assert_string_equal(name, "\xC3\x89t\xC3\xA9.txt");
  assert_int_equal(rig_do(rig, "MOVE", ROOT "Inbox/%C3%89t%C3%A9.txt",
                          "Overwrite: f\nDestination: " ROOT "Inbox/%C3%A9t%C3%A9.txt", ""),
                   201);
  g_autofree char *renamed = rig_prop(rig, ROOT "Inbox/%C3%A9t%C3%A9.txt", "DAV:", "displayname");
  assert_string_equal(renamed, "\xC3\xA9t\xC3\xA9.txt");
  g_autoptr(Rig) plain = rig_new("generic", "");
  assert_int_equal(rig_do(plain, "PUT", ROOT "Inbox/A", "", "1"), 201);
  assert_int_equal(rig_do(plain, "PUT", ROOT "Inbox/a", "", "2"), 201);
}

static void bad_paths_are_refused(void **state)
{
  (void)state;
  g_autoptr(Rig) rig = rig_new("e2003", "");
  g_autofree char *many = g_strnfill(256, 'n');
  g_autofree char *long_path = g_strconcat(ROOT "Inbox/", many, NULL);
  assert_int_equal(rig_do(rig, "PUT", long_path, document, ""), 414);
  assert_int_equal(rig_do(rig, "PUT", ROOT "Inbox/..", document, ""), 409);
  assert_int_equal(rig_do(rig, "PUT", ROOT "Inbox/%FF", document, ""), 409);
  assert_int_equal(rig_do(rig, "PUT", ROOT "Nowhere/x", document, ""), 409);
  assert_int_equal(rig_do(rig, "OPTIONS", "/exchange/bob/", "", ""), 404);
  assert_non_null(rig_header(rig, "MS-WebStorage"));
}

static void permanent_urls_follow_the_item(void **state)
{
  (void)state;
  g_autoptr(Rig) rig = rig_new("e2003", "");
  const char *exchange = "http://schemas.microsoft.com/exchange/";
  rig_do(rig, "PUT", ROOT "Inbox/p.EML", mail, MESSAGE);
  g_autofree char *url = rig_prop(rig, ROOT "Inbox/p.EML", exchange, "permanenturl");
  g_autofree char *uid =
      rig_prop(rig, ROOT "Inbox/p.EML", "http://schemas.microsoft.com/repl/", "repl-uid");
  const char *path = strchr(url + strlen("http://"), '/');
  assert_int_equal(rig_do(rig, "GET", path, "", ""), 200);
  assert_int_equal(rig_do(rig, "MOVE", ROOT "Inbox/p.EML", "Destination: " ROOT "Inbox/q.EML", ""),
                   201);
  assert_int_equal(rig_do(rig, "GET", path, "", ""), 200);
  assert_int_equal(rig_do(rig, "MOVE", path, "Destination: " ROOT "Drafts/q.EML", ""), 201);
  assert_int_equal(rig_do(rig, "GET", path, "", ""), 404); /* quirk 37 */
  g_autofree char *moved =
      rig_prop(rig, ROOT "Drafts/q.EML", "http://schemas.microsoft.com/repl/", "repl-uid");
  assert_string_equal(uid, moved);
}

static void propfind_has_the_shape_of_its_profile(void **state)
{
  (void)state;
  const char *query =
      "<propfind xmlns=\"DAV:\"><prop><getlastmodified/><nothing/></prop></propfind>";
  g_autoptr(Rig) rig = rig_new("e2003", "");
  assert_int_equal(rig_do(rig, "PROPFIND", ROOT "Inbox", "Depth: 0", query), 207);
  assert_true(rig_says(rig, "<a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop>"
                            "<a:getlastmodified b:dt=\"dateTime.tz\">2004-03-09T"));
  assert_true(rig_says(rig, "HTTP/1.1 404 Resource Not Found</a:status><a:prop><a:nothing/>"));
  assert_string_equal(rig_header(rig, "Content-Type"), "text/xml");
  rig_do(rig, "PROPFIND", ROOT "Inbox", "Depth: 0\nBrief: t", query);
  assert_false(rig_says(rig, "404"));
  g_autoptr(Rig) plain = rig_new("generic", "");
  assert_int_equal(rig_do(plain, "PROPFIND", ROOT "Inbox", "Depth: 0", query), 207);
  assert_true(rig_says(plain, "<a:prop><a:getlastmodified>Tue, 09 Mar 2004"));
  assert_true(rig_says(plain, "</a:prop><a:status>HTTP/1.1 200 OK</a:status></a:propstat>"));
  assert_true(rig_says(plain, "HTTP/1.1 404 Not Found"));
}

static void depth_is_heeded(void **state)
{
  (void)state;
  const char *query = "<propfind xmlns=\"DAV:\"><prop><displayname/></prop></propfind>";
  g_autoptr(Rig) rig = rig_new("e2003", "");
  rig_do(rig, "MKCOL", ROOT "Inbox/Sub", "", "");
  rig_do(rig, "PROPFIND", ROOT, "Depth: 1,noroot", query);
  assert_true(rig_says(rig, ">Inbox<"));
  assert_false(rig_says(rig, ">alice<"));
  assert_false(rig_says(rig, ">Sub<"));
  assert_int_equal(rig_do(rig, "PROPFIND", ROOT, "", query), 207); /* quirk 23 */
  assert_true(rig_says(rig, ">Sub<"));
  assert_int_equal(rig_do(rig, "PROPFIND", "/public/", "", query), 403);
  assert_int_equal(rig_do(rig, "PROPFIND", ROOT, "Depth: 7", query), 400);
  assert_int_equal(rig_do(rig, "PROPFIND", ROOT, "Depth: 0", "<not"), 400);
  g_autoptr(Rig) plain = rig_new("generic", "");
  assert_int_equal(rig_do(plain, "PROPFIND", ROOT, "Depth: infinity", query), 403);
}

static void put_checks_and_rewrites(void **state)
{
  (void)state;
  g_autoptr(Rig) rig = rig_new("e2003", "");
  assert_int_equal(rig_do(rig, "PUT", ROOT "Inbox/m.EML",
                          "Content-Type: message/rfc822\nIf-None-Match: *", MESSAGE),
                   201);
  g_autofree char *etag = g_strdup(rig_header(rig, "GetETag"));
  assert_non_null(rig_header(rig, "Repl-UID"));
  assert_int_equal(rig_do(rig, "PUT", ROOT "Inbox/m.EML", "If-None-Match: *", MESSAGE), 412);
  rig_do(rig, "GET", ROOT "Inbox/m.EML", "", "");
  assert_false(rig_says(rig, "Bcc")); /* quirk 31 */
  g_autofree char *first = rig_body(rig);
  g_autofree char *match = g_strdup_printf("If-Match: %s\n%s", etag, mail);
  assert_int_equal(rig_do(rig, "PUT", ROOT "Inbox/m.EML", match, first), 200);
  assert_int_equal(rig_do(rig, "PUT", ROOT "Inbox/m.EML", match, first), 412);
  rig_do(rig, "GET", ROOT "Inbox/m.EML", "", "");
  g_autofree char *second = rig_body(rig);
  assert_string_equal(first, second);
  g_autofree char *tag =
      rig_prop(rig, ROOT "Inbox/m.EML", "http://schemas.microsoft.com/repl/", "resourcetag");
  g_autofree char *state_match = g_strdup_printf("If: (<%s>)", tag);
  assert_int_equal(rig_do(rig, "DELETE", ROOT "Inbox/m.EML", "If: (<rt:0>)", ""), 412);
  assert_int_equal(rig_do(rig, "DELETE", ROOT "Inbox/m.EML", state_match, ""), 200);
}

static void sizes_told_are_not_true(void **state)
{
  (void)state;
  static const struct {
    const char *switches;
    int sign;
  } cases[] = {{"", 1}, {"size=1", -1}, {"size=2", 0}};
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(Rig) rig = rig_new("e2003", cases[i].switches);
    rig_do(rig, "PUT", ROOT "Inbox/m.EML", mail, MESSAGE);
    rig_do(rig, "GET", ROOT "Inbox/m.EML", "", "");
    gint64 real = (gint64)rig->reply.length;
    g_autofree char *told = rig_prop(rig, ROOT "Inbox/m.EML", "DAV:", "getcontentlength");
    g_autofree char *size = rig_prop(rig, ROOT "Inbox/m.EML", PROPTAG, "x0e080003");
    gint64 difference = g_ascii_strtoll(told, NULL, 10) - real;
    assert_int_equal((difference > 0) - (difference < 0), cases[i].sign);
    gint64 other = g_ascii_strtoll(size, NULL, 10) - real;
    assert_int_equal((other > 0) - (other < 0), cases[i].sign);
    rig_do(rig, "PUT", ROOT "Inbox/d.doc", document, "12345");
    g_autofree char *exact = rig_prop(rig, ROOT "Inbox/d.doc", "DAV:", "getcontentlength");
    assert_string_equal(exact, "5");
  }
}

static void proppatch_creates_and_types(void **state)
{
  (void)state;
  const char *patch =
      "<D:propertyupdate xmlns:D=\"DAV:\" xmlns:t=\"http://schemas.microsoft.com/mapi/id/"
      "{00062008-0000-0000-C000-000000000046}/\" xmlns:T=\"urn:uuid:c2f41010-65b3-11d1-a29f-"
      "00aa00c14882/\" xmlns:u=\"http://schemas.microsoft.com/mapi/string/"
      "{00020329-0000-0000-c000-000000000046}/\"><D:set><D:prop><t:0x8570 T:dt=\"int\">7</t:0x8570>"
      "<u:exchangefs-mtime>12.5</u:exchangefs-mtime></D:prop></D:set></D:propertyupdate>";
  g_autoptr(Rig) rig = rig_new("e2003", "");
  assert_int_equal(rig_do(rig, "PROPPATCH", ROOT "Inbox/n.EML", "If-Match: *", patch), 412);
  assert_int_equal(rig_do(rig, "PROPPATCH", ROOT "Inbox/n.EML", "", patch), 207);
  assert_true(rig_says(rig, "<a:status>HTTP/1.1 201 Created</a:status>"));
  assert_true(rig_says(rig, "_x0030_x8570/>"));
  assert_int_equal(rig_do(rig, "PROPPATCH", ROOT "Inbox/n.EML", "Brief: t", patch), 200);
  assert_int_equal(rig_do(rig, "PUT", ROOT "Inbox/n.EML", mail, MESSAGE), 200);
  assert_int_equal(
      rig_do(rig, "SEARCH", ROOT "Inbox/", "",
             "<d:searchrequest xmlns:d=\"DAV:\"><d:sql>SELECT \"http://schemas.microsoft.com/mapi/"
             "id/{00062008-0000-0000-c000-000000000046}/0x8570\" as deleted, "
             "\"http://schemas.microsoft.com/mapi/string/{00020329-0000-0000-c000-000000000046}/"
             "exchangefs-mtime\" FROM \"\"</d:sql></d:searchrequest>"),
      207);
  assert_true(rig_says(rig, "<deleted b:dt=\"int\">7</deleted>"));
  assert_true(rig_says(rig, "exchangefs-mtime>12.5<"));
}

static char *patch_of(const char *ns, const char *local, const char *value)
{
  return g_strdup_printf("<propertyupdate xmlns=\"DAV:\" xmlns:x=\"%s\"><set><prop><x:%s>%s</x:%s>"
                         "</prop></set></propertyupdate>",
                         ns, local, value, local);
}

static void read_flag_moves_nothing_else(void **state)
{
  (void)state;
  g_autoptr(Rig) rig = rig_new("e2003", "");
  rig_do(rig, "PUT", ROOT "Inbox/m.EML", mail, MESSAGE);
  g_autofree char *modified = rig_prop(rig, ROOT "Inbox/m.EML", "DAV:", "getlastmodified");
  g_autofree char *article = rig_prop(rig, ROOT "Inbox/m.EML", PROPTAG, "x0e230003");
  g_autofree char *unread = rig_prop(rig, ROOT "Inbox", "urn:schemas:httpmail:", "unreadcount");
  g_autofree char *tag =
      rig_prop(rig, ROOT "Inbox", "http://schemas.microsoft.com/repl/", "contenttag");
  assert_string_equal(unread, "1");
  g_autofree char *read = patch_of("urn:schemas:httpmail:", "read", "1");
  assert_int_equal(rig_do(rig, "PROPPATCH", ROOT "Inbox/m.EML", "", read), 207);
  g_autofree char *modified2 = rig_prop(rig, ROOT "Inbox/m.EML", "DAV:", "getlastmodified");
  g_autofree char *article2 = rig_prop(rig, ROOT "Inbox/m.EML", PROPTAG, "x0e230003");
  g_autofree char *unread2 = rig_prop(rig, ROOT "Inbox", "urn:schemas:httpmail:", "unreadcount");
  g_autofree char *tag2 =
      rig_prop(rig, ROOT "Inbox", "http://schemas.microsoft.com/repl/", "contenttag");
  assert_string_equal(modified, modified2); /* quirk 12 */
  assert_string_equal(article, article2);
  assert_string_equal(unread2, "0");
  assert_string_not_equal(tag, tag2);
  g_autofree char *subject = patch_of("urn:schemas:httpmail:", "subject", "New");
  rig_do(rig, "PROPPATCH", ROOT "Inbox/m.EML", "", subject);
  g_autofree char *article3 = rig_prop(rig, ROOT "Inbox/m.EML", PROPTAG, "x0e230003");
  assert_string_not_equal(article, article3); /* quirk 13 */
  g_autofree char *flags = patch_of(PROPTAG, "x0e070003", "8");
  rig_do(rig, "PROPPATCH", ROOT "Inbox/m.EML", "", flags);
  g_autofree char *kept = rig_prop(rig, ROOT "Inbox/m.EML", PROPTAG, "x0e070003");
  assert_string_equal(kept, "1"); /* frozen after creation (quirk 30) */
  g_autofree char *locked = patch_of("DAV:", "getetag", "x");
  assert_int_equal(rig_do(rig, "PROPPATCH", ROOT "Inbox/m.EML", "", locked), 207);
  assert_true(rig_says(rig, "403 Forbidden"));
  g_autoptr(Rig) newer = rig_new("e2007", "");
  g_autofree char *control = patch_of("urn:schemas:httpmail:", "subject", "a&#11;b");
  assert_int_equal(rig_do(newer, "PROPPATCH", ROOT "Inbox/m.EML", "", control), 400); /* quirk 9 */
}

static void search_pages_and_refuses(void **state)
{
  (void)state;
  g_autoptr(Rig) rig = rig_new("e2003", "");
  Mailbox *mailbox = model_mailbox(rig->sim.model, "alice");
  assert_true(import_synthetic(&rig->sim, mailbox, "Inbox", 25, NULL));
  const char *order = "WHERE \"DAV:isfolder\" = False ORDER BY \"DAV:creationdate\"";
  assert_int_equal(rig_search(rig, ROOT "Inbox/", order, "rows=0-9"), 207);
  assert_string_equal(rig_header(rig, "Content-Range"), "rows 0-9; total=25");
  assert_int_equal(rig_search(rig, ROOT "Inbox/", order, "rows=20-29"), 207);
  assert_string_equal(rig_header(rig, "Content-Range"), "rows 20-24; total=25");
  assert_int_equal(rig_search(rig, ROOT "Inbox/", order, "rows=-5"), 207);
  assert_string_equal(rig_header(rig, "Content-Range"), "rows 20-24; total=25");
  assert_int_equal(rig_search(rig, ROOT "Inbox/", order, "rows=25-34"), 416);
  assert_int_equal(rig_search(rig, ROOT "Inbox/", "WHERE", ""), 422);
  assert_int_equal(rig_search(rig, ROOT "Inbox/", "WHERE \"DAV:getetag\" = 'x'", ""), 422);
  assert_int_equal(rig_search(rig, ROOT "Inbox/", "WHERE CONTAINS('word')", ""), 422);
  assert_int_equal(rig_search(rig, ROOT "Nowhere/", order, ""), 404);
  assert_int_equal(rig_do(rig, "SEARCH", ROOT, "", "<a"), 400);
  const char *deep =
      "<d:searchrequest xmlns:d=\"DAV:\"><d:sql>SELECT \"DAV:href\" FROM SCOPE('DEEP "
      "TRAVERSAL OF \"\"') WHERE \"DAV:isfolder\" = True</d:sql></d:searchrequest>";
  assert_int_equal(rig_do(rig, "SEARCH", "/public/", "", deep), 422); /* quirk 22 */
  assert_int_equal(rig_do(rig, "SEARCH", ROOT, "", deep), 207);
  g_autoptr(Rig) plain = rig_new("generic", "");
  assert_int_equal(rig_do(plain, "SEARCH", ROOT, "", deep), 405);
}

static void rows_shift_between_pages(void **state)
{
  (void)state;
  g_autoptr(Rig) rig = rig_new("e2003", "shift-rows=1 no-total");
  import_synthetic(&rig->sim, model_mailbox(rig->sim.model, "alice"), "Inbox", 4, NULL);
  rig_search(rig, ROOT "Inbox/", "", "rows=0-1");
  assert_string_equal(rig_header(rig, "Content-Range"), "rows 0-1");
  rig_search(rig, ROOT "Inbox/", "", "rows=2-9");
  assert_string_equal(rig_header(rig, "Content-Range"), "rows 2-4");
}

static void move_and_copy_answer_right(void **state)
{
  (void)state;
  g_autoptr(Rig) rig = rig_new("e2003", "");
  rig_do(rig, "PUT", ROOT "Inbox/a.bin", document, "a");
  rig_do(rig, "PUT", ROOT "Inbox/b.bin", document, "b");
  const char *to_b = "Overwrite: F\nDestination: http://elsewhere" ROOT "Inbox/b.bin";
  assert_int_equal(rig_do(rig, "MOVE", ROOT "Inbox/a.bin", to_b, ""), 412);
  assert_int_equal(rig_do(rig, "MOVE", ROOT "Inbox/a.bin",
                          "Overwrite: F\nAllow-Rename: t\nDestination: " ROOT "Inbox/b.bin", ""),
                   201);
  assert_string_equal(rig_header(rig, "Location"), "http://mail.contoso.com" ROOT "Inbox/b-2.bin");
  assert_int_equal(
      rig_do(rig, "MOVE", ROOT "Inbox/b-2.bin", "Destination: " ROOT "Inbox/b.bin", ""),
      204); /* quirk 36 */
  assert_int_equal(rig_do(rig, "MOVE", ROOT "Inbox/b.bin", "Destination: " ROOT "Inbox/b.bin", ""),
                   403);
  assert_int_equal(rig_do(rig, "MOVE", ROOT "Inbox/b.bin", "Destination: " ROOT "No/b.bin", ""),
                   409);
  assert_int_equal(rig_do(rig, "MOVE", ROOT "Inbox/b.bin", "Destination: /public/b.bin", ""), 502);
  assert_int_equal(rig_do(rig, "MKCOL", ROOT "F", "", ""), 201);
  assert_int_equal(rig_do(rig, "MKCOL", ROOT "F/G", "", ""), 201);
  assert_int_equal(rig_do(rig, "COPY", ROOT "F", "Destination: " ROOT "F/G/H", ""), 403);
  assert_int_equal(rig_do(rig, "COPY", ROOT "F", "Destination: " ROOT "F2", ""), 201);
  assert_int_equal(rig_do(rig, "MKCOL", ROOT "F2/G", "", ""), 405);
  assert_int_equal(rig_do(rig, "DELETE", ROOT "F", "", ""), 200);
  assert_int_equal(rig_do(rig, "DELETE", ROOT "F", "", ""), 404);
  assert_int_equal(rig_do(rig, "DELETE", ROOT "Inbox", "", ""), 403);
  g_autofree char *deleted = rig_prop(rig, ROOT "Inbox", PROPTAG, "x670b0003");
  assert_string_equal(deleted, "1");
}

static void submission_leaves_a_copy(void **state)
{
  (void)state;
  g_autoptr(Rig) rig = rig_new("e2003", "");
  g_autofree char *draft = patch_of(PROPTAG, "x0e070003", "9");
  rig_do(rig, "PROPPATCH", ROOT "Drafts/d.EML", "", draft);
  assert_int_equal(rig_do(rig, "PUT", ROOT "Drafts/d.EML", mail, MESSAGE), 200);
  g_autofree char *flags = rig_prop(rig, ROOT "Drafts/d.EML", PROPTAG, "x0e070003");
  assert_string_equal(flags, "9");
  assert_int_equal(rig_do(rig, "MOVE", ROOT "Drafts/d.EML",
                          "Destination: " ROOT "%23%23DavMailSubmissionURI%23%23", ""),
                   200);
  assert_int_equal(rig_do(rig, "GET", ROOT "Sent%20Items/d.EML", "", ""), 200);
  assert_int_equal(model_submissions(rig->sim.model), 1);
}

static void batch_answers_by_count(void **state)
{
  (void)state;
  const char *one = "<delete xmlns=\"DAV:\"><target><href>a.bin</href></target></delete>";
  const char *two = "<delete xmlns=\"DAV:\"><target><href>b.bin</href><href>" ROOT
                    "Inbox/none</href></target></delete>";
  g_autoptr(Rig) rig = rig_new("e2003", "");
  rig_do(rig, "PUT", ROOT "Inbox/a.bin", document, "");
  rig_do(rig, "PUT", ROOT "Inbox/b.bin", document, "");
  assert_int_equal(rig_do(rig, "BDELETE", ROOT "Inbox", "", one), 400);
  assert_int_equal(rig_do(rig, "BDELETE", ROOT "Inbox/", "", one), 200); /* quirk 39 */
  assert_int_equal(rig_do(rig, "BDELETE", ROOT "Inbox/", "", two), 207);
  assert_true(rig_says(rig, "404 Resource Not Found"));
  assert_false(rig_says(rig, "b.bin"));
  rig_do(rig, "PUT", ROOT "Inbox/c.bin", document, "");
  rig_do(rig, "PUT", ROOT "Inbox/d.bin", document, "");
  rig_do(rig, "PUT", ROOT "Drafts/d.bin", document, "");
  assert_int_equal(rig_do(rig, "BMOVE", ROOT "Inbox/",
                          "Overwrite: f\nAllow-Rename: t\nDestination: " ROOT "Drafts/",
                          "<move xmlns=\"DAV:\"><target><href>c.bin</href><href>d.bin</href>"
                          "</target></move>"),
                   207);
  assert_false(rig_says(rig, "c.bin")); /* quirk 40 */
  assert_true(rig_says(rig, "Drafts/d-2.bin</a:location>"));
  g_autoptr(Rig) locked = rig_new("e2003", "no-batch");
  assert_int_equal(rig_do(locked, "BDELETE", ROOT "Inbox/", "", two), 404);
}

static void switches_make_it_odd(void **state)
{
  (void)state;
  g_autoptr(Rig) rig = rig_new("e2007", "delete-204 href-404 quota=10");
  rig_do(rig, "PUT", ROOT "Inbox/a+b.bin", document, "12345");
  assert_int_equal(rig_do(rig, "PROPFIND", ROOT "Inbox/a%2Bb.bin", "Depth: 0", ""), 404);
  assert_int_equal(rig_do(rig, "PUT", ROOT "Inbox/c.bin", document, "123456"), 507);
  rig_do(rig, "MKCOL", ROOT "F", "", "");
  assert_int_equal(rig_do(rig, "DELETE", ROOT "F", "", ""), 204);
  g_autoptr(Rig) digits = rig_new("e2003", "digit-names ctrl-chars double-names");
  rig_do(digits, "MOVE", ROOT "Inbox", "Destination: " ROOT "Innboks", "");
  rig_do(digits, "PUT", ROOT "Inbox/m.EML", mail, MESSAGE);
  g_autofree char *subject =
      rig_prop(digits, ROOT "Inbox/m.EML", "urn:schemas:httpmail:", "subject");
  assert_string_equal(subject, "Plan\x01");
  assert_true(rig_says(digits, ROOT "Inbox/m.EML"));
  rig_do(digits, "PROPFIND", ROOT "Inbox/", "Depth: 1", "");
  assert_true(rig_says(digits, ROOT "Innboks/</a:href>")); /* quirk 24 */
  assert_true(rig_says(digits, ROOT "Inbox/m.EML</a:href>"));
  rig_do(digits, "PROPFIND", ROOT "Inbox", "Depth: 0",
         "<propfind xmlns=\"DAV:\" xmlns:i=\"http://schemas.microsoft.com/mapi/id/{0}/\"><prop>"
         "<i:32899/></prop></propfind>");
  assert_true(rig_says(digits, "<d:32899/>"));
}

static void plain_server_is_plain(void **state)
{
  (void)state;
  g_autoptr(Rig) rig = rig_new("generic", "quota=100");
  assert_int_equal(rig_do(rig, "PUT", ROOT "Inbox/m.eml", mail, MESSAGE), 201);
  g_autofree char *etag = g_strdup(rig_header(rig, "ETag"));
  rig_do(rig, "GET", ROOT "Inbox/m.eml", "", "");
  assert_string_equal(rig_header(rig, "ETag"), etag);
  g_autofree char *body = rig_body(rig);
  assert_string_equal(body, MESSAGE);
  g_autofree char *length = rig_prop(rig, ROOT "Inbox/m.eml", "DAV:", "getcontentlength");
  assert_int_equal(g_ascii_strtoll(length, NULL, 10), strlen(MESSAGE));
  assert_null(rig_header(rig, "MS-WebStorage"));
  g_autofree char *range = g_strdup_printf("Range: bytes=2-4\nIf-Range: %s", etag);
  assert_int_equal(rig_do(rig, "GET", ROOT "Inbox/m.eml", range, ""), 206);
  g_autofree char *part = rig_body(rig);
  assert_string_equal(part, "bje");
  assert_int_equal(rig_do(rig, "GET", ROOT "Inbox/m.eml", "Range: bytes=2-4\nIf-Range: \"x\"", ""),
                   200);
  assert_int_equal(rig_do(rig, "GET", ROOT "Inbox/m.eml", "Range: bytes=999-", ""), 416);
  g_autofree char *dead = patch_of("http://example.com/ns", "colour", "red");
  assert_int_equal(rig_do(rig, "PROPPATCH", ROOT "Inbox/m.eml", "", dead), 207);
  g_autofree char *colour = rig_prop(rig, ROOT "Inbox/m.eml", "http://example.com/ns", "colour");
  assert_string_equal(colour, "red");
  rig_do(rig, "PROPFIND", ROOT "Inbox/", "Depth: 1", "");
  assert_true(rig_says(rig, "colour>red<"));
  assert_int_equal(rig_do(rig, "PROPPATCH", ROOT "Inbox/none", "", dead), 404);
  g_autofree char *left = rig_prop(rig, ROOT, "DAV:", "quota-available-bytes");
  assert_int_equal(g_ascii_strtoll(left, NULL, 10), 100 - strlen(MESSAGE));
  assert_int_equal(rig_do(rig, "PUT", ROOT "Inbox/n.eml", mail, MESSAGE), 507);
  assert_int_equal(rig_do(rig, "DELETE", ROOT "Inbox/m.eml", "", ""), 204);
}

static void reading_changes_nothing(void **state)
{
  (void)state;
  g_autoptr(Rig) rig = rig_new("e2003", "");
  rig_do(rig, "PUT", ROOT "Inbox/m.EML", mail, MESSAGE);
  model_reset_record(rig->sim.model);
  rig_do(rig, "GET", ROOT "Inbox/m.EML", "", "");
  rig_do(rig, "PROPFIND", ROOT "Inbox/", "Depth: 1", "");
  rig_search(rig, ROOT "Inbox/", "", "rows=0-9");
  g_autofree char *record = model_mutations(rig->sim.model);
  assert_string_equal(record, "");
  rig_do(rig, "DELETE", ROOT "Inbox/m.EML", "", "");
  g_autofree char *after = model_mutations(rig->sim.model);
  assert_true(g_str_has_prefix(after, "1 delete /alice/Inbox/m.EML "));
}

static void pages_for_people(void **state)
{
  (void)state;
  g_autoptr(Rig) rig = rig_new("e2003", "");
  rig_do(rig, "PUT", ROOT "Inbox/m.EML", mail, MESSAGE);
  assert_int_equal(rig_do(rig, "GET", ROOT "Inbox/m.EML", "Translate: t", ""), 200);
  assert_string_equal(rig_header(rig, "Content-Type"), "text/html"); /* quirk 1 */
  assert_int_equal(rig_do(rig, "GET", "/exchange/", "", ""), 200);
  assert_true(rig_says(rig, "<base href=\"http://mail.contoso.com" ROOT "\">"));
  assert_int_equal(rig_do(rig, "POST", ROOT "Inbox/", mail, MESSAGE), 201);
  assert_string_equal(rig_header(rig, "Location"), "http://mail.contoso.com" ROOT "Inbox/Plan.EML");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_survive),
      cmocka_unit_test(names_fold_case_but_keep_it),
      cmocka_unit_test(bad_paths_are_refused),
      cmocka_unit_test(permanent_urls_follow_the_item),
      cmocka_unit_test(propfind_has_the_shape_of_its_profile),
      cmocka_unit_test(depth_is_heeded),
      cmocka_unit_test(put_checks_and_rewrites),
      cmocka_unit_test(sizes_told_are_not_true),
      cmocka_unit_test(proppatch_creates_and_types),
      cmocka_unit_test(read_flag_moves_nothing_else),
      cmocka_unit_test(search_pages_and_refuses),
      cmocka_unit_test(rows_shift_between_pages),
      cmocka_unit_test(move_and_copy_answer_right),
      cmocka_unit_test(submission_leaves_a_copy),
      cmocka_unit_test(batch_answers_by_count),
      cmocka_unit_test(switches_make_it_odd),
      cmocka_unit_test(plain_server_is_plain),
      cmocka_unit_test(reading_changes_nothing),
      cmocka_unit_test(pages_for_people),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
