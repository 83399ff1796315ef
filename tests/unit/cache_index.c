/* SPDX-License-Identifier: Apache-2.0 */
/* The index: rows and how single changes go into them. */
#include "cache_fixture.h"

#include "cache/index_private.h"

/* Asks about INO and answers ENTRY at once. */
static gboolean told(Index *index, gint64 ino, const Entry *entry, Node *out, GError **error)
{
  IndexQuestion question;
  index_ask(index, ino, &question);
  return index_update(index, &question, entry, out, error);
}

static void reopen(Fixture *f)
{
  index_close(f->index);
  f->index = open_index(f->dir);
}

static void the_root(void **state)
{
  Fixture *f = *state;
  g_auto(Node) node;
  node_init(&node);
  assert_true(index_get(f->index, INO_ROOT, &node, NULL));
  assert_true(node.entry.folder);
  assert_int_equal(node.parent, 0);
  assert_int_equal(node.version, 1);
  assert_int_equal(node.listed, 0);
  g_autoptr(GPtrArray) path = index_path(f->index, INO_ROOT, NULL);
  assert_int_equal(path->len, 0);
  g_autoptr(GError) error = NULL;
  assert_false(index_delete(f->index, INO_ROOT, &error));
  assert_int_equal(error_errno(error), EBUSY);
}

static void rows_survive(void **state)
{
  Fixture *f = *state;
  g_auto(Entry) entry;
  tell(&entry, "a.eml", "id", "tag");
  entry.match_key = bytes_of("key");
  entry.message_class = g_strdup("IPM.Note");
  entry.fields |= FIELD_CLASS;
  entry.created = -5;
  entry.flags = ENTRY_READ;
  g_auto(Node) node;
  node_init(&node);
  assert_true(index_insert(f->index, INO_ROOT, "a.eml", &entry, NODE_MTIME_OWED, &node, NULL));
  assert_int_equal(node.ino, INO_FIRST);
  reopen(f);
  g_auto(Node) again;
  node_init(&again);
  look(f->index, INO_ROOT, "a.eml", &again);
  assert_int_equal(again.ino, INO_FIRST);
  assert_int_equal(again.state, NODE_MTIME_OWED);
  assert_int_equal(again.changed, node.changed);
  assert_true(bytes_same(again.entry.id, entry.id) && bytes_same(again.entry.tag, entry.tag));
  assert_true(bytes_same(again.entry.match_key, entry.match_key));
  assert_string_equal(again.entry.name, "a.eml");
  assert_string_equal(again.entry.message_class, "IPM.Note");
  assert_int_equal(again.entry.created, -5);
  assert_int_equal(again.entry.modified, 2000000000);
  assert_true(again.entry.user_mtime == TIME_UNKNOWN);
  assert_int_equal(again.entry.size, 100);
  assert_int_equal(again.entry.size_kind, SIZE_ESTIMATE);
  assert_int_equal(again.entry.flags, ENTRY_READ);
  assert_int_equal(again.entry.fields, entry.fields);
  g_auto(Node) by_id;
  node_init(&by_id);
  assert_true(index_find_id(f->index, INO_ROOT, entry.id, &by_id, NULL));
  assert_int_equal(by_id.ino, INO_FIRST);
}

static void numbers_are_never_used_again(void **state)
{
  Fixture *f = *state;
  gint64 last = 0;
  for (guint i = 0; i < 5; i++) {
    gint64 ino = put(f->index, INO_ROOT, "a", "1", FALSE);
    assert_true(ino > last && ino >= INO_FIRST);
    last = ino;
    assert_true(index_delete(f->index, ino, NULL));
    assert_true(index_delete(f->index, ino, NULL));
    reopen(f);
  }
}

static gboolean until_five(const Node *node, gpointer user)
{
  GArray *seen = user;
  g_array_append_val(seen, node->ino);
  return seen->len < 5;
}

static gboolean collect(const Node *node, gpointer user)
{
  g_array_append_val((GArray *)user, node->ino);
  return TRUE;
}

