/* SPDX-License-Identifier: Apache-2.0 */
/* Everything of cache/ from many threads at once; worth most under the thread sanitizer. */
#include "cache_support.h"

#include "base/file.h"
#include "cache/bodies.h"
#include "cache/journal.h"

#define ROUNDS 60
#define NAMES 400

typedef struct {
  char *dir;
  Index *index;
  Bodies *bodies;
  Journal *journal;
  gint64 folder;
  gint failures; /* atomic */
} Shared;

static void check(Shared *s, gboolean ok)
{
  if (!ok)
    g_atomic_int_inc(&s->failures);
}

static gpointer lister(gpointer data)
{
  Shared *s = data;
  for (guint round = 0; round < ROUNDS / 4; round++) {
    IndexListing *listing = index_list_begin(s->index, s->folder);
    for (guint i = 0; i < NAMES * 4; i++) {
      g_auto(Entry) entry;
      char name[32], tag[16];
      g_snprintf(name, sizeof name, "n%u", (i * 7) % (NAMES * 4));
      g_snprintf(tag, sizeof tag, "%u", round);
      tell(&entry, name, NULL, tag);
      check(s, index_list_add(listing, &entry, NULL));
    }
    if (round % 3 == 2)
      index_list_abort(listing);
    else
      check(s, index_list_end(listing, NULL, NULL, NULL));
  }
  return NULL;
}

static gboolean in_order(const Node *node, gpointer user)
{
  gint64 *last = user;
  gboolean ok = node->ino > *last && node->name && node->version > 0;
  *last = node->ino;
  return ok;
}

static gpointer reader(gpointer data)
{
  Shared *s = data;
  for (guint round = 0; round < ROUNDS; round++) {
    gint64 last = 0;
    check(s, index_children(s->index, s->folder, 0, in_order, &last, NULL));
    check(s, index_count(s->index, s->folder, NULL) >= 0);
    for (guint i = 0; i < 50; i++) {
      char name[32];
      g_snprintf(name, sizeof name, "n%u", i);
      gint64 ino = ino_of(s->index, s->folder, name);
      g_autoptr(GPtrArray) path = ino ? index_path(s->index, ino, NULL) : NULL;
      check(s, !path || path->len == 2);
    }
  }
  return NULL;
}

static gpointer changer(gpointer data)
{
  Shared *s = data;
  GRand *random = g_rand_new_with_seed(4);
  for (guint round = 0; round < ROUNDS * 10; round++) {
    char name[32], other[32];
    g_snprintf(name, sizeof name, "n%d", g_rand_int_range(random, 0, NAMES));
    g_snprintf(other, sizeof other, "n%d", g_rand_int_range(random, 0, NAMES));
    g_auto(Entry) entry;
    g_autoptr(GError) error = NULL;
    entry_init(&entry);
    gint64 ino = ino_of(s->index, s->folder, name);
    switch (round % 5) {
    case 0:
      index_delete(s->index, ino, &error);
      break;
    case 1:
      tell(&entry, other, NULL, "mine");
      index_rename(s->index, ino, s->folder, other, &entry, &error);
      break;
    case 2:
      tell(&entry, name, NULL, "mine");
      index_insert(s->index, s->folder, name, &entry, 0, NULL, &error);
      break;
    case 3:
      tell(&entry, name, NULL, "mine");
      index_written(s->index, ino, &entry, TRUE, 9, NULL, &error);
      break;
    default:
      index_set_mtime(s->index, ino, 5, TRUE, &error);
    }
    check(s, !error);
  }
  g_rand_free(random);
  return NULL;
}

static gpointer body_user(gpointer data)
{
  Shared *s = data;
  GRand *random = g_rand_new();
  for (guint round = 0; round < ROUNDS * 5; round++) {
    gint64 ino = 16 + g_rand_int_range(random, 0, 30), size = 0;
    guint32 version = (guint32)g_rand_int_range(random, 1, 4);
    int fd = bodies_lease(s->bodies, ino, version, &size);
    if (fd >= 0) {
      char byte = 0;
      check(s, size == 1000 + version && pread(fd, &byte, 1, 0) == 1 && byte == (char)version);
      bodies_release(s->bodies, ino, version, fd);
      continue;
    }
    g_autofree char *bytes = g_strnfill(1000 + version, (char)version);
    fd = bodies_new_file(s->bodies, NULL);
    check(s, fd >= 0 && file_pwrite_all(fd, bytes, 1000 + version, 0, NULL));
    check(s, bodies_publish(s->bodies, ino, version, fd, 1000 + version, NULL));
    close(fd);
    if (round % 10 == 0)
      bodies_drop(s->bodies, ino);
  }
  g_rand_free(random);
  return NULL;
}

static gpointer uploader(gpointer data)
{
  Shared *s = data;
  for (guint round = 0; round < ROUNDS; round++) {
    g_auto(JournalEntry) entry = {.ino = 20, .parent = 1, .size = 4};
    entry.name = g_strdup("name");
    int fd = file_open_unnamed(s->dir, NULL);
    check(s, fd >= 0 && file_pwrite_all(fd, "text", 4, 0, NULL));
    check(s, journal_add(s->journal, &entry, fd, FALSE, NULL));
    close(fd);
    fd = journal_open_staged(s->journal, entry.id, NULL);
    check(s, fd >= 0);
    close(fd);
    check(s, journal_remove(s->journal, entry.id, NULL));
  }
  return NULL;
}

static void all_at_once(void **state)
{
  (void)state;
  static const GThreadFunc roles[] = {lister,    reader,    reader,   changer,
                                      body_user, body_user, uploader, uploader};
  GThread *threads[G_N_ELEMENTS(roles)];
  g_autoptr(GArray) strays = NULL;
  Shared s = {.dir = make_dir()};
  s.index = open_index(s.dir);
  s.bodies = bodies_open(s.dir, 20000, NULL);
  s.journal = journal_open(s.dir, &strays, NULL);
  assert_true(s.bodies && s.journal);
  s.folder = put(s.index, INO_ROOT, "inbox", NULL, TRUE);
  for (gsize i = 0; i < G_N_ELEMENTS(roles); i++)
    threads[i] = g_thread_new("role", roles[i], &s);
  for (gsize i = 0; i < G_N_ELEMENTS(roles); i++)
    g_thread_join(threads[i]);
  assert_int_equal(g_atomic_int_get(&s.failures), 0);
  gint64 bytes = 0, files = 0;
  bodies_usage(s.bodies, &bytes, &files);
  assert_true(bytes <= 20000);
  index_close(s.index);
  bodies_close(s.bodies);
  journal_close(s.journal);
  remove_tree(s.dir);
  g_free(s.dir);
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(all_at_once)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
