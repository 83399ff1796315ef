/* SPDX-License-Identifier: Apache-2.0 */
/* The pure parts of cache/ by tables: what is a new version, and which bodies go. */
#include "cache_support.h"

#include "base/rule.h"
#include "cache/evict.h"
#include "cache/merge.h"

/* A version as far as it is known; NULL, 0: not. */
typedef struct {
  const char *tag;
  gint64 modified;
  gint64 size;
  SizeKind kind;
  guint32 fields;
} Version;

#define ALL (FIELD_ID | FIELD_SIZE | FIELD_TIMES)

static void fill(Entry *entry, const Version *version)
{
  entry_init(entry);
  entry->fields = version->fields;
  entry->tag = bytes_of(version->tag);
  entry->modified = version->modified ? version->modified : TIME_UNKNOWN;
  entry->size = version->size;
  entry->size_kind = version->kind;
}

static void what_is_a_new_version(void **state)
{
  (void)state;
  static const struct {
    const char *what;
    Version held, told;
    gint64 version;
    gint64 size;
    SizeKind kind;
  } table[] = {
      {"the same tag",
       {"1", 5, 10, SIZE_ESTIMATE, ALL},
       {"1", 5, 10, SIZE_ESTIMATE, ALL},
       1,
       10,
       SIZE_ESTIMATE},
      {"another tag",
       {"1", 5, 10, SIZE_EXACT, ALL},
       {"2", 5, 20, SIZE_ESTIMATE, ALL},
       2,
       20,
       SIZE_ESTIMATE},
      {"another tag, no size",
       {"1", 5, 10, SIZE_EXACT, ALL},
       {"2", 0, 0, SIZE_UNKNOWN, FIELD_ID},
       2,
       0,
       SIZE_UNKNOWN},
      {"a tag outweighs the time",
       {"1", 5, 10, SIZE_EXACT, ALL},
       {"1", 6, 10, SIZE_EXACT, ALL},
       1,
       10,
       SIZE_EXACT},
      {"a measured size stays",
       {"1", 5, 7, SIZE_EXACT, ALL},
       {"1", 5, 10, SIZE_ESTIMATE, ALL},
       1,
       7,
       SIZE_EXACT},
      {"an estimate is refined",
       {"1", 5, 10, SIZE_ESTIMATE, ALL},
       {"1", 5, 7, SIZE_EXACT, ALL},
       1,
       7,
       SIZE_EXACT},
      {"an unknown size tells nothing",
       {"1", 5, 10, SIZE_ESTIMATE, ALL},
       {"1", 5, 0, SIZE_UNKNOWN, ALL},
       1,
       10,
       SIZE_ESTIMATE},
      {"no tags, the same time",
       {NULL, 5, 10, SIZE_EXACT, ALL},
       {NULL, 5, 10, SIZE_EXACT, ALL},
       1,
       10,
       SIZE_EXACT},
      {"no tags, another time",
       {NULL, 5, 10, SIZE_EXACT, ALL},
       {NULL, 6, 10, SIZE_EXACT, ALL},
       2,
       10,
       SIZE_EXACT},
      {"no tags, another size",
       {NULL, 5, 10, SIZE_EXACT, ALL},
       {NULL, 5, 11, SIZE_EXACT, ALL},
       2,
       11,
       SIZE_EXACT},
      {"a partial record says nothing",
       {"1", 5, 10, SIZE_EXACT, ALL},
       {NULL, 9, 0, SIZE_UNKNOWN, FIELD_TIMES},
       1,
       10,
       SIZE_EXACT},
      {"the first tag, proved by the time",
       {NULL, 5, 10, SIZE_EXACT, ALL},
       {"1", 5, 10, SIZE_EXACT, ALL},
       1,
       10,
       SIZE_EXACT},
      {"the first tag, unproved",
       {NULL, 0, 10, SIZE_EXACT, ALL},
       {"1", 0, 10, SIZE_EXACT, ALL},
       2,
       10,
       SIZE_EXACT},
      {"the first record of all",
       {NULL, 0, 0, SIZE_UNKNOWN, 0},
       {"1", 5, 10, SIZE_ESTIMATE, ALL},
       1,
       10,
       SIZE_ESTIMATE},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_auto(Node) node;
    g_auto(Entry) told;
    node_init(&node);
    fill(&node.entry, &table[i].held);
    fill(&told, &table[i].told);
    guint result = merge_told(&node, &told);
    if (node.version != table[i].version || node.entry.size != table[i].size ||
        node.entry.size_kind != table[i].kind ||
        ((result & MERGE_VERSION) != 0) != (table[i].version == 2))
      fail_msg("%s: version %u, size %" G_GINT64_FORMAT " kind %d", table[i].what, node.version,
               node.entry.size, (int)node.entry.size_kind);
  }
}

