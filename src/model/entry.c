/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the life cycle of the records of a store; leaves their meaning to who fills and reads them.
 */
#include "model/entry.h"

void entry_init(Entry *entry)
{
  *entry = (Entry){.received = TIME_UNKNOWN,
                   .created = TIME_UNKNOWN,
                   .modified = TIME_UNKNOWN,
                   .user_mtime = TIME_UNKNOWN};
}

void entry_clear(Entry *entry)
{
  g_clear_pointer(&entry->id, g_bytes_unref);
  g_clear_pointer(&entry->tag, g_bytes_unref);
  g_clear_pointer(&entry->match_key, g_bytes_unref);
  g_clear_pointer(&entry->content_tag, g_bytes_unref);
  g_free(entry->name);
  g_free(entry->message_class);
  entry_init(entry);
}

static GBytes *bytes_ref_or_null(GBytes *bytes)
{
  return bytes ? g_bytes_ref(bytes) : NULL;
}

void entry_copy(const Entry *from, Entry *to)
{
  *to = *from;
  to->id = bytes_ref_or_null(from->id);
  to->tag = bytes_ref_or_null(from->tag);
  to->match_key = bytes_ref_or_null(from->match_key);
  to->content_tag = bytes_ref_or_null(from->content_tag);
  to->name = g_strdup(from->name);
  to->message_class = g_strdup(from->message_class);
}

gint64 entry_mtime(const Entry *entry)
{
  const gint64 order[] = {entry->user_mtime, entry->received, entry->modified, entry->created};
  for (gsize i = 0; i < G_N_ELEMENTS(order); i++)
    if (order[i] != TIME_UNKNOWN)
      return order[i];
  return 0;
}

gboolean bytes_same(GBytes *a, GBytes *b)
{
  return a == b || (a && b && g_bytes_equal(a, b));
}