static void children_from_any_place(void **state)
{
  Fixture *f = *state;
  for (guint i = 0; i < 600; i++) {
    char name[16];
    g_snprintf(name, sizeof name, "n%u", 600 - i);
    put(f->index, INO_ROOT, name, "1", FALSE);
  }
  g_autoptr(GArray) all = g_array_new(FALSE, FALSE, sizeof(gint64));
  g_autoptr(GArray) rest = g_array_new(FALSE, FALSE, sizeof(gint64));
  g_autoptr(GArray) five = g_array_new(FALSE, FALSE, sizeof(gint64));
  assert_true(index_children(f->index, INO_ROOT, 0, collect, all, NULL));
  assert_true(
      index_children(f->index, INO_ROOT, g_array_index(all, gint64, 299), collect, rest, NULL));
  assert_true(index_children(f->index, INO_ROOT, 0, until_five, five, NULL));
  assert_int_equal(all->len, 600);
  assert_int_equal(rest->len, 300);
  assert_int_equal(five->len, 5);
  for (guint i = 0; i < 300; i++)
    assert_int_equal(g_array_index(rest, gint64, i), g_array_index(all, gint64, 300 + i));
}

static gboolean delete_it(const Node *node, gpointer user)
{
  return index_delete(user, node->ino, NULL);
}

static void the_walk_holds_no_lock(void **state)
{
  Fixture *f = *state;
  for (guint i = 0; i < 300; i++) {
    char name[16];
    g_snprintf(name, sizeof name, "n%u", i);
    put(f->index, INO_ROOT, name, "1", FALSE);
  }
  assert_true(index_children(f->index, INO_ROOT, 0, delete_it, f->index, NULL));
  assert_int_equal(index_count(f->index, INO_ROOT, NULL), 0);
}

static void counts_stop_where_they_are_told(void **state)
{
  Fixture *f = *state;
  for (int i = 0; i < 5; i++) {
    g_autofree char *name = g_strdup_printf("f%d", i);
    put(f->index, INO_ROOT, name, "1", FALSE);
  }
  assert_int_equal(index_count_upto(f->index, INO_ROOT, 3), 3);
  assert_int_equal(index_count_upto(f->index, INO_ROOT, 9), 5);
}

static void rows_by_state(void **state)
{
  Fixture *f = *state;
  gint64 a = put(f->index, INO_ROOT, "a", "1", FALSE), b = put(f->index, INO_ROOT, "b", "1", FALSE);
  put(f->index, INO_ROOT, "c", "1", FALSE);
  assert_true(index_set_mtime(f->index, a, 5, TRUE, NULL));
  assert_true(index_set_mtime(f->index, b, 5, TRUE, NULL));
  g_autoptr(GArray) all = index_with_state(f->index, NODE_MTIME_OWED, 10, NULL);
  g_autoptr(GArray) one = index_with_state(f->index, NODE_MTIME_OWED, 1, NULL);
  assert_int_equal(all->len, 2);
  assert_int_equal(one->len, 1);
  assert_true(index_set_mtime(f->index, a, 5, FALSE, NULL));
  g_autoptr(GArray) rest = index_with_state(f->index, NODE_MTIME_OWED, 10, NULL);
  assert_int_equal(rest->len, 1);
  assert_int_equal(g_array_index(rest, gint64, 0), b);
}