static void a_folder_has_one_version(void **state)
{
  (void)state;
  g_auto(Node) node;
  g_auto(Entry) told;
  node_init(&node);
  fill(&node.entry, &(Version){"1", 5, 0, SIZE_UNKNOWN, ALL});
  fill(&told, &(Version){"2", 6, 0, SIZE_UNKNOWN, ALL});
  node.entry.folder = told.folder = TRUE;
  assert_true(merge_told(&node, &told) & MERGE_SEEN);
  assert_int_equal(node.version, 1);
}

static void mtimes_of_users(void **state)
{
  (void)state;
  static const struct {
    const char *what;
    guint32 state;
    gint64 held, told;
    const char *tag;
    gint64 expected;
  } table[] = {
      {"kept where the server keeps none", 0, 7, TIME_UNKNOWN, "1", 7},
      {"the server's own", 0, 7, 8, "1", 8},
      {"gone with its version", 0, 7, TIME_UNKNOWN, "2", TIME_UNKNOWN},
      {"owed: ours", NODE_MTIME_OWED, 7, 8, "1", 7},
      {"owed: ours, whatever the version", NODE_MTIME_OWED, 7, TIME_UNKNOWN, "2", 7},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    g_auto(Node) node;
    g_auto(Entry) told;
    node_init(&node);
    fill(&node.entry, &(Version){"1", 5, 10, SIZE_EXACT, ALL});
    fill(&told, &(Version){table[i].tag, 5, 10, SIZE_EXACT, ALL});
    node.state = table[i].state;
    node.entry.user_mtime = table[i].held;
    told.user_mtime = table[i].told;
    merge_told(&node, &told);
    if (node.entry.user_mtime != table[i].expected)
      fail_msg("%s: %" G_GINT64_FORMAT, table[i].what, node.entry.user_mtime);
  }
}

static void only_known_flags_count(void **state)
{
  (void)state;
  g_auto(Node) node;
  g_auto(Entry) told;
  node_init(&node);
  entry_init(&told);
  node.entry.flags = ENTRY_READ;
  node.entry.flags_known = ENTRY_READ;
  told.fields = FIELD_FLAGS;
  told.flags = ENTRY_READONLY;
  told.flags_known = ENTRY_READONLY;
  assert_true(merge_told(&node, &told) & MERGE_SEEN);
  assert_int_equal(node.entry.flags, ENTRY_READ | ENTRY_READONLY);
  assert_int_equal(merge_told(&node, &told), 0);
}

static void which_bodies_go(void **state)
{
  (void)state;
  static const struct {
    EvictCandidate bodies[5];
    guint n;
    gint64 excess;
    const char *victims;
  } table[] = {
      {{{10, FALSE}, {10, FALSE}}, 2, 0, ""},
      {{{10, FALSE}, {10, FALSE}, {10, FALSE}}, 3, 10, "0"},
      {{{10, FALSE}, {10, FALSE}, {10, FALSE}}, 3, 11, "01"},
      {{{10, TRUE}, {10, FALSE}, {10, FALSE}}, 3, 10, "1"},
      {{{10, TRUE}, {10, TRUE}, {5, FALSE}}, 3, 30, "2"},
      {{{1, FALSE}, {1, FALSE}, {1000, FALSE}, {1, FALSE}}, 4, 100, "012"},
      {{{0}}, 0, 100, ""},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(table); i++) {
    guint victims[5];
    g_autoptr(GString) text = g_string_new(NULL);
    guint chosen = evict_choose(table[i].bodies, table[i].n, table[i].excess, victims);
    for (guint v = 0; v < chosen; v++)
      g_string_append_printf(text, "%u", victims[v]);
    assert_string_equal(text->str, table[i].victims);
  }
}

static void how_much_goes(void **state)
{
  (void)state;
  assert_int_equal(evict_excess(0, 100), 0);
  assert_int_equal(evict_excess(100, 100), 0);
  assert_int_equal(evict_excess(101, 100), 4);
  assert_int_equal(evict_excess(3200, 3200), 0);
  assert_int_equal(evict_excess(3201, 3200), 101);
  assert_int_equal(evict_excess(5, 0), 5);
  assert_int_equal(evict_shortage(1 << 20, 8 << 20), 0);
  assert_int_equal(evict_shortage((1 << 20) - 5, 8 << 20), 5);
  assert_int_equal(evict_shortage((gint64)1 << 30, (gint64)1 << 40), 0);
  assert_int_equal(evict_shortage(0, (gint64)1 << 40), 32 << 20);
}

int main(void)
{
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_a_new_version), cmocka_unit_test(a_folder_has_one_version),
      cmocka_unit_test(mtimes_of_users),       cmocka_unit_test(only_known_flags_count),
      cmocka_unit_test(which_bodies_go),       cmocka_unit_test(how_much_goes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
