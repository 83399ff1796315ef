/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of store/webdav against a server that says what a test writes down: answers that no decent
 * server gives, each with the errno and the sentence it must end in.
 */
#include "base/error.h"
#include "store/store_write.h"
#include "store/webdav.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "net_server.h"

static const StoreCall call = {.deadline = G_MAXINT64};

/* ---- the server: the first rule whose text is in the request's head answers ---- */

typedef struct {
  const char *match;  /* in the head */
  const char *answer; /* "STATUS|header\r\nheader|body" */
  int times;          /* so often, then it is passed over; 0: always */
} Rule;

static const Rule *rules;
static int used[32];

static void answer_rule(Conn *conn, const char *text)
{
  g_auto(GStrv) part = g_strsplit(text, "|", 3);
  g_autofree char *length = strstr(part[1], "Content-Length")
                                ? g_strdup("")
                                : g_strdup_printf("Content-Length: %zu\r\n", strlen(part[2]));
  g_autofree char *whole = g_strdup_printf("HTTP/1.1 %s X\r\n%s%s%s\r\n%s", part[0], length,
                                           part[1], *part[1] ? "\r\n" : "", part[2]);
  conn_send(conn, whole);
}

static void serve(Conn *conn)
{
  for (;;) {
    g_autofree char *head = conn_take_head(conn);
    if (!head || !conn_take_body(conn, head))
      return;
    const Rule *hit = NULL;
    pthread_mutex_lock(&conn->server->lock);
    for (int i = 0; rules[i].match && !hit; i++)
      if (strstr(head, rules[i].match) && (!rules[i].times || used[i] < rules[i].times)) {
        used[i]++;
        hit = &rules[i];
      }
    pthread_mutex_unlock(&conn->server->lock);
    if (!hit) {
      conn_send(conn, "HTTP/1.1 418 No rule\r\nContent-Length: 0\r\n\r\n");
      continue;
    }
    answer_rule(conn, hit->answer);
    if (strstr(hit->answer, "Content-Length")) /* promised more than it sends */
      return;
  }
}

#define XML "Content-Type: text/xml"
#define HEAD                                                                                       \
  "<a:multistatus xmlns:a=\"DAV:\" xmlns:r=\"http://schemas.microsoft.com/repl/\" "                \
  "xmlns:e=\"http://schemas.microsoft.com/exchange/\" xmlns:h=\"urn:schemas:httpmail:\">"
#define TAIL "</a:multistatus>"
#define ROW(href, props)                                                                           \
  "<a:response><a:href>" href                                                                      \
  "</a:href><a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop>" props                        \
  "</a:prop></a:propstat></a:response>"
#define ITEM(name, uid)                                                                            \
  ROW("http://other.invalid/m/" name, "<a:isfolder>0</a:isfolder><a:getetag>\"t\"</a:getetag>"     \
                                      "<a:getcontentlength>9</a:getcontentlength>"                 \
                                      "<r:repl-uid>" uid "</r:repl-uid>")
#define PLAIN_ROOT                                                                                 \
  "207|" XML "|" HEAD ROW("/m/", "<a:resourcetype><a:collection/></a:resourcetype>") TAIL
#define EXCHANGE_ROOT                                                                              \
  "207|MS-WebStorage: 6.5.7226\r\n" XML                                                            \
  "|" HEAD ROW("http://other.invalid/m/", "<a:isfolder>1</a:isfolder>"                             \
                                          "<r:repl-uid>rid:1</r:repl-uid>"                         \
                                          "<h:deleteditems>http://x/m/Trash</h:deleteditems>")     \
      TAIL

/* ---- a store on that server ---- */

typedef struct {
  Server *server;
  Store *store;
} Rig;

static void rig_new(Rig *rig, const Rule *with)
{
  rules = with;
  memset(used, 0, sizeof used);
  rig->server = server_new(serve);
  HttpOptions options = {.origin = rig->server->origin, .stall_ms = 2000};
  HttpClient *client = http_client_new(&options, NULL);
  assert_non_null(client);
  rig->store = webdav_store_new(client, "/m/");
}

static void rig_clear(Rig *rig)
{
  store_free(rig->store);
  server_free(rig->server);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Rig, rig_clear)

/* An opened store; the first rule of WITH must answer the probe. */
static void rig_open(Rig *rig, const Rule *with)
{
  g_autoptr(GError) error = NULL;
  rig_new(rig, with);
  if (!store_open(rig->store, &call, &error))
    fail_msg("%s", error->message);
}

