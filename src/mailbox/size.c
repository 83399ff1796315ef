/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns -o sizes=exact: true sizes are learnt, by reading bodies ahead in parallel, before the
 * kernel is told, for programs that believe lstat(2). Leaves the first open of everybody else to
 * file.c.
 */
#include "mailbox/private.h"

#include <errno.h>

gboolean size_learn(Mailbox *mailbox, const Caller *caller, Node *node, GError **error)
{
  if (node->entry.folder || node->entry.size_kind == SIZE_EXACT || (node->state & NODE_LOCAL))
    return TRUE;
  g_autoptr(GError) inner = NULL;
  g_autoptr(Body) body = body_get(mailbox, node, &inner);
  gint64 size;
  if (body && body_wait_size(body, caller, &size, &inner) &&
      body_wait(body, caller, size, &size, &inner)) {
    node->entry.size = size;
    node->entry.size_kind = SIZE_EXACT;
    return index_set_size(mailbox->index, node->ino, node->version, size, error);
  }
  if (error_errno(inner) == EINTR)
    return error_set(error, EINTR, SCOPE_ITEM, "interrupted while a size was learnt");
  log_debug("mailbox", "%s keeps its estimated size: %s", node->name, inner->message);
  return TRUE;
}

static gboolean collect_estimates(const Node *node, gpointer user)
{
  if (!node->entry.folder && node->entry.size_kind != SIZE_EXACT && !(node->state & NODE_LOCAL)) {
    Node *copy = g_new0(Node, 1);
    node_copy(node, copy);
    g_ptr_array_add(user, copy);
  }
  return TRUE;
}

static void free_node(gpointer node)
{
  node_clear(node);
  g_free(node);
}

gboolean sizes_learn(Mailbox *mailbox, const Caller *caller, gint64 folder, GError **error)
{
  g_autoptr(GPtrArray) nodes = g_ptr_array_new_with_free_func(free_node);
  if (!index_children(mailbox->index, folder, 0, collect_estimates, nodes, error))
    return FALSE;
  /* So many are on their way at once: the line's own limit is in net/. */
  const guint ahead = 32;
  g_autoptr(GPtrArray) bodies = g_ptr_array_new_with_free_func((GDestroyNotify)body_put);
  for (guint i = 0; i < nodes->len; i++) {
    while (bodies->len < nodes->len && bodies->len < i + ahead)
      g_ptr_array_add(bodies, body_get(mailbox, g_ptr_array_index(nodes, bodies->len), NULL));
    if (!size_learn(mailbox, caller, g_ptr_array_index(nodes, i), error))
      return FALSE;
    body_put(g_ptr_array_index(bodies, i));
    g_ptr_array_index(bodies, i) = NULL;
  }
  return TRUE;
}
