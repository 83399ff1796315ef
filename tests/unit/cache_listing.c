/* SPDX-License-Identifier: Apache-2.0 */
/* Listings into the index: matching, names, what is gone, what local changes keep. */
#include "cache_fixture.h"

static gboolean collect(const Node *node, gpointer user)
{
  g_string_append_printf(user, "%s%s", ((GString *)user)->len ? "," : "", node->name);
  return TRUE;
}

static void assert_members(Fixture *f, gint64 folder, const char *expected)
{
  g_autoptr(GString) names = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  assert_ok(index_children(f->index, folder, 0, collect, names, &error), error);
  assert_string_equal(names->str, expected);
  gint64 expected_count = 0;
  for (const char *c = expected; *c; c++)
    expected_count += *c == ',';
  assert_int_equal(index_count(f->index, folder, NULL), *expected ? expected_count + 1 : 0);
}

static void inserts_and_deletes(void **state)
{
  Fixture *f = *state;
  assert_true(LIST(f, "a=a:1", "b=b:1", "c=c:1"));
  assert_members(f, INO_ROOT, "a,b,c");
  assert_int_equal(ino_of(f->index, INO_ROOT, "a"), INO_FIRST);
  gint64 b = ino_of(f->index, INO_ROOT, "b");
  assert_false(LIST(f, "c=c:1", "b=b:1", "a=a:1"));
  assert_true(LIST(f, "b=b:1", "d=d:1"));
  assert_members(f, INO_ROOT, "b,d");
  assert_int_equal(ino_of(f->index, INO_ROOT, "b"), b);
  assert_true(list(f, (const char *const[]){NULL}));
  assert_members(f, INO_ROOT, "");
}

static void absence_counts_only_at_the_end(void **state)
{
  Fixture *f = *state;
  LIST(f, "a=a:1", "b=b:1");
  g_auto(Node) before;
  g_auto(Node) after;
  node_init(&before);
  node_init(&after);
  index_get(f->index, INO_ROOT, &before, NULL);
  assert_true(before.listed > 0);
  begin(f);
  add(f, "b", NULL, "1");
  assert_members(f, INO_ROOT, "a,b");
  index_list_abort(f->listing);
  assert_members(f, INO_ROOT, "a,b");
  index_get(f->index, INO_ROOT, &after, NULL);
  assert_int_equal(after.listed, before.listed);
  assert_int_equal(after.listing, before.listing);
}

static void what_was_below_goes_too(void **state)
{
  Fixture *f = *state;
  g_auto(Entry) entry;
  tell(&entry, "sub", NULL, NULL);
  entry.folder = TRUE;
  begin(f);
  add_entry(f, &entry);
  end(f);
  gint64 sub = ino_of(f->index, INO_ROOT, "sub");
  gint64 deep = put(f->index, sub, "deep", NULL, TRUE);
  gint64 file = put(f->index, deep, "file", "1", FALSE);
  LIST(f, "other=other:1");
  g_auto(Node) node;
  node_init(&node);
  assert_false(index_get(f->index, sub, &node, NULL));
  assert_false(index_get(f->index, deep, &node, NULL));
  assert_false(index_get(f->index, file, &node, NULL));
}

static void a_new_tag_is_a_new_version(void **state)
{
  Fixture *f = *state;
  LIST(f, "a=a:1");
  g_auto(Node) node;
  node_init(&node);
  look(f->index, INO_ROOT, "a", &node);
  assert_int_equal(node.version, 1);
  gint64 changed = node.changed;
  assert_true(index_set_size(f->index, node.ino, 1, 77, NULL));
  assert_false(LIST(f, "a=a:1"));
  look(f->index, INO_ROOT, "a", &node);
  assert_int_equal(node.version, 1);
  assert_int_equal(node.entry.size, 77);
  assert_int_equal(node.entry.size_kind, SIZE_EXACT);
  assert_int_equal(node.changed, changed);
  assert_true(LIST(f, "a=a:2"));
  look(f->index, INO_ROOT, "a", &node);
  assert_int_equal(node.version, 2);
  assert_int_equal(node.entry.size, 100);
  assert_int_equal(node.entry.size_kind, SIZE_ESTIMATE);
  assert_true(node.changed > changed);
}

