/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns changes of the tree: folders made and removed, names removed and moved. Each is sent while
 * its caller waits, and the index follows the server's answer.
 */
#include "base/file.h"
#include "mailbox/change/change.h"
#include "model/name.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* Fills NODE with NAME in PARENT; ENOENT when no row has it (the kernel has just looked it up). */
static gboolean find_row(Mailbox *mailbox, gint64 parent, const char *name, Node *node,
                         GError **error)
{
  GError *inner = NULL;
  if (index_find(mailbox->index, parent, name, node, &inner))
    return TRUE;
  if (!inner)
    inner = error_new(ENOENT, SCOPE_ITEM, "no such name in this folder");
  g_propagate_error(error, inner);
  return FALSE;
}

static gboolean knows_nothing_below(const Node *folder, GError **error)
{
  return !(folder->state & NODE_LOCAL) ||
         error_set(error, EPERM, SCOPE_FOLDER, "this folder is exchangefs's own");
}

gboolean mailbox_mkdir(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                       Attr *out, GError **error)
{
  g_auto(Node) folder;
  g_auto(Node) node;
  g_auto(Entry) entry;
  g_auto(StoreRef) ref = {0};
  node_init(&folder);
  node_init(&node);
  entry_init(&entry);
  StoreCall call;
  if (!name_may_be_made(name, error) || !folder_may_change(mailbox, parent, &folder, error) ||
      !knows_nothing_below(&folder, error) || !ref_make(mailbox, parent, NULL, &ref, error) ||
      !line_begin(mailbox, caller, CALL_META, &call, error))
    return FALSE;
  GError *inner = NULL;
  gboolean ok = store_mkfolder(mailbox->store, &call, &ref, name, &entry, &inner);
  line_end(mailbox, inner);
  if (!ok && error_maybe_applied(inner)) {
    g_autoptr(GError) gone = NULL;
    if (line_begin(mailbox, caller, CALL_META, &call, &gone) &&
        store_find(mailbox->store, &call, &ref, name, &entry, &gone) && entry.folder) {
      g_clear_error(&inner);
      ok = TRUE;
    }
  }
  if (!ok || !index_insert(mailbox->index, parent, name, &entry, 0, &node, &inner)) {
    g_propagate_error(error, inner);
    return FALSE;
  }
  /* A new folder is known to be empty. */
  gboolean changed;
  index_list_end(index_list_begin(mailbox->index, node.ino), entry.content_tag, &changed, NULL);
  attr_from_node(mailbox, &node, &folder, out);
  return TRUE;
}

/* What is open of ROW has no name any more. */
static void mark_unlinked(Mailbox *mailbox, Row *row)
{
  g_mutex_lock(&mailbox->lock);
  for (guint i = 0; i < row->nodes->len; i++)
    ((OpenNode *)g_ptr_array_index(row->nodes, i))->unlinked = TRUE;
  g_mutex_unlock(&mailbox->lock);
}

/* The answer to a deletion of REF was lost: TRUE when there is nothing any more. */
static gboolean is_gone(Mailbox *mailbox, const Caller *caller, const StoreRef *ref)
{
  g_auto(Entry) now;
  g_autoptr(GError) gone = NULL;
  StoreCall call;
  entry_init(&now);
  return line_begin(mailbox, caller, CALL_META, &call, &gone) &&
         !store_stat(mailbox->store, &call, ref, &now, &gone) && error_errno(gone) == ENOENT;
}

/* Deletes NODE, whose row is held, on the server. */
static gboolean remove_on_server(Mailbox *mailbox, const Caller *caller, const Node *node, Row *row,
                                 GError **error)
{
  g_auto(StoreRef) ref = {0};
  StoreCall call;
  if ((RULE("unlink-open") && !row_keep_bodies(mailbox, caller, row, error)) ||
      !ref_make(mailbox, node->ino, NULL, &ref, error) ||
      !line_begin(mailbox, caller, CALL_META, &call, error))
    return FALSE;
  GError *inner = NULL;
  gboolean ok = store_remove(mailbox->store, &call, &ref, &inner);
  line_end(mailbox, inner);
  ok = ok || (error_maybe_applied(inner) && is_gone(mailbox, caller, &ref)) ||
       error_errno(inner) == ENOENT; /* somebody was faster: it is gone as asked */
  if (ok)
    g_clear_error(&inner);
  else
    g_propagate_error(error, inner);
  return ok;
}

