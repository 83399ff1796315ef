/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is a new version of a row; leaves rows, names and transactions to the index. */
#include "cache/merge.h"

#include "base/rule.h"

static gboolean set_bytes(GBytes **held, GBytes *told)
{
  if (bytes_same(*held, told))
    return FALSE;
  g_clear_pointer(held, g_bytes_unref);
  *held = told ? g_bytes_ref(told) : NULL;
  return TRUE;
}

static gboolean set_number(gint64 *held, gint64 told)
{
  gboolean changed = *held != told;
  *held = told;
  return changed;
}

static gboolean sizes_differ(const Entry *held, const Entry *told)
{
  return (told->fields & FIELD_SIZE) && held->size_kind == SIZE_EXACT &&
         told->size_kind == SIZE_EXACT && held->size != told->size;
}

static gboolean times_known(const Entry *held, const Entry *told)
{
  return (told->fields & FIELD_TIMES) && held->modified != TIME_UNKNOWN &&
         told->modified != TIME_UNKNOWN;
}

static gboolean is_new_version(const Node *node, const Entry *told)
{
  const Entry *held = &node->entry;
  if (held->folder || !RULE("index-version"))
    return FALSE;
  GBytes *told_tag = told->fields & FIELD_ID ? told->tag : NULL;
  if (held->tag && told_tag)
    return !g_bytes_equal(held->tag, told_tag);
  if (held->tag && !(told->fields & FIELD_ID))
    return FALSE; /* a partial record says nothing about a version that has a tag */
  if (sizes_differ(held, told))
    return TRUE;
  if (times_known(held, told))
    return held->modified != told->modified;
  /* The first tag after none, and nothing to tell what it is the tag of. */
  return told_tag != NULL && !held->tag && (held->fields & FIELD_ID) != 0;
}

static guint merge_size(Entry *held, const Entry *told, gboolean fresh)
{
  gboolean told_size = (told->fields & FIELD_SIZE) && told->size_kind != SIZE_UNKNOWN;
  if (!fresh && (!told_size || (held->size_kind == SIZE_EXACT && RULE("index-size-kept"))))
    return 0;
  gint64 size = told_size ? told->size : 0;
  SizeKind kind = told_size ? told->size_kind : SIZE_UNKNOWN;
  gboolean changed = set_number(&held->size, size);
  changed |= held->size_kind != kind;
  held->size_kind = kind;
  return changed ? MERGE_STORE | MERGE_SEEN : 0;
}

static guint merge_times(Node *node, const Entry *told, gboolean fresh)
{
  Entry *held = &node->entry;
  gboolean changed = FALSE;
  gboolean owed = (node->state & NODE_MTIME_OWED) != 0;
  if (told->received != TIME_UNKNOWN)
    changed |= set_number(&held->received, told->received);
  if (told->created != TIME_UNKNOWN)
    changed |= set_number(&held->created, told->created);
  if (told->modified != TIME_UNKNOWN || fresh)
    changed |= set_number(&held->modified, told->modified);
  /* What a server does not keep lives here as long as the bytes it was set for. */
  if (!owed && (told->user_mtime != TIME_UNKNOWN || fresh))
    changed |= set_number(&held->user_mtime, told->user_mtime);
  return changed ? MERGE_STORE | MERGE_SEEN : 0;
}

static guint merge_flags(Entry *held, const Entry *told)
{
  guint32 flags = (held->flags & ~told->flags_known) | (told->flags & told->flags_known);
  guint32 known = held->flags_known | told->flags_known;
  gboolean seen = flags != held->flags;
  gboolean store = seen || known != held->flags_known;
  held->flags = flags;
  held->flags_known = known;
  return (seen ? MERGE_SEEN : 0) | (store ? MERGE_STORE : 0);
}

/* FRESH: other contents than those the row knew. */
static guint merge_fields(Node *node, const Entry *told, gboolean fresh)
{
  static const Entry untold = {.received = TIME_UNKNOWN,
                               .created = TIME_UNKNOWN,
                               .modified = TIME_UNKNOWN,
                               .user_mtime = TIME_UNKNOWN};
  Entry *held = &node->entry;
  guint result = 0;
  if (told->fields & FIELD_ID) {
    gboolean changed = set_bytes(&held->id, told->id);
    changed |= set_bytes(&held->tag, told->tag);
    changed |= set_bytes(&held->match_key, told->match_key);
    result |= changed ? MERGE_STORE : 0;
  }
  result |= merge_size(held, told, fresh);
  if (fresh || (told->fields & FIELD_TIMES))
    result |= merge_times(node, told->fields & FIELD_TIMES ? told : &untold, fresh);
  if (told->fields & FIELD_FLAGS)
    result |= merge_flags(held, told);
  if ((told->fields & FIELD_CLASS) && g_strcmp0(held->message_class, told->message_class) != 0) {
    g_free(held->message_class);
    held->message_class = g_strdup(told->message_class);
    result |= MERGE_STORE | MERGE_SEEN;
  }
  if ((held->fields | told->fields) != held->fields)
    result |= MERGE_STORE;
  held->fields |= told->fields;
  return result;
}

guint merge_told(Node *node, const Entry *told)
{
  gboolean fresh = is_new_version(node, told);
  if (fresh)
    node->version++;
  guint result = merge_fields(node, told, fresh);
  return fresh ? result | MERGE_STORE | MERGE_SEEN | MERGE_VERSION : result;
}

void merge_written(Node *node, const Entry *told, gboolean same_bytes, gint64 size)
{
  Entry *held = &node->entry;
  gboolean only_moved = same_bytes && size < 0;
  if (!(told->fields & FIELD_ID))
    g_clear_pointer(&held->tag, g_bytes_unref); /* that of the bytes before */
  merge_fields(node, told, !only_moved);
  if (!same_bytes && !held->folder)
    node->version++;
  if (same_bytes && size >= 0) {
    held->size = size;
    held->size_kind = SIZE_EXACT;
    held->fields |= FIELD_SIZE;
  }
  node->state &= ~(guint32)NODE_LOCAL;
}
