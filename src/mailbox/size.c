/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns -o sizes=exact: true sizes are learnt, by reading bodies ahead in parallel, before the
 * kernel is told, for programs that believe lstat(2). Leaves the first open of everybody else to
 * file.c.
 */
#include "mailbox/private.h"

#include <errno.h>

/* So many refused opens are remembered; those who never came back make room. */
#define BOUNCES_MAX 64

/* The kernel looks up again at once. */
#define REFUSED_MAX 256u
#define REFUSED_US ((gint64)5 * G_USEC_PER_SEC)

void size_bounce(Mailbox *mailbox, NodeId id, Body *body)
{
  g_autoptr(GPtrArray) dropped = g_ptr_array_new_with_free_func(bounce_free);
  Bounce *bounce = g_new0(Bounce, 1);
  bounce->ino = id.ino;
  bounce->version = id.version;
  g_mutex_lock(&mailbox->lock);
  bounce->body = body_ref(body);
  /* Freed after the lock is let go: a body's last reference takes it. */
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init(&iter, mailbox->bounced);
  while (g_hash_table_iter_next(&iter, NULL, &value)) {
    const Bounce *other = value;
    if (other->ino != id.ino && g_hash_table_size(mailbox->bounced) < BOUNCES_MAX)
      continue;
    g_hash_table_iter_steal(&iter);
    g_ptr_array_add(dropped, value);
  }
  g_hash_table_insert(mailbox->bounced, &bounce->ino, bounce);
  g_mutex_unlock(&mailbox->lock);
}

void size_told(Mailbox *mailbox, gint64 ino)
{
  g_mutex_lock(&mailbox->lock);
  Bounce *bounce = g_hash_table_lookup(mailbox->bounced, &ino);
  if (bounce)
    bounce->told = TRUE;
  g_mutex_unlock(&mailbox->lock);
}

gboolean size_was_told_wrong(Mailbox *mailbox, NodeId id)
{
  g_mutex_lock(&mailbox->lock);
  Bounce *bounce = g_hash_table_lookup(mailbox->bounced, &id.ino);
  if (bounce)
    g_hash_table_steal(mailbox->bounced, &id.ino);
  g_mutex_unlock(&mailbox->lock);
  gboolean wrong = bounce && bounce->version == id.version && !bounce->told;
  bounce_free(bounce);
  return wrong;
}

static gboolean measured(const Node *node)
{
  return node->entry.folder || node->entry.size_kind == SIZE_EXACT || (node->state & NODE_LOCAL);
}

void size_note_refused(Mailbox *mailbox, const Caller *caller)
{
  gint64 now = g_get_monotonic_time();
  if (caller->pid == 0 || !RULE("size-after-refusal"))
    return;
  g_mutex_lock(&mailbox->lock);
  if (g_hash_table_size(mailbox->refused) >= REFUSED_MAX)
    g_hash_table_remove_all(mailbox->refused);
  g_hash_table_replace(mailbox->refused, GINT_TO_POINTER(caller->pid), g_memdup2(&now, sizeof now));
  g_mutex_unlock(&mailbox->lock);
}

void size_after_refusal(Mailbox *mailbox, const Caller *caller, Node *node)
{
  if (measured(node))
    return;
  g_mutex_lock(&mailbox->lock);
  gpointer pid = GINT_TO_POINTER(caller->pid);
  const gint64 *then = g_hash_table_lookup(mailbox->refused, pid);
  gboolean again = then && g_get_monotonic_time() - *then < REFUSED_US;
  g_hash_table_remove(mailbox->refused, pid);
  g_mutex_unlock(&mailbox->lock);
  Row *row;
  /* Held: a time of ours sent meanwhile would give the same bytes another tag. */
  if (!again || !row_hold(mailbox, caller, node->ino, &row, NULL))
    return;
  gint64 size, ino = node->ino;
  g_autoptr(GError) ignored = NULL;
  node_clear(node);
  g_autoptr(Body) body = row_read(mailbox, ino, node, &ignored) && !measured(node)
                             ? body_get(mailbox, node, NULL)
                             : NULL;
  if (body && body_wait_size(body, caller, &size, &ignored) &&
      index_set_size(mailbox->index, ino, node->version, size, &ignored)) {
    attr_changed(mailbox);
    node->entry.size = size;
    node->entry.size_kind = SIZE_EXACT;
    size_bounce(mailbox, (NodeId){ino, node->version}, body);
  }
  row_let_go(mailbox, row);
}

void bounce_free(gpointer data)
{
  Bounce *bounce = data;
  if (bounce)
    body_put(bounce->body);
  g_free(bounce);
}

gboolean size_learn(Mailbox *mailbox, const Caller *caller, Node *node, GError **error)
{
  if (measured(node))
    return TRUE;
  g_autoptr(GError) inner = NULL;
  g_autoptr(Body) body = body_get(mailbox, node, &inner);
  gint64 size;
  if (body && body_wait_size(body, caller, &size, &inner) &&
      body_wait(body, caller, size, &size, &inner)) {
    node->entry.size = size;
    node->entry.size_kind = SIZE_EXACT;
    gboolean ok = index_set_size(mailbox->index, node->ino, node->version, size, error);
    attr_changed(mailbox);
    return ok;
  }
  if (error_errno(inner) == EINTR)
    return error_set(error, EINTR, SCOPE_ITEM, "interrupted while a size was learnt");
  log_debug("mailbox", "%s keeps its estimated size: %s", node->name, inner->message);
  return TRUE;
}

static gboolean collect_estimates(const Node *node, gpointer user)
{
  if (!measured(node)) {
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