static void assert_error(const GError *error, int errnum, const char *words)
{
  assert_non_null(error);
  if (error_errno(error) != errnum || (words && !strstr(error->message, words)))
    fail_msg("errno %d instead of %d, \"%s\" instead of %s", error_errno(error), errnum,
             error->message, words ? words : "?");
}

typedef struct {
  GString *names;
  int resets, ends;
} Seen;

static gboolean see(StoreChangeKind kind, const Entry *entry, gpointer user, GError **error)
{
  (void)error;
  Seen *seen = user;
  seen->resets += kind == CHANGE_RESET;
  seen->ends += kind == CHANGE_END;
  if (kind == CHANGE_ENTRY)
    g_string_append_printf(seen->names, "%s%s ", entry->name, entry->folder ? "/" : "");
  return TRUE;
}

/* The names a listing of the root gives, NULL with ERROR. */
static char *list_root(Rig *rig, GError **error)
{
  Seen seen = {.names = g_string_new(NULL)};
  StoreRef root = {0};
  gboolean good = store_list(rig->store, &call, &root, see, &seen, error);
  assert_int_equal(seen.ends, good ? 1 : 0);
  assert_true(seen.resets <= 1);
  return g_string_free(seen.names, !good);
}

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
      {"440||", EPROTO, "form"},
      {"200|Content-Type: text/html|<html>Log on</html>", EPROTO, "web page"},
      {"207|Content-Type: text/html|<html>Log on</html>", EPROTO, "web page"},
      {"302|Location: /exchweb/bin/auth/owalogon.asp?url=x|", EPROTO, "form"},
      {"302|Location: /owa/auth/logon.aspx?url=x|", EPROTO, "form"},
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
    g_autofree char *names = list_root(&rig, &error);
    if (!cases[i].names)
      assert_error(error, EIO, NULL);
    else if (g_strcmp0(names, cases[i].names) != 0)
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
  g_autofree char *names = list_root(&rig, NULL);
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
    g_autofree char *names = list_root(&rig, &error);
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
  g_autofree char *names = list_root(&rig, &error);
  assert_string_equal(names ? names : error->message, "a b c d ");
  assert_true(server_saw(rig.server, "rows=0-1999"));
}

/* ---- bodies ---- */

typedef struct {
  GString *bytes;
  int begins;
  char *tag;
} Body;

static gboolean body_begin(gint64 total, const Entry *now, gpointer user, GError **error)
{
  (void)total, (void)error;
  Body *body = user;
  body->begins++;
  if (now->tag)
    body->tag = g_strndup(g_bytes_get_data(now->tag, NULL), g_bytes_get_size(now->tag));
  return TRUE;
}

static gboolean body_data(const void *bytes, gsize len, gpointer user, GError **error)
{
  (void)error;
  g_string_append_len(((Body *)user)->bytes, bytes, (gssize)len);
  return TRUE;
}

static GBytes *id_of(const char *segment)
{
  return g_bytes_new(segment, strlen(segment));
}

/* The body of the item "a.eml", or NULL with ERROR; no byte may have been told if BEGINS is 0. */
static char *read_item(Rig *rig, const char *tag, int begins, GError **error)
{
  Body body = {.bytes = g_string_new(NULL)};
  StoreSink sink = {body_begin, body_data, &body};
  StoreRef ref = {.path = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref),
                  .tag = tag ? id_of(tag) : NULL};
  g_ptr_array_add(ref.path, id_of("a.eml"));
  gboolean good = store_read_body(rig->store, &call, &ref, 0, &sink, error);
  assert_int_equal(body.begins, begins);
  if (!begins)
    assert_int_equal(body.bytes->len, 0);
  g_ptr_array_unref(ref.path);
  if (ref.tag)
    g_bytes_unref(ref.tag);
  g_free(body.tag);
  return g_string_free(body.bytes, !good);
}

