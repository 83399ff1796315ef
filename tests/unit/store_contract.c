/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract of store.h and store_write.h, as one suite for every back-end and server. The server
 * is named by the environment: XFS_STORE_URL ("http://127.0.0.1:8025/exchange/alice/"),
 * XFS_STORE_USER, XFS_STORE_PASSWORD; without a URL everything is skipped. It works in a folder of
 * its own below the root and removes it.
 */
#include "store_contract.h"

/* A name with all that has to be escaped. */
#define DOC                                                                                        \
  "d\xC3\xB6"                                                                                      \
  "c & +.bin"

/* ---- the tests ---- */

static void test_root(void **state)
{
  (void)state;
  g_autoptr(StoreRef) root = ref_to(NULL);
  g_auto(Entry) entry;
  entry_init(&entry);
  GOOD(store_stat(store, &call, root, &entry, &error));
  assert_true(entry.folder);
  g_autoptr(GHashTable) names = list(root);
  assert_true(g_hash_table_size(names) > 0);
  StoreQuota quota;
  GOOD(store_quota(store, &call, &quota, &error));
  assert_true(quota.available >= -1);
}

static void test_create_and_read(void **state)
{
  (void)state;
  g_autoptr(StoreRef) folder = ref_to(&home, NULL);
  g_auto(Entry) made;
  entry_init(&made);
  create(folder, "hello.eml", MESSAGE, &made);
  assert_string_equal(made.name, "hello.eml");
  assert_false(made.folder);
  assert_non_null(made.id);
  assert_true(made.fields & FIELD_SIZE && made.size > 0);
  assert_true(entry_mtime(&made) > 0);

  StoreSource source = source_of("x", 1);
  g_auto(Entry) twin;
  entry_init(&twin);
  FAILS(EEXIST, store_create(store, &call, folder, "hello.eml", &source, &twin, &error));
  close(source.fd);

  g_autoptr(StoreRef) ref = ref_to(&home, &made, NULL);
  ref->tag = made.tag;
  g_autofree char *text = read_text(ref, 0);
  assert_non_null(strstr(text, "Subject: Contract"));
  assert_non_null(strstr(text, "Hello"));
  if (store_caps(store)->bytes_stable)
    assert_string_equal(text, MESSAGE);
  if (store_caps(store)->exact_size)
    assert_int_equal(made.size, strlen(MESSAGE));
  else
    assert_true(made.size_kind != SIZE_ESTIMATE || made.size >= (gint64)strlen(text));
  if (store_caps(store)->range_read) {
    g_autofree char *tail = read_text(ref, 5);
    assert_string_equal(tail, text + 5);
  }
}

static void test_listing_agrees(void **state)
{
  (void)state;
  g_autoptr(StoreRef) folder = ref_to(&home, NULL);
  g_auto(Entry) made;
  entry_init(&made);
  create(folder, "listed.eml", MESSAGE, &made);
  g_autoptr(GHashTable) names = list(folder);
  const Entry *listed = g_hash_table_lookup(names, "listed.eml");
  assert_non_null(listed);
  assert_true(bytes_same(listed->id, made.id));
  assert_true(bytes_same(listed->tag, made.tag));
  assert_true(bytes_same(listed->match_key, made.match_key));
  assert_true(listed->size == made.size);
  assert_true(listed->modified == made.modified);
  g_auto(Entry) found;
  entry_init(&found);
  GOOD(store_find(store, &call, folder, "listed.eml", &found, &error));
  assert_true(bytes_same(found.id, made.id));
  FAILS(ENOENT, store_find(store, &call, folder, "none such.eml", &found, &error));
  g_autoptr(StoreRef) file = ref_to(&home, &made, NULL);
  Listing nothing = {.names = names};
  FAILS(error_errno(error), store_list(store, &call, file, take, &nothing, &error));
}

static void test_names(void **state)
{
  (void)state;
  static const char *const names[] = {
      "50% a&b.eml",          "q?.eml",    "x~y.eml", "C:\\.eml",         "\xC3\xA9t\xC3\xA9.eml",
      "\xF0\x9F\x98\x80.eml", "a#b;c.eml", "a+b.eml", "it's [1] {2}.eml", "a_xF8FF_b.eml"};
  g_autoptr(StoreRef) folder = ref_to(&home, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    g_auto(Entry) made;
    entry_init(&made);
    create(folder, names[i], MESSAGE, &made);
    assert_string_equal(made.name, names[i]);
    g_autoptr(StoreRef) ref = ref_to(&home, &made, NULL);
    g_autofree char *text = read_text(ref, 0);
    assert_non_null(strstr(text, "Hello"));
    g_auto(Entry) found;
    entry_init(&found);
    GOOD(store_find(store, &call, folder, names[i], &found, &error));
    assert_string_equal(found.name, names[i]);
  }
  g_autoptr(GHashTable) listed = list(folder);
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    const Entry *entry = g_hash_table_lookup(listed, names[i]);
    if (!entry)
      fail_msg("%s is not listed", names[i]);
    g_autoptr(StoreRef) ref = ref_to(&home, entry, NULL);
    GOOD(store_remove(store, &call, ref, &error));
  }
}

