/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns whole folders: one listing at a time for each, streamed from the store into the index, and
 * directories read back from it. A listing that did not reach its end proves nothing.
 */
#include "mailbox/policy.h"
#include "mailbox/private.h"

#include <errno.h>

Folder *folder_get(Mailbox *mailbox, gint64 ino)
{
  Folder *folder = g_hash_table_lookup(mailbox->folders, &ino);
  if (!folder) {
    folder = g_new0(Folder, 1);
    folder->told = -1;
    g_hash_table_insert(mailbox->folders, g_memdup2(&ino, sizeof ino), folder);
  }
  return folder;
}

typedef struct {
  Mailbox *mailbox;
  gint64 folder;
  IndexListing *listing;
  GBytes *content_tag;
  gboolean complete;
} Collector;

static gboolean forget_gone(Collector *collector, GBytes *id, GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  return !index_find_id(collector->mailbox->index, collector->folder, id, &node, NULL) ||
         index_delete(collector->mailbox->index, node.ino, error);
}

static gboolean collect(StoreChangeKind kind, const Entry *entry, gpointer user, GError **error)
{
  Collector *collector = user;
  switch (kind) {
  case CHANGE_RESET:
    return TRUE;
  case CHANGE_ENTRY:
    return index_list_add(collector->listing, entry, error);
  case CHANGE_GONE:
    return forget_gone(collector, entry->id, error);
  case CHANGE_END:
    collector->complete = TRUE;
    if (entry && entry->content_tag)
      collector->content_tag = g_bytes_ref(entry->content_tag);
    return TRUE;
  }
  return TRUE;
}

static gboolean list_now(Mailbox *mailbox, const Caller *caller, gint64 folder, GError **error)
{
  g_auto(StoreRef) ref = {0};
  StoreCall call;
  if (!ref_make(mailbox, folder, NULL, &ref, error) ||
      !line_begin(mailbox, caller, CALL_DATA, &call, error))
    return FALSE;
  Collector collector = {mailbox, folder, index_list_begin(mailbox->index, folder), NULL, FALSE};
  GError *inner = NULL;
  gboolean ok = store_list(mailbox->store, &call, &ref, collect, &collector, &inner);
  line_end(mailbox, inner);
  if (ok && !collector.complete)
    ok = error_set(&inner, EIO, SCOPE_FOLDER, "the server ended the listing before its end");
  gboolean changed;
  if (ok || !RULE("listing-complete"))
    ok = index_list_end(collector.listing, collector.content_tag, &changed, &inner);
  else
    index_list_abort(collector.listing);
  if (collector.content_tag)
    g_bytes_unref(collector.content_tag);
  if (!ok) {
    if (error_errno(inner) == ENOENT && error_scope(inner) != SCOPE_LINE && folder != INO_ROOT)
      index_delete(mailbox->index, folder, NULL);
    g_propagate_error(error, inner);
  }
  return ok;
}

/* Waits for the listing another thread runs; TRUE when it succeeded. Mailbox.lock is held. */
static gboolean join_listing(Mailbox *mailbox, const Caller *caller, gint64 ino, gboolean *ret_done,
                             GError **error)
{
  guint ended = folder_get(mailbox, ino)->ended;
  int waited = 0;
  while (folder_get(mailbox, ino)->busy && waited != EINTR)
    waited =
        cancel_wait(caller ? caller->cancel : NULL, &mailbox->changed, &mailbox->lock, G_MAXINT64);
  const Folder *folder = folder_get(mailbox, ino);
  if (waited == EINTR)
    return error_set(error, EINTR, SCOPE_ITEM, "interrupted while the folder was listed");
  /* Its leader may have been interrupted: that is no answer for us. */
  *ret_done = folder->ended != ended && error_errno(folder->error) != EINTR;
  if (*ret_done && folder->error)
    g_propagate_error(error, g_error_copy(folder->error));
  return !(*ret_done && folder->error);
}