gboolean mailbox_unlink(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                        GError **error)
{
  g_auto(Node) folder;
  g_auto(Node) node;
  node_init(&folder);
  node_init(&node);
  Row *row;
  if (!folder_may_change(mailbox, parent, &folder, error) ||
      !find_row(mailbox, parent, name, &node, error))
    return FALSE;
  if (node.entry.folder)
    return error_set(error, EISDIR, SCOPE_ITEM, "a folder is removed by rmdir");
  if (!row_hold(mailbox, caller, node.ino, &row, error))
    return FALSE;
  /* While we waited its first upload may have ended. */
  gint64 ino = node.ino;
  node_clear(&node);
  gboolean ok = row_read(mailbox, ino, &node, error);
  index_claim(mailbox->index, ino);
  if (ok && !(node.state & NODE_LOCAL))
    ok = remove_on_server(mailbox, caller, &node, row, error);
  if (ok) {
    mark_unlinked(mailbox, row);
    if (node.state & NODE_LOCAL)
      bodies_local_drop(mailbox->bodies, ino);
    else
      bodies_drop(mailbox->bodies, ino);
    ok = index_delete(mailbox->index, ino, error);
  }
  index_unclaim(mailbox->index, ino);
  row_let_go(mailbox, row);
  return ok;
}

gboolean mailbox_rmdir(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                       GError **error)
{
  g_auto(Node) folder;
  g_auto(Node) node;
  g_auto(StoreRef) ref = {0};
  node_init(&folder);
  node_init(&node);
  StoreCall call;
  if (!folder_may_change(mailbox, parent, &folder, error) ||
      !find_row(mailbox, parent, name, &node, error))
    return FALSE;
  if (!node.entry.folder)
    return error_set(error, ENOTDIR, SCOPE_ITEM, "this is not a folder");
  if (node.state & NODE_LOCAL)
    return error_set(error, EPERM, SCOPE_FOLDER, "this folder is exchangefs's own");
  if (index_has_local(mailbox->index, node.ino))
    return error_set(error, ENOTEMPTY, SCOPE_FOLDER, "the folder is not empty");
  if (!ref_make(mailbox, node.ino, NULL, &ref, error) ||
      !line_begin(mailbox, caller, CALL_META, &call, error))
    return FALSE;
  GError *inner = NULL;
  gboolean ok = store_rmfolder(mailbox->store, &call, &ref, &inner);
  line_end(mailbox, inner);
  if (error_errno(inner) == ENOTEMPTY)
    index_forget_listing(mailbox->index, node.ino, NULL);
  ok = ok || (error_maybe_applied(inner) && is_gone(mailbox, caller, &ref)) ||
       error_errno(inner) == ENOENT;
  if (!ok) {
    g_propagate_error(error, inner);
    return FALSE;
  }
  g_clear_error(&inner);
  return index_delete(mailbox->index, node.ino, error);
}

/* One rename, with all it needs to know. */
typedef struct {
  Node node, target, folder; /* target.ino 0: the new name is free */
  const char *name;
  Row *row, *target_row;
} Rename;

static void rename_clear(Rename *r)
{
  node_clear(&r->node);
  node_clear(&r->target);
  node_clear(&r->folder);
}

/* Finds what NAME in PARENT and the new name in NEW_PARENT are now, and whether it may be done. */
static gboolean rename_check(Mailbox *mailbox, Rename *r, gint64 parent, const char *name,
                             gint64 new_parent, unsigned flags, GError **error)
{
  g_auto(Node) from;
  node_init(&from);
  if (flags & ~(unsigned)RENAME_NOREPLACE)
    return error_set(error, EINVAL, SCOPE_ITEM, "names cannot be exchanged here");
  rename_clear(r);
  if (!name_may_be_made(r->name, error) ||
      !folder_may_change(mailbox, new_parent, &r->folder, error) ||
      !folder_may_change(mailbox, parent, &from, error) ||
      !find_row(mailbox, parent, name, &r->node, error) || !knows_nothing_below(&r->folder, error))
    return FALSE;
  GError *inner = NULL;
  if (!index_find(mailbox->index, r->folder.ino, r->name, &r->target, &inner)) {
    r->target.ino = 0;
    if (inner)
      g_propagate_error(error, inner);
    return !inner;
  }
  if ((flags & RENAME_NOREPLACE) && RULE("rename-noreplace"))
    return error_set(error, EEXIST, SCOPE_ITEM, "the name is taken");
  if (r->target.entry.folder && !r->node.entry.folder)
    return error_set(error, EISDIR, SCOPE_ITEM, "the name is taken by a folder");
  if (!r->target.entry.folder && r->node.entry.folder)
    return error_set(error, ENOTDIR, SCOPE_ITEM, "the name is taken by a file");
  if (r->target.entry.folder && index_count(mailbox->index, r->target.ino, NULL) != 0)
    return error_set(error, ENOTEMPTY, SCOPE_FOLDER, "the folder of that name is not empty");
  return TRUE;
}

