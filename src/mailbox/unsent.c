/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns .exchange/unsent, where bytes go that were written and could not be sent: ordinary local
 * rows that a user can read, move back into a folder or remove. Leaves why to who puts them there.
 */
#include "base/file.h"
#include "mailbox/private.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#define EXCHANGE_DIR ".exchange"
#define UNSENT_DIR "unsent"

static gboolean own_folder(Mailbox *mailbox, gint64 parent, const char *name, guint32 state,
                           gint64 *ret_ino, GError **error)
{
  g_auto(Node) node;
  g_auto(Entry) entry;
  node_init(&node);
  entry_init(&entry);
  GError *inner = NULL;
  if (!index_find(mailbox->index, parent, name, &node, &inner)) {
    entry.fields = FIELD_TIMES;
    entry.folder = TRUE;
    entry.modified = g_get_real_time() * 1000;
    if (inner || !index_insert(mailbox->index, parent, name, &entry, state, &node, &inner)) {
      g_propagate_error(error, inner);
      return FALSE;
    }
  }
  *ret_ino = node.ino;
  return TRUE;
}

static gboolean unsent_folder(Mailbox *mailbox, gint64 *ret_ino, GError **error)
{
  gint64 exchange;
  return own_folder(mailbox, INO_ROOT, EXCHANGE_DIR, NODE_LOCAL | NODE_HIDDEN, &exchange, error) &&
         own_folder(mailbox, exchange, UNSENT_DIR, NODE_LOCAL, ret_ino, error);
}

/* NAME, or NAME with the time before its extension when it is taken. */
static char *free_name(Mailbox *mailbox, gint64 folder, const char *name)
{
  g_auto(Node) node;
  node_init(&node);
  if (!index_find(mailbox->index, folder, name, &node, NULL))
    return g_strdup(name);
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  g_autofree char *stamp = g_date_time_format(now, "%Y-%m-%dT%H%M%S");
  const char *dot = strrchr(name, '.');
  int stem = dot && dot != name ? (int)(dot - name) : (int)strlen(name);
  return g_strdup_printf("%.*s (%s.%06dZ)%s", MIN(stem, 200), name, stamp,
                         g_date_time_get_microsecond(now), dot && dot != name ? dot : "");
}

/* Makes NAME in FOLDER a local file with the bytes FD (an unnamed file of ours, now given away). */
static gboolean adopt(Mailbox *mailbox, gint64 folder, const char *name, int fd, gint64 size,
                      GError **error)
{
  g_auto(Node) node;
  g_auto(Entry) entry;
  node_init(&node);
  entry_init(&entry);
  entry.fields = FIELD_SIZE | FIELD_TIMES;
  entry.size = size;
  entry.size_kind = SIZE_EXACT;
  entry.modified = g_get_real_time() * 1000;
  return index_insert(mailbox->index, folder, name, &entry, NODE_LOCAL, &node, error) &&
         bodies_local_keep(mailbox->bodies, node.ino, fd, TRUE, error);
}

gboolean unsent_keep(Mailbox *mailbox, const char *name, int fd, gint64 size, const char *why,
                     GError **error)
{
  gint64 folder;
  if (!unsent_folder(mailbox, &folder, error))
    return FALSE;
  int copy = bodies_new_file(mailbox->bodies, error);
  if (copy < 0)
    return FALSE;
  g_autofree char *free = free_name(mailbox, folder, name);
  gboolean ok = file_copy(fd, copy, size, error) && adopt(mailbox, folder, free, copy, size, error);
  close(copy);
  if (ok)
    log_warning("mailbox",
                "%s was not sent (%s): its bytes are in " EXCHANGE_DIR "/" UNSENT_DIR
                "/%s, copy them back or remove them",
                name, why, free);
  return ok;
}

/* A file in cache/local whose row is gone (the index was rebuilt): shown as unsent again. */
static gboolean adopt_stray(Mailbox *mailbox, gint64 folder, gint64 ino, GError **error)
{
  g_autofree char *name = g_strdup_printf("recovered %" G_GINT64_FORMAT, ino);
  int fd = bodies_local_open(mailbox->bodies, ino, error);
  if (fd < 0)
    return FALSE;
  int copy = bodies_new_file(mailbox->bodies, error);
  off_t size = lseek(fd, 0, SEEK_END);
  gboolean ok = copy >= 0 && file_copy(fd, copy, size, error) &&
                adopt(mailbox, folder, name, copy, size, error);
  if (copy >= 0)
    close(copy);
  close(fd);
  if (ok)
    bodies_local_drop(mailbox->bodies, ino);
  return ok;
}

gboolean unsent_prepare(Mailbox *mailbox, gboolean rebuilt, GError **error)
{
  gint64 folder;
  if (!unsent_folder(mailbox, &folder, error))
    return FALSE;
  g_autoptr(GArray) files = bodies_local_list(mailbox->bodies);
  g_autoptr(GHashTable) have = g_hash_table_new(g_int64_hash, g_int64_equal);
  for (guint i = 0; files && i < files->len; i++) {
    gint64 *ino = &g_array_index(files, gint64, i);
    g_auto(Node) node;
    node_init(&node);
    if (!rebuilt && index_get(mailbox->index, *ino, &node, NULL) && (node.state & NODE_LOCAL))
      g_hash_table_add(have, ino);
    else if (!adopt_stray(mailbox, folder, *ino, error))
      return FALSE;
  }
  /* New files whose bytes were never acknowledged: their writer was told so by our death. */
  g_autoptr(GArray) local = index_with_state(mailbox->index, NODE_LOCAL, G_MAXUINT, error);
  for (guint i = 0; local && i < local->len; i++) {
    gint64 ino = g_array_index(local, gint64, i);
    g_auto(Node) node;
    node_init(&node);
    if (!g_hash_table_contains(have, &ino) && index_get(mailbox->index, ino, &node, NULL) &&
        !node.entry.folder && node.parent != folder)
      index_delete(mailbox->index, ino, NULL);
  }
  return local != NULL;
}