static void renamed_by_others(void **state)
{
  Fixture *f = *state;
  g_auto(Entry) entry;
  tell(&entry, "old", NULL, "1");
  entry.match_key = bytes_of("key");
  begin(f);
  add_entry(f, &entry);
  end(f);
  gint64 ino = ino_of(f->index, INO_ROOT, "old");

  g_auto(Entry) moved;
  tell(&moved, "new", NULL, "1");
  moved.match_key = bytes_of("key");
  begin(f);
  add_entry(f, &moved);
  assert_true(end(f));
  assert_members(f, INO_ROOT, "new");
  assert_int_equal(ino_of(f->index, INO_ROOT, "new"), ino);

  /* A copy has the same key: the row that was seen by its id keeps it. */
  g_auto(Entry) copy;
  tell(&copy, "copy", NULL, "1");
  copy.match_key = bytes_of("key");
  begin(f);
  add_entry(f, &moved);
  add_entry(f, &copy);
  end(f);
  assert_members(f, INO_ROOT, "new,copy");
  assert_int_equal(ino_of(f->index, INO_ROOT, "new"), ino);
}

static void same_id_other_name(void **state)
{
  Fixture *f = *state;
  LIST(f, "a=id1:1", "b=id2:1");
  gint64 one = ino_of(f->index, INO_ROOT, "a"), two = ino_of(f->index, INO_ROOT, "b");
  assert_true(LIST(f, "b=id1:1", "a=id2:1"));
  assert_int_equal(ino_of(f->index, INO_ROOT, "b"), one);
  assert_int_equal(ino_of(f->index, INO_ROOT, "a"), two);
}

static void twins_are_stable(void **state)
{
  Fixture *f = *state;
  LIST(f, "x.eml=1:1", "x.eml=2:1", "x.eml=3:1");
  assert_members(f, INO_ROOT, "x.eml,x (2).eml,x (3).eml");
  gint64 first = ino_of(f->index, INO_ROOT, "x.eml");
  gint64 second = ino_of(f->index, INO_ROOT, "x (2).eml");
  gint64 third = ino_of(f->index, INO_ROOT, "x (3).eml");
  assert_false(LIST(f, "x.eml=3:1", "x.eml=2:1", "x.eml=1:1"));
  assert_int_equal(ino_of(f->index, INO_ROOT, "x.eml"), first);
  assert_int_equal(ino_of(f->index, INO_ROOT, "x (2).eml"), second);
  assert_int_equal(ino_of(f->index, INO_ROOT, "x (3).eml"), third);
  LIST(f, "x.eml=4:1", "x.eml=3:1", "x.eml=2:1");
  assert_int_equal(ino_of(f->index, INO_ROOT, "x (2).eml"), second);
  assert_int_equal(ino_of(f->index, INO_ROOT, "x (3).eml"), third);
  /* The plain name came free only at the end; the new item has it then. */
  assert_int_not_equal(ino_of(f->index, INO_ROOT, "x.eml"), 0);
  assert_int_not_equal(ino_of(f->index, INO_ROOT, "x.eml"), first);
  assert_members(f, INO_ROOT, "x (2).eml,x (3).eml,x.eml");
}

static void names_that_cannot_be_shown(void **state)
{
  Fixture *f = *state;
  g_auto(Entry) anonymous;
  tell(&anonymous, "y", NULL, "1");
  g_clear_pointer(&anonymous.id, g_bytes_unref);
  begin(f);
  add(f, "..", "1", "1");
  add(f, "", "2", "1");
  add(f, "a/b", "3", "1");
  add(f, "bad\xff", "4", "1");
  add_entry(f, &anonymous);
  end(f);
  assert_members(f, INO_ROOT, "a_xF8FF_b,bad\xEF\xBF\xBD");
  /* The server's spelling is kept as it came. */
  g_auto(Node) node;
  node_init(&node);
  look(f->index, INO_ROOT, "bad\xEF\xBF\xBD", &node);
  assert_string_equal(node.entry.name, "bad\xff");
}