static void test_replace(void **state)
{
  (void)state;
  g_autoptr(StoreRef) folder = ref_to(&home, NULL);
  g_auto(Entry) first, second, third;
  entry_init(&first);
  entry_init(&second);
  entry_init(&third);
  create(folder, DOC, "one", &first);
  g_autoptr(StoreRef) ref = ref_to(&home, &first, NULL);
  ref->tag = first.tag;
  StoreSource source = source_of("two!", 4);
  GOOD(store_replace(store, &call, ref, &source, &second, &error));
  assert_string_equal(second.name, DOC);
  if (first.tag)
    FAILS(ESTALE, store_replace(store, &call, ref, &source, &third, &error));

  g_autoptr(StoreRef) again = ref_to(&home, &second, NULL);
  again->tag = second.tag;
  close(source.fd);
  source = source_of("three", 5);
  GOOD(store_replace(store, &call, again, &source, &third, &error));
  g_autoptr(StoreRef) last = ref_to(&home, &third, NULL);
  g_autofree char *text = read_text(last, 0);
  assert_string_equal(text, "three");

  /* An outdated tag is refused before a byte is told. */
  Body body;
  StoreSink sink;
  body_init(&body, &sink);
  if (second.tag)
    FAILS(ESTALE, store_read_body(store, &call, again, 0, &sink, &error));
  assert_int_equal(body.begins, 0);
  if (second.tag)
    FAILS(ESTALE, store_remove(store, &call, again, &error));
  body_clear(&body);
  close(source.fd);
  last->tag = third.tag;
  GOOD(store_remove(store, &call, last, &error));
  FAILS(ENOENT, store_stat(store, &call, last, &first, &error));
  source = source_of("four", 4);
  last->tag = NULL;
  FAILS(ESTALE, store_replace(store, &call, last, &source, &first, &error) ||
                    (error_errno(error) == ENOENT && (error->code = ESTALE, FALSE)));
  close(source.fd);
}

static void test_mtime(void **state)
{
  (void)state;
  g_autoptr(StoreRef) folder = ref_to(&home, NULL);
  g_auto(Entry) made, timed;
  entry_init(&made);
  entry_init(&timed);
  create(folder, "timed.bin", "x", &made);
  g_autoptr(StoreRef) ref = ref_to(&home, &made, NULL);
  ref->tag = made.tag;
  if (!store_caps(store)->keeps_mtime)
    skip();
  const gint64 mtime = 1078814200123456789;
  GOOD(store_set_mtime(store, &call, ref, mtime, &timed, &error));
  assert_true(timed.user_mtime == mtime);
  g_autoptr(GHashTable) names = list(folder);
  const Entry *listed = g_hash_table_lookup(names, "timed.bin");
  assert_true(listed->user_mtime == mtime);
  assert_true(entry_mtime(listed) == mtime);
  assert_true(bytes_same(listed->tag, timed.tag));
  g_autoptr(StoreRef) now = ref_to(&home, &timed, NULL);
  now->tag = timed.tag;
  g_autofree char *text = read_text(now, 0);
  assert_string_equal(text, "x");
}

static void test_move(void **state)
{
  (void)state;
  g_autoptr(StoreRef) folder = ref_to(&home, NULL);
  g_auto(Entry) a, b, moved, sub;
  entry_init(&a);
  entry_init(&b);
  entry_init(&moved);
  entry_init(&sub);
  create(folder, "a.bin", "aaa", &a);
  create(folder, "b.bin", "bbb", &b);
  g_autoptr(StoreRef) ref_a = ref_to(&home, &a, NULL);
  FAILS(EEXIST, store_move(store, &call, ref_a, folder, "b.bin", FALSE, &moved, &error));
  GOOD(store_move(store, &call, ref_a, folder, "b.bin", TRUE, &moved, &error));
  g_autoptr(StoreRef) ref_b = ref_to(&home, &moved, NULL);
  g_autofree char *text = read_text(ref_b, 0);
  assert_string_equal(text, "aaa");
  FAILS(ENOENT, store_stat(store, &call, ref_a, &a, &error));

  GOOD(store_mkfolder(store, &call, folder, "sub dir", &sub, &error));
  assert_true(sub.folder);
  FAILS(EEXIST, store_mkfolder(store, &call, folder, "sub dir", &b, &error));
  g_autoptr(StoreRef) into = ref_to(&home, &sub, NULL);
  GOOD(store_move(store, &call, ref_b, into, "c.bin", FALSE, &moved, &error));
  FAILS(ENOTEMPTY, store_rmfolder(store, &call, into, &error));

  /* A renamed folder takes what is in it along; the ids below it hold. */
  GOOD(store_move(store, &call, into, folder, "other dir", FALSE, &sub, &error));
  assert_true(sub.folder);
  g_autoptr(StoreRef) ref_c = ref_to(&home, &sub, &moved, NULL);
  g_autofree char *inside = read_text(ref_c, 0);
  assert_string_equal(inside, "aaa");
  GOOD(store_remove(store, &call, ref_c, &error));
  g_autoptr(StoreRef) renamed = ref_to(&home, &sub, NULL);
  GOOD(store_rmfolder(store, &call, renamed, &error));
  FAILS(ENOENT, store_list(store, &call, renamed, take, NULL, &error));
  FAILS(ENOENT, store_mkfolder(store, &call, renamed, "x", &b, &error));
  StoreSource source = source_of("x", 1);
  FAILS(ENOENT, store_create(store, &call, renamed, "x.bin", &source, &b, &error));
  close(source.fd);
}