static void test_bodies(void **state)
{
  (void)state;
  static const struct {
    Rule get[4];
    const char *tag, *text; /* text NULL: fails */
    int errnum, begins;
  } cases[] = {
      {{{"GET", "200|ETag: \"1\"|hello", 0}}, NULL, "hello", 0, 1},
      {{{"GET", "200|ETag: W/\"1\"|hello", 0}}, "\"1\"", "hello", 0, 1},
      {{{"GET", "200|ETag: \"2\"|hello", 0}}, "\"1\"", NULL, ESTALE, 0},
      {{{"GET", "200|ETag: \"1\"\r\nContent-Type: text/html|<html>", 0}}, "\"1\"", NULL, EIO, 0},
      {{{"GET", "204|ETag: \"1\"|", 0}}, NULL, NULL, EIO, 0},
      {{{"GET", "206|ETag: \"1\"\r\nContent-Range: bytes 1-2/3|xx", 0}}, NULL, NULL, EIO, 0},
      {{{"GET", "302|Location: /elsewhere|", 0}}, NULL, NULL, EIO, 0},
      {{{"GET", "401||", 0}}, NULL, NULL, EACCES, 0},
      {{{"GET", "403||", 0}}, NULL, NULL, EACCES, 0},
      {{{"GET", "404||", 0}}, NULL, NULL, ENOENT, 0},
      {{{"GET", "423||", 0}}, NULL, NULL, EBUSY, 0},
      {{{"GET", "440||", 0}}, NULL, NULL, EACCES, 0},
      {{{"GET", "500||", 0}}, NULL, NULL, EIO, 0},
      /* Broken in the middle: the rest is fetched, by range where the server has it. */
      {{{"If-Range: \"1\"", "206|ETag: \"1\"\r\nContent-Range: bytes 2-4/5|llo", 0},
        {"GET", "200|ETag: \"1\"\r\nContent-Length: 5|he", 0}},
       NULL,
       "hello",
       0,
       1},
      {{{"Range: bytes=2-", "200|ETag: \"1\"|hello", 0},
        {"GET", "200|ETag: \"1\"\r\nContent-Length: 5|he", 0}},
       NULL,
       "hello",
       0,
       1},
      {{{"Range: bytes=2-", "200|ETag: \"2\"|HELLO", 0},
        {"GET", "200|ETag: \"1\"\r\nContent-Length: 5|he", 0}},
       NULL,
       NULL,
       ESTALE,
       1},
      {{{"Range: bytes=2-", "206|ETag: \"1\"\r\nContent-Range: bytes 1-4/5|ello", 0},
        {"GET", "200|ETag: \"1\"\r\nContent-Length: 5|he", 0}},
       NULL,
       NULL,
       EIO,
       1},
      {{{"GET", "200|ETag: \"1\"\r\nContent-Length: 5|", 0}}, NULL, NULL, EIO, 1},
      /* Without a tag the version is asked for before and after. */
      {{{"GET", "200||hello", 0},
        {"PROPFIND /m/a.eml", "207|" XML "|" HEAD ITEM("a.eml", "rid:a") TAIL, 0}},
       "\"t\"",
       "hello",
       0,
       1},
      {{{"GET", "200||hello", 0},
        {"PROPFIND /m/a.eml", "207|" XML "|" HEAD ITEM("a.eml", "rid:a") TAIL, 0}},
       "\"s\"",
       NULL,
       ESTALE,
       0},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    Rule with[6] = {{"PROPFIND /m/ ", PLAIN_ROOT, 0}};
    memcpy(with + 1, cases[i].get, sizeof cases[i].get);
    g_auto(Rig) rig = {0};
    g_autoptr(GError) error = NULL;
    rig_open(&rig, with);
    g_autofree char *text = read_item(&rig, cases[i].tag, cases[i].begins, &error);
    if (!cases[i].text)
      assert_error(error, cases[i].errnum, NULL);
    else if (g_strcmp0(text, cases[i].text) != 0)
      fail_msg("case %zu gave %s (%s)", i, text, error ? error->message : "");
    assert_true(server_requests(rig.server) <= 6);
  }
}

/* ---- changes ---- */

static void test_refused_uploads(void **state)
{
  (void)state;
  static const struct {
    const char *answer;
    int errnum;
    gboolean maybe;
    gint64 retry_ms;
  } cases[] = {
      {"401||", EACCES, FALSE, -1},
      {"403||", EACCES, FALSE, -1},
      {"409||", ENOENT, FALSE, -1},
      {"412||", EEXIST, FALSE, -1},
      {"413||", EFBIG, FALSE, -1},
      {"414||", ENAMETOOLONG, FALSE, -1},
      {"415||", EOPNOTSUPP, FALSE, -1},
      {"423||", EBUSY, FALSE, -1},
      {"425||", ENOSPC, FALSE, -1},
      {"507||", ENOSPC, FALSE, -1},
      {"507||<D:quota-not-exceeded/>", EDQUOT, FALSE, -1},
      {"500||the mailbox is over its quota", EDQUOT, FALSE, -1},
      {"500||", EIO, TRUE, -1},
      {"502||", EIO, TRUE, -1},
      {"504||", ETIMEDOUT, TRUE, -1},
      {"423|Retry-After: 7|", EBUSY, FALSE, 7000},
  };
  int fd = memfd_create("body", 0);
  assert_true(write(fd, "x", 1) == 1);
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    const Rule with[] = {{"PROPFIND /m/ ", PLAIN_ROOT, 0}, {"PUT", cases[i].answer, 0}, {0}};
    g_auto(Rig) rig = {0};
    g_auto(Entry) out;
    g_autoptr(GError) error = NULL;
    entry_init(&out);
    rig_open(&rig, with);
    StoreRef root = {0};
    StoreSource source = {fd, 1};
    assert_false(store_create(rig.store, &call, &root, "a.eml", &source, &out, &error));
    assert_error(error, cases[i].errnum, "a.eml");
    assert_int_equal(error_maybe_applied(error), cases[i].maybe);
    assert_true(error_retry_after_ms(error) == cases[i].retry_ms);
    assert_null(out.id);
  }
  close(fd);
}