static void paths(void **state)
{
  Fixture *f = *state;
  gint64 one = put(f->index, INO_ROOT, "one", NULL, TRUE);
  gint64 two = put(f->index, one, "two", NULL, TRUE);
  gint64 file = put(f->index, two, "file", "1", FALSE);
  g_autoptr(GPtrArray) path = index_path(f->index, file, NULL);
  const char *const expected[] = {"one", "two", "file"};
  assert_int_equal(path->len, 3);
  for (guint i = 0; i < 3; i++) {
    g_autoptr(GBytes) id = bytes_of(expected[i]);
    assert_true(g_bytes_equal(g_ptr_array_index(path, i), id));
  }
  assert_true(index_is_below(f->index, file, one));
  assert_true(index_is_below(f->index, file, INO_ROOT));
  assert_true(index_is_below(f->index, one, one));
  assert_false(index_is_below(f->index, one, two));

  g_auto(Entry) local;
  g_auto(Node) node;
  entry_init(&local);
  node_init(&node);
  assert_true(index_insert(f->index, two, ".swp", &local, NODE_LOCAL, &node, NULL));
  g_autoptr(GError) error = NULL;
  assert_null(index_path(f->index, node.ino, &error));
  assert_null(error);
  assert_true(index_delete(f->index, one, NULL));
  assert_null(index_path(f->index, file, &error));
  assert_null(error);
  assert_false(index_get(f->index, file, &node, &error));
  assert_null(error);
}

static void updates(void **state)
{
  Fixture *f = *state;
  gint64 ino = put(f->index, INO_ROOT, "a", "1", FALSE);
  put(f->index, INO_ROOT, "b", "1", FALSE);
  g_auto(Node) before;
  g_auto(Node) node;
  node_init(&before);
  node_init(&node);
  index_get(f->index, ino, &before, NULL);
  g_auto(Entry) same;
  tell(&same, "a", NULL, "1");
  assert_true(told(f->index, ino, &same, &node, NULL));
  assert_int_equal(node.version, 1);
  assert_int_equal(node.changed, before.changed);
  assert_true(node.checked >= before.checked);
  /* Another name of the server's, and that one is taken. */
  g_auto(Entry) other;
  tell(&other, "b", "a", "2");
  assert_true(told(f->index, ino, &other, &node, NULL));
  assert_string_equal(node.name, "b (2)");
  assert_int_equal(node.version, 2);
  assert_true(node.changed > before.changed);
  /* Not a file any more. */
  g_auto(Entry) folder;
  tell(&folder, "b", "a", "2");
  folder.folder = TRUE;
  g_autoptr(GError) error = NULL;
  assert_false(told(f->index, ino, &folder, &node, &error));
  assert_null(error);
  assert_false(told(f->index, 12345, &same, &node, &error));
  assert_null(error);
}

static void inserts_update_what_is_there(void **state)
{
  Fixture *f = *state;
  g_auto(Node) node;
  node_init(&node);
  gint64 ino = put(f->index, INO_ROOT, "a", "1", FALSE);
  assert_int_equal(put(f->index, INO_ROOT, "a", "2", FALSE), ino);
  index_get(f->index, ino, &node, NULL);
  assert_int_equal(node.version, 2);
  /* By id, under another spelling. */
  g_auto(Entry) spelled;
  tell(&spelled, "a", NULL, "2");
  assert_true(index_insert(f->index, INO_ROOT, "A", &spelled, 0, &node, NULL));
  assert_int_equal(node.ino, ino);
  assert_string_equal(node.name, "a");
  /* A folder of that name is another thing. */
  assert_int_not_equal(put(f->index, INO_ROOT, "a", NULL, TRUE), ino);
  g_autoptr(GError) error = NULL;
  assert_false(index_insert(f->index, 4711, "x", &spelled, 0, &node, &error));
  assert_int_equal(error_errno(error), ENOENT);
}

