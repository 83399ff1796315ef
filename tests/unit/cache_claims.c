/* SPDX-License-Identifier: Apache-2.0 */
/* Listings into the index while changes of our own are under way. */
#include "cache_fixture.h"

static void claimed_rows_are_left_alone(void **state)
{
  Fixture *f = *state;
  list(f, (const char *[]){"a=1:x", "b=2:x", NULL});
  gint64 a = ino_of(f->index, INO_ROOT, "a"), b = ino_of(f->index, INO_ROOT, "b");
  IndexQuestion before, during, after;
  index_ask(f->index, a, &before);
  begin(f);
  index_claim(f->index, a);
  index_ask(f->index, a, &during);
  add(f, "b", "2", "x"); /* a is missed, as it is on its way elsewhere */
  end(f);
  begin(f);
  index_unclaim(f->index, a);
  add(f, "a", "1", "y");
  add(f, "b", "2", "y");
  end(f);
  index_ask(f->index, a, &after);

  g_auto(Node) node;
  g_auto(Entry) told;
  node_init(&node);
  assert_true(index_get(f->index, a, &node, NULL));
  assert_int_equal(node.version, 1);
  assert_true(index_get(f->index, b, &node, NULL));
  assert_int_equal(node.version, 2);
  tell(&told, "a", "1", "y");
  assert_true(index_update(f->index, &before, &told, &node, NULL));
  assert_int_equal(node.version, 1);
  assert_true(index_update(f->index, &during, NULL, &node, NULL));
  assert_true(index_update(f->index, &after, &told, &node, NULL));
  assert_int_equal(node.version, 2);
}

/* A listing that sees a new item before the answer to its PUT shows no second one of its name. */
static void a_claimed_name_gets_no_twin(void **state)
{
  Fixture *f = *state;
  g_auto(Entry) local;
  g_auto(Node) node;
  node_init(&node);
  tell(&local, "n", NULL, NULL);
  local.fields = FIELD_SIZE;
  g_clear_pointer(&local.id, g_bytes_unref);
  assert_true(index_insert(f->index, INO_ROOT, "n", &local, NODE_LOCAL, &node, NULL));
  index_claim(f->index, node.ino);
  begin(f);
  add(f, "n", "1", "x");
  index_doubt(f->index, node.ino); /* the PUT was refused: somebody else's it is */
  end(f);
  index_unclaim(f->index, node.ino);
  assert_int_equal(index_count(f->index, INO_ROOT, NULL), 1);
  assert_true(index_get(f->index, INO_ROOT, &node, NULL));
  assert_int_equal(node.listed, 0);
  list(f, (const char *[]){"n=1:x", NULL});
  assert_int_equal(index_count(f->index, INO_ROOT, NULL), 2);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      TEST(claimed_rows_are_left_alone),
      TEST(a_claimed_name_gets_no_twin),
  };
  return RUN(tests);
}
