/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the rows that are in memory: those somebody holds to change them, and the versions of files
 * that are open. A row that is neither costs nothing. Leaves what is done with them to file.c and
 * change/.
 */
#include "base/file.h"
#include "mailbox/private.h"

#include <errno.h>
#include <unistd.h>

/* Mailbox.lock is held. */
static Row *row_get(Mailbox *mailbox, gint64 ino)
{
  Row *row = g_hash_table_lookup(mailbox->rows, &ino);
  if (!row) {
    row = g_new0(Row, 1);
    row->ino = ino;
    row->nodes = g_ptr_array_new();
    g_hash_table_insert(mailbox->rows, &row->ino, row);
  }
  row->users++;
  return row;
}

/* Mailbox.lock is held. */
static void row_put(Mailbox *mailbox, Row *row)
{
  if (--row->users > 0)
    return;
  g_hash_table_remove(mailbox->rows, &row->ino);
  g_ptr_array_unref(row->nodes);
  g_free(row);
}

gboolean row_hold(Mailbox *mailbox, const Caller *caller, gint64 ino, Row **ret, GError **error)
{
  int waited = 0;
  g_mutex_lock(&mailbox->lock);
  Row *row = row_get(mailbox, ino);
  while (row->held && waited != EINTR)
    waited =
        cancel_wait(caller ? caller->cancel : NULL, &mailbox->changed, &mailbox->lock, G_MAXINT64);
  gboolean ok = !row->held;
  if (ok) {
    row->held = TRUE;
    *ret = row;
  } else {
    row_put(mailbox, row);
  }
  g_mutex_unlock(&mailbox->lock);
  return ok || error_set(error, EINTR, SCOPE_ITEM, "interrupted while another change was sent");
}

void row_let_go(Mailbox *mailbox, Row *row)
{
  g_mutex_lock(&mailbox->lock);
  row->held = FALSE;
  row_put(mailbox, row);
  g_cond_broadcast(&mailbox->changed);
  g_mutex_unlock(&mailbox->lock);
}

OpenNode *open_node_find(Mailbox *mailbox, NodeId id)
{
  Row *row = g_hash_table_lookup(mailbox->rows, &id.ino);
  for (guint i = 0; row && i < row->nodes->len; i++) {
    OpenNode *open = g_ptr_array_index(row->nodes, i);
    if (open->id.version == id.version)
      return open;
  }
  return NULL;
}

OpenNode *open_node_get(Mailbox *mailbox, const Node *node)
{
  NodeId id = {node->ino, node->version};
  g_mutex_lock(&mailbox->lock);
  OpenNode *open = open_node_find(mailbox, id);
  if (!open) {
    open = g_new0(OpenNode, 1);
    open->id = id;
    open->row = row_get(mailbox, id.ino);
    open->retired = g_ptr_array_new_with_free_func((GDestroyNotify)body_put);
    open->stage = -1;
    open->size = node->entry.size;
    open->written = open->mtime = TIME_UNKNOWN;
    open->base = id.version;
    g_ptr_array_add(open->row->nodes, open);
  }
  open->handles++;
  g_mutex_unlock(&mailbox->lock);
  return open;
}

gboolean open_node_detach(Mailbox *mailbox, OpenNode *open)
{
  g_mutex_lock(&mailbox->lock);
  gboolean alone = open->handles == 1;
  if (alone)
    g_ptr_array_remove_fast(open->row->nodes, open);
  g_mutex_unlock(&mailbox->lock);
  return alone;
}

void open_node_put(Mailbox *mailbox, OpenNode *open)
{
  g_mutex_lock(&mailbox->lock);
  gboolean last = --open->handles == 0;
  if (last) {
    g_ptr_array_remove_fast(open->row->nodes, open);
    row_put(mailbox, open->row);
  }
  g_mutex_unlock(&mailbox->lock);
  if (!last)
    return;
  body_put(open->body);
  g_ptr_array_unref(open->retired);
  if (open->stage >= 0)
    close(open->stage);
  g_free(open);
}

