/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns times that users set and the server has not heard of yet: a bit in the index, so that they
 * survive us, sent in the background after the bytes they belong to.
 */
#include "mailbox/change/change.h"

#include <errno.h>

#define OWED_BATCH 64

/* FALSE: the line failed. */
static gboolean send_one(Mailbox *mailbox, gint64 ino)
{
  g_auto(Node) node;
  g_auto(Entry) entry;
  g_auto(StoreRef) ref = {0};
  node_init(&node);
  entry_init(&entry);
  g_autoptr(GError) error = NULL;
  if (!index_get(mailbox->index, ino, &node, NULL) || !(node.state & NODE_MTIME_OWED))
    return TRUE;
  StoreCall call;
  const Caller nobody = {0};
  if (!ref_make(mailbox, ino, NULL, &ref, &error))
    return TRUE;
  if (!line_begin(mailbox, &nobody, CALL_BACKGROUND, &call, &error))
    return FALSE;
  index_claim(mailbox->index, ino);
  gboolean ok = store_set_mtime(mailbox->store, &call, &ref, node.entry.user_mtime, &entry, &error);
  line_end(mailbox, error);
  if (ok)
    index_patched(mailbox->index, ino, &entry, node.entry.user_mtime, NULL);
  index_unclaim(mailbox->index, ino);
  if (ok)
    return TRUE;
  if (error_scope(error) == SCOPE_LINE)
    return FALSE;
  if (error_errno(error) != EOPNOTSUPP && error_errno(error) != ENOENT)
    log_warning("mailbox", "the time of %s is kept here only: %s", node.name, error->message);
  index_set_mtime(mailbox->index, ino, node.entry.user_mtime, FALSE, NULL);
  return TRUE;
}

gboolean mtime_send_owed(Mailbox *mailbox, gint64 deadline)
{
  for (;;) {
    g_autoptr(GArray) owed = index_with_state(mailbox->index, NODE_MTIME_OWED, OWED_BATCH, NULL);
    if (!owed || owed->len == 0)
      return TRUE;
    for (guint i = 0; i < owed->len; i++) {
      Row *row;
      gint64 ino = g_array_index(owed, gint64, i);
      if (g_get_monotonic_time() >= deadline || !row_hold(mailbox, NULL, ino, &row, NULL))
        return FALSE;
      gboolean ok = send_one(mailbox, ino);
      row_let_go(mailbox, row);
      if (!ok)
        return FALSE;
    }
  }
}