/* Both rows are held in the order of their numbers, so that two renames never wait for each other.
 */
static gboolean rename_hold(Mailbox *mailbox, const Caller *caller, Rename *r, GError **error)
{
  gint64 first = r->node.ino, second = r->target.ino;
  Row **first_row = &r->row, **second_row = &r->target_row;
  if (second != 0 && second < first) {
    gint64 ino = first;
    first = second;
    second = ino;
    first_row = &r->target_row;
    second_row = &r->row;
  }
  if (!row_hold(mailbox, caller, first, first_row, error))
    return FALSE;
  if (second != 0 && second != first && !row_hold(mailbox, caller, second, second_row, error)) {
    row_let_go(mailbox, *first_row);
    *first_row = NULL;
    return FALSE;
  }
  index_claim(mailbox->index, first);
  if (second != 0)
    index_claim(mailbox->index, second);
  return TRUE;
}

static void rename_let_go(Mailbox *mailbox, Rename *r)
{
  Row **rows[] = {&r->row, &r->target_row};
  for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
    if (!*rows[i])
      continue;
    index_unclaim(mailbox->index, (*rows[i])->ino);
    row_let_go(mailbox, g_steal_pointer(rows[i]));
  }
}

/* The open version of NODE that has a stage, with its descriptor, or -1. */
static int staged_bytes(Mailbox *mailbox, const Node *node, gint64 *ret_size, OpenNode **ret_open)
{
  int fd = -1;
  *ret_open = NULL;
  g_mutex_lock(&mailbox->lock);
  OpenNode *open = open_node_find(mailbox, (NodeId){node->ino, node->version});
  if (open && open->stage >= 0) {
    fd = open->stage; /* the row is held: it stays */
    *ret_size = open->size;
    *ret_open = open;
  }
  g_mutex_unlock(&mailbox->lock);
  return fd;
}

/* A local file takes a name that is sent: one PUT, over TARGET where there is one. */
static gboolean rename_local(Mailbox *mailbox, const Caller *caller, Rename *r, GError **error)
{
  g_auto(Entry) entry;
  entry_init(&entry);
  gint64 size = r->node.entry.size;
  OpenNode *open;
  gboolean over = r->target.ino != 0 && !(r->target.state & NODE_LOCAL);
  int staged = staged_bytes(mailbox, &r->node, &size, &open);
  if (name_is_local(r->name) && !over && RULE("local-names"))
    return index_rename(mailbox->index, r->node.ino, r->folder.ino, r->name, NULL, error);
  if (open && open->dirty && !name_is_local(r->node.name) && !over) /* its close will send it */
    return index_rename(mailbox->index, r->node.ino, r->folder.ino, r->name, NULL, error);

  int fd = staged >= 0 ? staged : bodies_local_open(mailbox->bodies, r->node.ino, error);
  if (fd < 0)
    return FALSE;
  GError *inner = NULL;
  gint64 mtime = open && open->mtime != TIME_UNKNOWN ? open->mtime : r->node.entry.user_mtime;
  gboolean ok = put_local(mailbox, caller, fd, size, r->folder.ino, r->name,
                          over ? &r->target : NULL, &entry, &inner);
  if (ok) {
    const StoreCaps *caps = store_caps(mailbox->store);
    gboolean same = caps->bytes_stable || (entry.size_kind == SIZE_EXACT && entry.size == size);
    g_auto(Node) after;
    node_init(&after);
    if (mtime == TIME_UNKNOWN && over && r->target.entry.user_mtime != TIME_UNKNOWN)
      mtime = g_get_real_time() * 1000;
    ok = index_rename(mailbox->index, r->node.ino, r->folder.ino, r->name, NULL, &inner) &&
         index_written(mailbox->index, r->node.ino, &entry, same, size, &after, &inner) &&
         (mtime == TIME_UNKNOWN ||
          index_set_mtime(mailbox->index, r->node.ino, mtime, caps->keeps_mtime, &inner));
    ok = ok ||
         !inner; /* its row went with its folder, which others removed: it is sent all the same */
    if (ok && same && staged < 0)
      bodies_publish(mailbox->bodies, r->node.ino, after.version, fd, size, NULL);
    bodies_local_drop(mailbox->bodies, r->node.ino);
    attr_changed(mailbox);
    if (open) {
      g_mutex_lock(&mailbox->lock);
      open->base = after.version;
      open->dirty = FALSE;
      open->mtime = open->written = TIME_UNKNOWN;
      g_mutex_unlock(&mailbox->lock);
    }
    mailbox_wake(mailbox);
  } else if (over) {
    index_doubt(mailbox->index, r->target.ino);
  } else {
    index_forget_listing(mailbox->index, r->folder.ino, NULL);
  }
  if (staged < 0)
    close(fd);
  if (inner)
    g_propagate_error(error, inner);
  return ok;
}