Body *open_node_body(Mailbox *mailbox, OpenNode *open, GError **error)
{
  g_mutex_lock(&mailbox->lock);
  Body *body = open->body ? body_ref(open->body) : NULL;
  g_mutex_unlock(&mailbox->lock);
  if (body)
    return body;

  g_auto(Node) node;
  node_init(&node);
  GError *inner = NULL;
  if (!index_get(mailbox->index, open->id.ino, &node, &inner) || node.version != open->id.version) {
    if (!inner)
      inner = error_new(ESTALE, SCOPE_ITEM, "the item was changed on the server");
    g_propagate_error(error, inner);
    return NULL;
  }
  body = body_get(mailbox, &node, error);
  if (!body)
    return NULL;
  g_mutex_lock(&mailbox->lock);
  Body *surplus = NULL;
  if (open->body) {
    surplus = body;
    body = open->body;
  } else {
    open->body = body;
  }
  body_ref(body);
  g_mutex_unlock(&mailbox->lock);
  body_put(surplus);
  return body;
}

void open_node_drop_body(Mailbox *mailbox, OpenNode *open, Body *body)
{
  g_mutex_lock(&mailbox->lock);
  if (open->body == body) {
    g_ptr_array_add(open->retired, body);
    open->body = NULL;
  }
  g_mutex_unlock(&mailbox->lock);
}

gboolean open_node_wait_whole(Mailbox *mailbox, const Caller *caller, OpenNode *open,
                              gint64 *ret_size, GError **error)
{
  g_autoptr(Body) body = open_node_body(mailbox, open, error);
  gint64 size;
  if (!body)
    return FALSE;
  if (!body_wait_size(body, caller, &size, error) || !body_wait(body, caller, size, &size, error)) {
    if (!error || error_errno(*error) != EINTR)
      open_node_drop_body(mailbox, open, body);
    return FALSE;
  }
  *ret_size = size;
  return TRUE;
}

gboolean open_node_stage(Mailbox *mailbox, const Caller *caller, OpenNode *open, gint64 keep,
                         GError **error)
{
  if (open->stage >= 0)
    return TRUE;
  gint64 size = 0;
  if (keep != 0 && !open_node_wait_whole(mailbox, caller, open, &size, error))
    return FALSE;
  if (keep > 0)
    size = MIN(size, keep);
  int fd = bodies_new_file(mailbox->bodies, error);
  if (fd < 0)
    return FALSE;
  if (size > 0 && !file_copy(body_fd(open->body), fd, size, error)) {
    close(fd);
    return FALSE;
  }
  g_mutex_lock(&mailbox->lock);
  open->stage = fd;
  open->size = size;
  g_mutex_unlock(&mailbox->lock);
  return TRUE;
}

gboolean row_keep_bodies(Mailbox *mailbox, const Caller *caller, Row *row, GError **error)
{
  /* The row is held: versions may be opened or closed meanwhile, so each is pinned by a handle. */
  g_autoptr(GPtrArray) pinned = g_ptr_array_new();
  g_mutex_lock(&mailbox->lock);
  for (guint i = 0; i < row->nodes->len; i++) {
    OpenNode *open = g_ptr_array_index(row->nodes, i);
    open->handles++;
    g_ptr_array_add(pinned, open);
  }
  g_mutex_unlock(&mailbox->lock);

  gboolean ok = TRUE;
  for (guint i = 0; i < pinned->len; i++) {
    OpenNode *open = g_ptr_array_index(pinned, i);
    gint64 size;
    GError *inner = NULL;
    if (ok && open->stage < 0 && !open_node_wait_whole(mailbox, caller, open, &size, &inner)) {
      /* What nobody can get any more is no reason to keep the name. */
      ok = error_scope(inner) != SCOPE_LINE && error_errno(inner) != EINTR &&
           RULE("unlink-unreadable");
      if (ok)
        g_error_free(inner);
      else
        g_propagate_error(error, inner);
    }
    open_node_put(mailbox, open);
  }
  return ok;
}