static void local_and_hidden_rows_stay(void **state)
{
  Fixture *f = *state;
  g_auto(Entry) local;
  g_auto(Entry) hidden;
  tell(&local, ".x.swp", NULL, NULL);
  local.fields = FIELD_SIZE | FIELD_TIMES;
  g_clear_pointer(&local.id, g_bytes_unref);
  tell(&hidden, "secret", NULL, "1");
  assert_true(index_insert(f->index, INO_ROOT, ".x.swp", &local, NODE_LOCAL, NULL, NULL));
  assert_true(index_insert(f->index, INO_ROOT, "secret", &hidden, NODE_HIDDEN, NULL, NULL));
  gint64 ino = ino_of(f->index, INO_ROOT, ".x.swp");
  LIST(f, "a=a:1", ".x.swp=srv:1");
  assert_members(f, INO_ROOT, ".x.swp,a,.x (2).swp");
  assert_int_equal(ino_of(f->index, INO_ROOT, ".x.swp"), ino);
  assert_int_not_equal(ino_of(f->index, INO_ROOT, "secret"), 0);
  /* One that the server lists after all is hidden no more. */
  LIST(f, "secret=secret:1");
  assert_members(f, INO_ROOT, ".x.swp,secret");
}

static void another_kind_is_another_thing(void **state)
{
  Fixture *f = *state;
  LIST(f, "a=a:1");
  gint64 ino = ino_of(f->index, INO_ROOT, "a");
  g_auto(Entry) folder;
  tell(&folder, "a", NULL, "1");
  folder.folder = TRUE;
  begin(f);
  add_entry(f, &folder);
  assert_true(end(f));
  g_auto(Node) node;
  node_init(&node);
  look(f->index, INO_ROOT, "a", &node);
  assert_true(node.entry.folder);
  assert_int_not_equal(node.ino, ino);
}

static void local_changes_win(void **state)
{
  Fixture *f = *state;
  LIST(f, "deleted=deleted:1", "moved=moved:1", "written=written:1", "plain=plain:1",
       "late=late:1");
  g_auto(Entry) wrote;
  g_auto(Entry) renamed;
  tell(&wrote, "written", NULL, "2");
  tell(&renamed, "renamed", NULL, "1");
  begin(f);
  gint64 sub = put(f->index, INO_ROOT, "sub", NULL, TRUE);
  gint64 moved = ino_of(f->index, INO_ROOT, "moved");
  assert_true(index_delete(f->index, ino_of(f->index, INO_ROOT, "deleted"), NULL));
  assert_true(index_rename(f->index, moved, sub, "moved", NULL, NULL));
  assert_true(
      index_written(f->index, ino_of(f->index, INO_ROOT, "written"), &wrote, TRUE, 5, NULL, NULL));
  assert_true(index_rename(f->index, ino_of(f->index, INO_ROOT, "late"), INO_ROOT, "renamed",
                           &renamed, NULL));
  put(f->index, INO_ROOT, "created", "1", FALSE);
  add(f, "deleted", NULL, "1");
  add(f, "moved", NULL, "1");
  add(f, "written", NULL, "1");
  add(f, "plain", NULL, "1");
  add(f, "late", NULL, "1");
  end(f);
  assert_members(f, INO_ROOT, "written,plain,renamed,sub,created");
  assert_members(f, sub, "moved");
  g_auto(Node) node;
  node_init(&node);
  look(f->index, INO_ROOT, "written", &node);
  assert_int_equal(node.version, 1);
  assert_int_equal(node.entry.size, 5);
  assert_int_equal(node.entry.size_kind, SIZE_EXACT);
}

static void our_item_seen_before_its_reply(void **state)
{
  Fixture *f = *state;
  g_auto(Entry) local;
  g_auto(Entry) answer;
  tell(&local, "n", NULL, NULL);
  local.fields = FIELD_SIZE;
  tell(&answer, "n", "server-id", "1");
  assert_true(index_insert(f->index, INO_ROOT, "n", &local, NODE_LOCAL, NULL, NULL));
  gint64 ino = ino_of(f->index, INO_ROOT, "n");
  LIST(f, "n=server-id:1");
  assert_members(f, INO_ROOT, "n,n (2)");
  assert_true(index_written(f->index, ino, &answer, TRUE, 9, NULL, NULL));
  assert_members(f, INO_ROOT, "n");
  assert_int_equal(ino_of(f->index, INO_ROOT, "n"), ino);
  assert_false(LIST(f, "n=server-id:1"));
}