gboolean listing_refresh(Mailbox *mailbox, const Caller *caller, const Node *folder, GError **error)
{
  gint64 ino = folder->ino;
  gboolean done = FALSE;
  g_mutex_lock(&mailbox->lock);
  while (folder_get(mailbox, ino)->busy) {
    GError *inner = NULL;
    gboolean ok = join_listing(mailbox, caller, ino, &done, &inner);
    if (ok && !done)
      continue;
    g_mutex_unlock(&mailbox->lock);
    if (inner)
      g_propagate_error(error, inner);
    return ok;
  }
  folder_get(mailbox, ino)->busy = TRUE;
  g_mutex_unlock(&mailbox->lock);

  GError *inner = NULL;
  gboolean ok = list_now(mailbox, caller, ino, &inner);

  g_mutex_lock(&mailbox->lock);
  Folder *state = folder_get(mailbox, ino);
  state->busy = FALSE;
  state->ended++;
  state->asked = 0;
  g_clear_error(&state->error);
  state->error = inner ? g_error_copy(inner) : NULL;
  g_cond_broadcast(&mailbox->changed);
  g_mutex_unlock(&mailbox->lock);
  if (!ok)
    g_propagate_error(error, inner);
  return ok;
}

gboolean listing_probe(Mailbox *mailbox, const Caller *caller, const Node *folder,
                       gboolean *ret_same, GError **error)
{
  g_auto(StoreRef) ref = {0};
  StoreCall call;
  if (!ref_make(mailbox, folder->ino, NULL, &ref, error) ||
      !line_begin(mailbox, caller, CALL_META, &call, error))
    return FALSE;
  GError *inner = NULL;
  GBytes *tag = NULL;
  gboolean ok = store_probe(mailbox->store, &call, &ref, &tag, &inner);
  line_end(mailbox, inner);
  if (!ok) {
    g_propagate_error(error, inner);
    return FALSE;
  }
  *ret_same = tag && bytes_same(tag, folder->entry.content_tag);
  if (tag)
    g_bytes_unref(tag);
  return !*ret_same || index_confirm(mailbox->index, folder->ino, error);
}

/* Asks what policy_opendir() says must be asked before FOLDER is read. */
static gboolean bring_up_to_date(Mailbox *mailbox, const Caller *caller, const Node *folder,
                                 GError **error)
{
  gboolean can_probe = store_caps(mailbox->store)->content_tag && folder->entry.content_tag;
  Ask ask =
      policy_opendir(wall_now(), mailbox->options.attr_ttl_ms * 1000, folder->listed, can_probe);
  gboolean same = FALSE;
  if (ask == ASK_PROBE && !listing_probe(mailbox, caller, folder, &same, error))
    return FALSE;
  if (ask == ASK_NOTHING || same)
    return TRUE;
  return listing_refresh(mailbox, caller, folder, error);
}

gboolean mailbox_opendir(Mailbox *mailbox, const Caller *caller, gint64 folder, gboolean *ret_same,
                         GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  GError *inner = NULL;
  if (!row_read(mailbox, folder, &node, error))
    return FALSE;
  gboolean local = (node.state & NODE_LOCAL) != 0;
  if (!local && !bring_up_to_date(mailbox, caller, &node, &inner)) {
    g_assert(inner);
    /* A complete listing, however old, is an answer while the server is away; none is not. */
    if (!line_is_away(mailbox, inner) || node.listed == 0) {
      g_propagate_error(error, inner);
      return FALSE;
    }
    log_debug("mailbox", "listed from the cache: %s", inner->message);
    g_clear_error(&inner);
  }
  if (mailbox->options.sizes_exact && !sizes_learn(mailbox, caller, folder, error))
    return FALSE;
  node_clear(&node);
  if (!index_get(mailbox->index, folder, &node, NULL))
    return error_set(error, ENOENT, SCOPE_FOLDER, "the folder is no longer there");
  g_mutex_lock(&mailbox->lock);
  Folder *state = folder_get(mailbox, folder);
  *ret_same = state->told == node.listing;
  state->told = node.listing;
  g_mutex_unlock(&mailbox->lock);
  return TRUE;
}

typedef struct {
  Mailbox *mailbox;
  const Node *folder;
  gint since; /* for attr_live() */
  MailboxDirFunc func;
  gpointer user;
} Reader;

static gboolean read_row(const Node *node, gpointer user)
{
  const Reader *reader = user;
  Attr attr;
  if (!attr_live(reader->mailbox, node, reader->folder, reader->since, &attr))
    return TRUE; /* removed since the row was read */
  return reader->func(node->name, &attr, reader->user);
}

gboolean mailbox_readdir(Mailbox *mailbox, gint64 folder, gint64 after, MailboxDirFunc func,
                         gpointer user, GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  if (!row_read(mailbox, folder, &node, error))
    return FALSE;
  Reader reader = {mailbox, &node, g_atomic_int_get(&mailbox->written), func, user};
  return index_children(mailbox->index, folder, after, read_row, &reader, error);
}