/* Another writer between our PUT and the question after it: his tag is never taken for ours. */
static void test_the_tag_is_our_own(void **state)
{
  (void)state;
  static const Rule with[] = {
      {"PROPFIND /m/ ", PLAIN_ROOT, 0},
      {"PROPFIND /m/a.eml", "207|" XML "|" HEAD ITEM("a.eml", "rid:a") TAIL, 0},
      {"PUT", "201|ETag: \"ours\"|", 1},
      {"PUT", "201||", 1},
      {0}};
  g_auto(Rig) rig = {0};
  g_auto(Entry) out;
  entry_init(&out);
  rig_open(&rig, with);
  int fd = memfd_create("body", 0);
  assert_true(write(fd, "xyz", 3) == 3);
  StoreRef root = {0};
  StoreSource source = {fd, 3};
  assert_true(store_create(rig.store, &call, &root, "a.eml", &source, &out, NULL));
  assert_int_equal(g_bytes_get_size(out.tag), 6);
  assert_int_equal(out.size, 3);
  assert_true(store_create(rig.store, &call, &root, "a.eml", &source, &out, NULL));
  assert_null(out.tag); /* without a tag in the answer the size gave it away */
  close(fd);
}

/* A folder is removed only out of reach and found empty twice. */
static void test_rmfolder(void **state)
{
  (void)state;
  static const Rule with[] = {
      {"PROPFIND /m/ ", EXCHANGE_ROOT, 0},
      {"SEARCH /m/full/", "207|" XML "|" HEAD ROW("/m/full/a", "") TAIL, 0},
      {"SEARCH /m/gone/", "207|" XML "|" HEAD TAIL, 0},
      {"SEARCH /m/Trash/gone/", "207|" XML "|" HEAD ROW("/m/Trash/gone/late", "") TAIL, 0},
      {"SEARCH /m/empty/", "207|" XML "|" HEAD TAIL, 0},
      {"SEARCH /m/Trash/empty", "207|" XML "|" HEAD TAIL, 0},
      {"MOVE /m/empty/", "412||", 1},
      {"MOVE", "201||", 0},
      {"DELETE", "200||", 0},
      {0}};
  g_auto(Rig) rig = {0};
  rig_open(&rig, with);
  assert_true(store_caps(rig.store)->trash);
  static const char *const folders[] = {"full/", "gone/", "empty/"};
  for (gsize i = 0; i < G_N_ELEMENTS(folders); i++) {
    g_autoptr(GError) error = NULL;
    StoreRef ref = {.path = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref)};
    g_ptr_array_add(ref.path, id_of(folders[i]));
    gboolean good = store_rmfolder(rig.store, &call, &ref, &error);
    if (i == 0)
      assert_error(error, ENOTEMPTY, NULL);
    else if (!good)
      fail_msg("%s: %s", folders[i], error->message);
    g_ptr_array_unref(ref.path);
  }
  assert_true(server_saw(rig.server, "Overwrite: F"));
  assert_false(server_saw(rig.server, "MOVE /m/full"));
  assert_false(server_saw(rig.server, "DELETE /m/gone"));
  assert_false(server_saw(rig.server, "DELETE /m/Trash/gone"));
  assert_true(server_saw(rig.server, "DELETE /m/Trash/empty-"));
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_open),
      cmocka_unit_test(test_redirect_is_adopted_once),
      cmocka_unit_test(test_listing_hrefs),
      cmocka_unit_test(test_hidden_and_forbidden_rows),
      cmocka_unit_test(test_a_listing_that_repeats),
      cmocka_unit_test(test_rows_that_shift),
      cmocka_unit_test(test_bodies),
      cmocka_unit_test(test_refused_uploads),
      cmocka_unit_test(test_the_tag_is_our_own),
      cmocka_unit_test(test_rmfolder),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
