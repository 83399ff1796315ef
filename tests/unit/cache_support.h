/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of cache/ share: a directory that goes away, entries as a server tells them. */
#pragma once

#include "base/error.h"
#include "cache/index.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* cmocka's own functions are not known to take boolean expressions of our type. */
#define assert_ok(condition, error)                                                                \
  do {                                                                                             \
    if (!(condition))                                                                              \
      fail_msg("%s: %s", #condition, (error) ? (error)->message : "no error set");                 \
  } while (0)

static inline char *make_dir(void)
{
  char *dir = g_dir_make_tmp("xfs-cache-XXXXXX", NULL);
  assert_non_null(dir);
  return dir;
}

static inline void remove_tree(const char *path)
{
  GDir *dir = g_file_test(path, G_FILE_TEST_IS_SYMLINK) ? NULL : g_dir_open(path, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *below = g_build_filename(path, name, NULL);
    remove_tree(below);
  }
  if (dir)
    g_dir_close(dir);
  g_remove(path);
}

static inline GBytes *bytes_of(const char *text)
{
  return text ? g_bytes_new(text, strlen(text)) : NULL;
}

/* A file NAME as a listing tells it; its id is NAME unless ID says otherwise. */
static inline void tell(Entry *entry, const char *name, const char *id, const char *tag)
{
  entry_init(entry);
  entry->fields = FIELD_ID | FIELD_NAME | FIELD_SIZE | FIELD_TIMES | FIELD_FLAGS;
  entry->id = bytes_of(id ? id : name);
  entry->tag = bytes_of(tag);
  entry->name = g_strdup(name);
  entry->size = 100;
  entry->size_kind = SIZE_ESTIMATE;
  entry->received = 1000000000;
  entry->modified = 2000000000;
  entry->flags_known = ENTRY_READ;
}

static inline Index *open_index(const char *dir)
{
  g_autoptr(GError) error = NULL;
  gboolean rebuilt = FALSE;
  Index *index = index_open(dir, "http://server/exchange/alice", &rebuilt, &error);
  assert_ok(index && !rebuilt, error);
  return index;
}

/* Adds a file (or a folder) by index_insert() and answers its ino. */
static inline gint64 put(Index *index, gint64 parent, const char *name, const char *tag,
                         gboolean folder)
{
  g_auto(Entry) entry;
  g_auto(Node) node;
  g_autoptr(GError) error = NULL;
  tell(&entry, name, NULL, tag);
  entry.folder = folder;
  node_init(&node);
  assert_ok(index_insert(index, parent, name, &entry, 0, &node, &error), error);
  return node.ino;
}

/* The row NAME of PARENT; it must be there. */
static inline void look(Index *index, gint64 parent, const char *name, Node *out)
{
  g_autoptr(GError) error = NULL;
  if (!index_find(index, parent, name, out, &error))
    fail_msg("no row %s: %s", name, error ? error->message : "");
}

static inline gint64 ino_of(Index *index, gint64 parent, const char *name)
{
  g_auto(Node) node;
  g_autoptr(GError) error = NULL;
  node_init(&node);
  gboolean found = index_find(index, parent, name, &node, &error);
  assert_null(error);
  return found ? node.ino : 0;
}
