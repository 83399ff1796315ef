/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of store/webdav's bodies and changes against a server that misbehaves: no wrong byte, no
 * other writer's tag, no folder deleted with what is in it.
 */
#include "store_rig.h"

#include <sys/mman.h>

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
      {{{"Range: bytes=2-", "206|ETag: \"1\"\r\nContent-Range: bytes 2-4/5|ll", 0},
        {"GET", "200|ETag: \"1\"\r\nContent-Length: 5|he", 0}},
       NULL,
       NULL,
       EIO,
       1},
      {{{"GET", "200|ETag: \"1\"\r\nContent-Length: 5|", 0}}, NULL, NULL, EIO, 1},
      /* Without a tag the version is asked for before and after. */
      {{{"GET", "200||hello you", 0},
        {"PROPFIND /m/a.eml", "207|" XML "|" HEAD ITEM("a.eml", "rid:a") TAIL, 0}},
       "\"t\"",
       "hello you",
       0,
       1},
      {{{"GET", "200||hello, this is a page", 0},
        {"PROPFIND /m/a.eml", "207|" XML "|" HEAD ITEM("a.eml", "rid:a") TAIL, 0}},
       "\"t\"",
       NULL,
       EIO,
       0},
      {{{"GET", "200||hello you", 0},
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
      cmocka_unit_test(test_bodies),
      cmocka_unit_test(test_refused_uploads),
      cmocka_unit_test(test_the_tag_is_our_own),
      cmocka_unit_test(test_rmfolder),
  };
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  return cmocka_run_group_tests(tests, NULL, NULL);
}