static void our_own_writes(void **state)
{
  Fixture *f = *state;
  g_auto(Node) node;
  node_init(&node);
  gint64 ino = put(f->index, INO_ROOT, "a", "1", FALSE);
  assert_true(index_set_mtime(f->index, ino, 42, FALSE, NULL));
  g_auto(Entry) entry;
  tell(&entry, "a", NULL, "2");
  assert_true(index_written(f->index, ino, &entry, TRUE, 4321, &node, NULL));
  assert_int_equal(node.version, 1);
  assert_int_equal(node.entry.size, 4321);
  assert_int_equal(node.entry.size_kind, SIZE_EXACT);
  assert_true(bytes_same(node.entry.tag, entry.tag));
  assert_true(node.entry.user_mtime == TIME_UNKNOWN);
  assert_true(index_written(f->index, ino, &entry, FALSE, 4321, &node, NULL));
  assert_int_equal(node.version, 2);
  assert_int_equal(node.entry.size, 100);
  assert_int_equal(node.entry.size_kind, SIZE_ESTIMATE);
  /* A server that answered nothing: the tag of the bytes before is not that of these. */
  g_auto(Entry) silent;
  entry_init(&silent);
  assert_true(index_written(f->index, ino, &silent, TRUE, 7, &node, NULL));
  assert_null(node.entry.tag);
  assert_int_equal(node.entry.size, 7);
  assert_true(index_set_mtime(f->index, ino, 42, TRUE, NULL));
  assert_true(index_written(f->index, ino, &entry, TRUE, 7, &node, NULL));
  assert_int_equal(node.entry.user_mtime, 42);
  assert_int_equal(node.state, NODE_MTIME_OWED);
  g_autoptr(GError) error = NULL;
  assert_false(index_written(f->index, 4711, &entry, TRUE, 1, NULL, &error));
  assert_null(error);
}

static void measured_sizes(void **state)
{
  Fixture *f = *state;
  g_auto(Node) node;
  node_init(&node);
  gint64 ino = put(f->index, INO_ROOT, "a", "1", FALSE);
  assert_true(index_set_size(f->index, ino, 9, 55, NULL));
  index_get(f->index, ino, &node, NULL);
  assert_int_equal(node.entry.size, 100);
  assert_true(index_set_size(f->index, ino, 1, 55, NULL));
  assert_true(index_set_size(f->index, 4711, 1, 55, NULL));
  put(f->index, INO_ROOT, "a", "1", FALSE);
  reopen(f);
  index_get(f->index, ino, &node, NULL);
  assert_int_equal(node.entry.size, 55);
  assert_int_equal(node.entry.size_kind, SIZE_EXACT);
}

static void renames(void **state)
{
  Fixture *f = *state;
  g_auto(Node) node;
  node_init(&node);
  gint64 sub = put(f->index, INO_ROOT, "sub", NULL, TRUE);
  gint64 a = put(f->index, INO_ROOT, "a", "1", FALSE), b = put(f->index, sub, "b", "1", FALSE);
  assert_true(index_set_size(f->index, a, 1, 55, NULL));
  assert_true(index_set_mtime(f->index, a, 42, FALSE, NULL));
  g_auto(Entry) moved;
  tell(&moved, "b", NULL, "9");
  assert_true(index_rename(f->index, a, sub, "b", &moved, NULL));
  assert_false(index_get(f->index, b, &node, NULL));
  look(f->index, sub, "b", &node);
  assert_int_equal(node.ino, a);
  assert_int_equal(node.version, 1);
  assert_int_equal(node.entry.size, 55);
  assert_int_equal(node.entry.user_mtime, 42);
  assert_true(bytes_same(node.entry.id, moved.id) && bytes_same(node.entry.tag, moved.tag));
  g_autoptr(GError) error = NULL;
  assert_false(index_rename(f->index, sub, sub, "x", NULL, &error));
  assert_int_equal(error_errno(error), EINVAL);
  g_clear_error(&error);
  assert_false(index_rename(f->index, a, 4711, "x", NULL, &error));
  assert_int_equal(error_errno(error), ENOENT);
  g_clear_error(&error);
  /* Nothing of what failed is left half done. */
  look(f->index, sub, "b", &node);
  assert_int_equal(node.ino, a);
  assert_false(index_rename(f->index, 4711, sub, "x", NULL, &error));
  assert_null(error);
  /* Onto itself. */
  assert_true(index_rename(f->index, a, sub, "b", NULL, NULL));
  assert_int_equal(ino_of(f->index, sub, "b"), a);
}