static void folder_removed_meanwhile(void **state)
{
  Fixture *f = *state;
  gint64 sub = put(f->index, INO_ROOT, "sub", NULL, TRUE);
  f->listing = index_list_begin(f->index, sub);
  add(f, "a", NULL, "1");
  assert_true(index_delete(f->index, sub, NULL));
  g_autoptr(GError) error = NULL;
  gboolean changed = FALSE;
  assert_false(index_list_end(f->listing, NULL, &changed, &error));
  assert_int_equal(error_errno(error), ENOENT);
  assert_members(f, sub, "");
}

static void content_tag_and_counter(void **state)
{
  Fixture *f = *state;
  g_auto(Node) node;
  g_autoptr(GBytes) tag = bytes_of("content");
  node_init(&node);
  LIST(f, "a=a:1");
  index_get(f->index, INO_ROOT, &node, NULL);
  gint64 counter = node.listing;
  begin(f);
  add(f, "a", NULL, "1");
  assert_true(index_list_end(f->listing, tag, NULL, NULL));
  index_get(f->index, INO_ROOT, &node, NULL);
  assert_int_equal(node.listing, counter);
  assert_true(bytes_same(node.entry.content_tag, tag));
  LIST(f, "a=a:2");
  index_get(f->index, INO_ROOT, &node, NULL);
  assert_int_equal(node.listing, counter + 1);
  assert_null(node.entry.content_tag);
}

static void a_listing_confirms_its_rows(void **state)
{
  Fixture *f = *state;
  g_auto(Node) node;
  node_init(&node);
  LIST(f, "a=a:1");
  look(f->index, INO_ROOT, "a", &node);
  gint64 first = node.checked;
  g_usleep(2000);
  LIST(f, "a=a:1");
  look(f->index, INO_ROOT, "a", &node);
  assert_true(node.checked > first);
}

#define MANY 100000

static void add_many(Fixture *f, const char *tag)
{
  for (guint i = 0; i < MANY; i++) {
    char name[32];
    g_snprintf(name, sizeof name, "message %u.eml", i);
    add(f, name, NULL, tag);
  }
}

static gboolean in_order(const Node *node, gpointer user)
{
  gint64 *last = user;
  assert_true(node->ino > *last);
  *last = node->ino;
  return TRUE;
}

static void a_hundred_thousand(void **state)
{
  Fixture *f = *state;
  gint64 last = 0;
  begin(f);
  add_many(f, "1");
  assert_true(end(f));
  assert_int_equal(index_count(f->index, INO_ROOT, NULL), MANY);
  begin(f);
  add_many(f, "1");
  assert_false(end(f));
  begin(f);
  add_many(f, "2");
  assert_true(end(f));
  assert_true(index_children(f->index, INO_ROOT, 0, in_order, &last, NULL));
  assert_int_equal(index_count(f->index, INO_ROOT, NULL), MANY);
  assert_true(list(f, (const char *const[]){NULL}));
  assert_int_equal(index_count(f->index, INO_ROOT, NULL), 0);
}

static void one_name_for_all(void **state)
{
  Fixture *f = *state;
  char id[32];
  begin(f);
  for (guint i = 0; i < 20000; i++) {
    g_snprintf(id, sizeof id, "id%u", i);
    add(f, "same.eml", id, "1");
  }
  end(f);
  assert_int_equal(index_count(f->index, INO_ROOT, NULL), 20000);
  assert_int_not_equal(ino_of(f->index, INO_ROOT, "same (20000).eml"), 0);
}

static void a_listing_that_repeats(void **state)
{
  Fixture *f = *state;
  LIST(f, "a=a:1", "a=a:1", "b=b:1", "a=a:1");
  assert_members(f, INO_ROOT, "a,b");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(inserts_and_deletes),
      TEST(absence_counts_only_at_the_end),
      TEST(what_was_below_goes_too),
      TEST(a_new_tag_is_a_new_version),
      TEST(renamed_by_others),
      TEST(same_id_other_name),
      TEST(twins_are_stable),
      TEST(names_that_cannot_be_shown),
      TEST(local_and_hidden_rows_stay),
      TEST(another_kind_is_another_thing),
      TEST(local_changes_win),
      TEST(our_item_seen_before_its_reply),
      TEST(folder_removed_meanwhile),
      TEST(content_tag_and_counter),
      TEST(a_listing_confirms_its_rows),
      TEST(a_hundred_thousand),
      TEST(one_name_for_all),
      TEST(a_listing_that_repeats),
  };
  return RUN(tests);
}