static void test_probe(void **state)
{
  (void)state;
  g_autoptr(StoreRef) folder = ref_to(&home, NULL);
  g_autoptr(GBytes) before = NULL;
  g_autoptr(GBytes) same = NULL;
  g_autoptr(GBytes) after = NULL;
  if (!store_caps(store)->content_tag) {
    FAILS(ENOTSUP, store_probe(store, &call, folder, &before, &error));
    return;
  }
  GOOD(store_probe(store, &call, folder, &before, &error));
  GOOD(store_probe(store, &call, folder, &same, &error));
  assert_true(bytes_same(before, same));
  g_auto(Entry) made;
  entry_init(&made);
  create(folder, "probe.eml", MESSAGE, &made);
  GOOD(store_probe(store, &call, folder, &after, &error));
  assert_false(bytes_same(before, after));
}

/* More than one page on Exchange; nothing missing, nothing twice. */
static void test_many(void **state)
{
  (void)state;
  g_autoptr(StoreRef) folder = ref_to(&home, NULL);
  g_auto(Entry) sub;
  entry_init(&sub);
  GOOD(store_mkfolder(store, &call, folder, "many", &sub, &error));
  g_autoptr(StoreRef) many = ref_to(&home, &sub, NULL);
  for (int i = 0; i < 450; i++) {
    g_auto(Entry) made;
    entry_init(&made);
    g_autofree char *name = g_strdup_printf("%d.bin", i);
    create(many, name, name, &made);
  }
  g_autoptr(GHashTable) names = list(many);
  assert_int_equal(g_hash_table_size(names), 450);
  GHashTableIter iter;
  gpointer entry;
  g_hash_table_iter_init(&iter, names);
  while (g_hash_table_iter_next(&iter, NULL, &entry)) {
    g_autoptr(StoreRef) ref = ref_to(&home, &sub, entry, NULL);
    GOOD(store_remove(store, &call, ref, &error));
  }
  GOOD(store_rmfolder(store, &call, many, &error));
}

static void test_cancelled(void **state)
{
  (void)state;
  g_autoptr(Cancel) cancel = cancel_new();
  cancel_trigger(cancel);
  StoreCall cancelled = {.cancel = cancel, .deadline = G_MAXINT64};
  g_autoptr(StoreRef) root = ref_to(NULL);
  FAILS(EINTR, store_list(store, &cancelled, root, take, NULL, &error));
}

/* ---- set-up ---- */

static int set_up(void **state)
{
  (void)state;
  const char *url = g_getenv("XFS_STORE_URL");
  const char *password = g_getenv("XFS_STORE_PASSWORD");
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  const char *path = strchr(strstr(url, "://") + 3, '/');
  g_autofree char *origin = g_strndup(url, (gsize)(path - url));
  g_autoptr(Secret) secret = password ? secret_new(password, strlen(password)) : NULL;
  HttpOptions options = {.origin = origin,
                         .schemes = HTTP_AUTH_ALL,
                         .user = g_getenv("XFS_STORE_USER"),
                         .password = secret};
  HttpClient *client = NULL;
  GOOD((client = http_client_new(&options, &error)) != NULL);
  store = webdav_store_new(client, path);
  GOOD(store_open(store, &call, &error));
  print_message("%s\n", store_caps(store)->description);
  g_autoptr(StoreRef) root = ref_to(NULL);
  g_autofree char *name = g_strdup_printf("contract %08x", g_random_int());
  entry_init(&home);
  GOOD(store_mkfolder(store, &call, root, name, &home, &error));
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  g_autoptr(StoreRef) folder = ref_to(&home, NULL);
  g_autoptr(GHashTable) names = list(folder);
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, names);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    Entry *entry = value;
    g_autoptr(StoreRef) ref = ref_to(&home, entry, NULL);
    if (entry->folder)
      GOOD(store_rmfolder(store, &call, ref, &error));
    else
      GOOD(store_remove(store, &call, ref, &error));
  }
  GOOD(store_rmfolder(store, &call, folder, &error));
  entry_clear(&home);
  store_free(store);
  return 0;
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_root),           cmocka_unit_test(test_create_and_read),
      cmocka_unit_test(test_listing_agrees), cmocka_unit_test(test_names),
      cmocka_unit_test(test_replace),        cmocka_unit_test(test_mtime),
      cmocka_unit_test(test_move),           cmocka_unit_test(test_probe),
      cmocka_unit_test(test_many),           cmocka_unit_test(test_cancelled),
  };
  if (!g_getenv("XFS_STORE_URL")) {
    print_message("skipped: XFS_STORE_URL names no server\n");
    return 0;
  }
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
