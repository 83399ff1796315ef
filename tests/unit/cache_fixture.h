/* SPDX-License-Identifier: Apache-2.0 */
/* An index in a directory of its own for each test, and listings of its root in few words. */
#pragma once

#include "cache_support.h"

#include "base/rule.h"

typedef struct {
  char *dir;
  Index *index;
  IndexListing *listing;
} Fixture;

static inline int set_up(void **state)
{
  Fixture *f = g_new0(Fixture, 1);
  f->dir = make_dir();
  f->index = open_index(f->dir);
  *state = f;
  return 0;
}

static inline int tear_down(void **state)
{
  Fixture *f = *state;
  index_close(f->index);
  remove_tree(f->dir);
  g_free(f->dir);
  g_free(f);
  return 0;
}

static inline void add_entry(Fixture *f, const Entry *entry)
{
  g_autoptr(GError) error = NULL;
  assert_ok(index_list_add(f->listing, entry, &error), error);
}

static inline void add(Fixture *f, const char *name, const char *id, const char *tag)
{
  g_auto(Entry) entry;
  tell(&entry, name, id, tag);
  add_entry(f, &entry);
}

static inline void begin(Fixture *f)
{
  f->listing = index_list_begin(f->index, INO_ROOT);
}

static inline gboolean end(Fixture *f)
{
  g_autoptr(GError) error = NULL;
  gboolean changed = FALSE;
  assert_ok(index_list_end(f->listing, NULL, &changed, &error), error);
  return changed;
}

/* A whole listing of the root: "NAME=ID:TAG" each; ID may be left out. */
static inline gboolean list(Fixture *f, const char *const *told)
{
  begin(f);
  for (; *told; told++) {
    g_auto(GStrv) parts = g_strsplit_set(*told, "=:", 3);
    add(f, parts[0], parts[1], parts[1] ? parts[2] : NULL);
  }
  return end(f);
}

#define LIST(f, ...) list(f, (const char *const[]){__VA_ARGS__, NULL})

/* Runs TESTS with the rules off that the environment names: for the proof. */
#define RUN(tests)                                                                                 \
  (g_getenv("XFS_BREAK") ? (void)rule_break(g_getenv("XFS_BREAK")) : (void)0,                      \
   cmocka_run_group_tests(tests, NULL, NULL))

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