/* Did a move whose answer was lost happen? Then ENTRY is what is there now. */
static gboolean was_moved(Mailbox *mailbox, const Caller *caller, const Rename *r,
                          const StoreRef *from, const StoreRef *folder, Entry *entry)
{
  g_auto(Entry) old;
  g_autoptr(GError) gone = NULL;
  entry_init(&old);
  StoreCall call;
  return line_begin(mailbox, caller, CALL_META, &call, NULL) &&
         !store_stat(mailbox->store, &call, from, &old, &gone) && error_errno(gone) == ENOENT &&
         store_find(mailbox->store, &call, folder, r->name, entry, NULL);
}

static gboolean rename_on_server(Mailbox *mailbox, const Caller *caller, Rename *r, GError **error)
{
  g_auto(StoreRef) from = {0};
  g_auto(StoreRef) folder = {0};
  g_auto(Entry) entry;
  entry_init(&entry);
  StoreCall call;
  gboolean replace = r->target.ino != 0 && !(r->target.state & NODE_LOCAL);
  if (!ref_make(mailbox, r->node.ino, NULL, &from, error) ||
      !ref_make(mailbox, r->folder.ino, NULL, &folder, error) ||
      (replace && r->target_row && !row_keep_bodies(mailbox, caller, r->target_row, error)) ||
      !line_begin(mailbox, caller, CALL_META, &call, error))
    return FALSE;
  GError *inner = NULL;
  gboolean ok = store_move(mailbox->store, &call, &from, &folder, r->name, replace, &entry, &inner);
  line_end(mailbox, inner);
  if (!ok && error_maybe_applied(inner) && was_moved(mailbox, caller, r, &from, &folder, &entry)) {
    g_clear_error(&inner);
    ok = TRUE;
  }
  /* Without an error its row went with its folder, which others removed: it is moved all the same.
   */
  if (ok && !index_rename(mailbox->index, r->node.ino, r->folder.ino, r->name, &entry, &inner)) {
    ok = !inner;
    index_forget_listing(mailbox->index, r->folder.ino, NULL);
  }
  if (inner)
    g_propagate_error(error, inner);
  return ok;
}

/* Holds both rows as they are once nobody else changes them: a first upload may have ended. */
static gboolean rename_begin(Mailbox *mailbox, const Caller *caller, Rename *r, gint64 parent,
                             const char *name, gint64 new_parent, unsigned flags, GError **error)
{
  for (;;) {
    if (!rename_check(mailbox, r, parent, name, new_parent, flags, error))
      return FALSE;
    gint64 ino = r->node.ino, target = r->target.ino;
    if (ino == target)
      return TRUE;
    if (!rename_hold(mailbox, caller, r, error))
      return FALSE;
    gboolean ok = rename_check(mailbox, r, parent, name, new_parent, flags, error);
    if (ok && r->node.ino == ino && r->target.ino == target)
      return TRUE;
    rename_let_go(mailbox, r);
    if (!ok)
      return FALSE;
  }
}

gboolean mailbox_rename(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                        gint64 new_parent, const char *new_name, unsigned flags, GError **error)
{
  Rename r = {.name = new_name};
  node_init(&r.node);
  node_init(&r.target);
  node_init(&r.folder);
  gboolean ok = rename_begin(mailbox, caller, &r, parent, name, new_parent, flags, error);
  if (ok && r.row)
    ok = (r.node.state & NODE_LOCAL) ? rename_local(mailbox, caller, &r, error)
                                     : rename_on_server(mailbox, caller, &r, error);
  if (ok && r.target_row) {
    mark_unlinked(mailbox, r.target_row);
    if (r.target.state & NODE_LOCAL)
      bodies_local_drop(mailbox->bodies, r.target.ino);
    bodies_drop(mailbox->bodies, r.target.ino);
  }
  rename_let_go(mailbox, &r);
  rename_clear(&r);
  return ok;
}