static void folders_know_that_they_changed(void **state)
{
  Fixture *f = *state;
  g_auto(Node) before;
  g_auto(Node) made;
  g_auto(Node) after;
  node_init(&made);
  assert_true(index_get(f->index, INO_ROOT, &made, NULL));
  node_init(&before);
  node_init(&after);
  put(f->index, INO_ROOT, "first", "1", FALSE);
  index_get(f->index, INO_ROOT, &after, NULL);
  assert_true(after.listing > 0 && after.changed == made.changed); /* we only get to know it */
  assert_true(index_confirm(f->index, INO_ROOT, NULL));
  index_get(f->index, INO_ROOT, &before, NULL);
  gint64 a = put(f->index, INO_ROOT, "a", "1", FALSE);
  index_get(f->index, INO_ROOT, &after, NULL);
  assert_true(after.listing > before.listing && after.changed > before.changed);
  assert_true(index_rename(f->index, a, INO_ROOT, "b", NULL, NULL));
  index_get(f->index, INO_ROOT, &before, NULL);
  assert_true(before.listing > after.listing);
  assert_true(index_delete(f->index, a, NULL));
  index_get(f->index, INO_ROOT, &after, NULL);
  assert_true(after.listing > before.listing);
}

static void confirmed_and_forgotten(void **state)
{
  Fixture *f = *state;
  g_auto(Node) node;
  node_init(&node);
  gint64 a = put(f->index, INO_ROOT, "a", "1", FALSE);
  index_get(f->index, a, &node, NULL);
  gint64 checked = node.checked;
  g_usleep(2000);
  assert_true(index_confirm(f->index, INO_ROOT, NULL));
  index_get(f->index, a, &node, NULL);
  assert_true(node.checked > checked);
  index_get(f->index, INO_ROOT, &node, NULL);
  assert_true(node.listed > checked && node.checked == node.listed);
  assert_true(index_forget_listing(f->index, INO_ROOT, NULL));
  index_get(f->index, INO_ROOT, &node, NULL);
  assert_int_equal(node.listed, 0);
  index_get(f->index, a, &node, NULL);
  assert_int_equal(node.checked, checked);
}

static void a_full_disk(void **state)
{
  Fixture *f = *state;
  gint64 first = put(f->index, INO_ROOT, "first", "1", FALSE);
  assert_true(db_exec(f->index->db, "PRAGMA max_page_count=20", NULL));
  g_autoptr(GError) error = NULL;
  IndexListing *listing = index_list_begin(f->index, INO_ROOT);
  for (guint i = 0; i < 5000 && !error; i++) {
    g_auto(Entry) entry;
    char name[32];
    g_snprintf(name, sizeof name, "message %u", i);
    tell(&entry, name, NULL, "1");
    index_list_add(listing, &entry, &error);
  }
  assert_int_equal(error_errno(error), ENOSPC);
  assert_int_equal(error_scope(error), SCOPE_LOCAL);
  index_list_abort(listing);
  g_auto(Node) node;
  node_init(&node);
  look(f->index, INO_ROOT, "first", &node);
  assert_int_equal(node.ino, first);
  assert_int_equal(index_count(f->index, INO_ROOT, NULL), 1);
  assert_true(db_exec(f->index->db, "PRAGMA max_page_count=100000", NULL));
  put(f->index, INO_ROOT, "second", "1", FALSE);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(the_root),
      TEST(rows_survive),
      TEST(numbers_are_never_used_again),
      TEST(children_from_any_place),
      TEST(the_walk_holds_no_lock),
      TEST(counts_stop_where_they_are_told),
      TEST(rows_by_state),
      TEST(paths),
      TEST(updates),
      TEST(inserts_update_what_is_there),
      TEST(our_own_writes),
      TEST(measured_sizes),
      TEST(renames),
      TEST(folders_know_that_they_changed),
      TEST(confirmed_and_forgotten),
      TEST(a_full_disk),
  };
  return RUN(tests);
}
