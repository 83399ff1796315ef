/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the tree as the kernel sees it: rows as attributes, names looked up, and the rule that what
 * we do not know is an error, never "no such file". Leaves whole folders to listing.c.
 */
#include "mailbox/policy.h"
#include "mailbox/private.h"
#include "model/name.h"

#include <errno.h>

/* Told for an item whose size the server does not tell at all; never 0, or it would not be read. */
#define SIZE_GUESS (64 * 1024)

gint64 wall_now(void)
{
  return g_get_real_time();
}

gboolean ref_make(Mailbox *mailbox, gint64 ino, GBytes *tag, StoreRef *out, GError **error)
{
  GError *inner = NULL;
  GPtrArray *path = index_path(mailbox->index, ino, &inner);
  if (!path) {
    if (!inner)
      inner = error_new(ESTALE, SCOPE_ITEM, "the item is no longer there");
    g_propagate_error(error, inner);
    return FALSE;
  }
  *out = (StoreRef){.path = path, .tag = tag ? g_bytes_ref(tag) : NULL};
  return TRUE;
}

void ref_clear(StoreRef *ref)
{
  g_clear_pointer(&ref->path, g_ptr_array_unref);
  g_clear_pointer(&ref->tag, g_bytes_unref);
}

static gint64 attr_ttl(const Mailbox *mailbox)
{
  return mailbox->options.attr_ttl_ms * 1000;
}

static gint64 told_size(const Entry *entry)
{
  if (entry->size_kind == SIZE_EXACT)
    return entry->size;
  if (entry->size_kind == SIZE_UNKNOWN)
    return SIZE_GUESS;
  return RULE("size-never-zero") ? MAX(entry->size, 1) : entry->size;
}

/* What an open file knows better than its row. Mailbox.lock is held. */
static void attr_from_open(const OpenNode *open, Attr *out)
{
  if (open->stage < 0)
    return;
  out->size = open->size;
  if (open->written != TIME_UNKNOWN)
    out->mtime = out->ctime = open->written;
  if (open->mtime != TIME_UNKNOWN)
    out->mtime = open->mtime;
  out->valid_us = 0; /* it moves to another version when it reaches the server */
}

void attr_from_node(Mailbox *mailbox, const Node *node, const Node *folder, Attr *out)
{
  gint64 confirmed = MAX(node->checked, folder ? folder->listed : 0);
  if (node->ino == INO_ROOT)
    confirmed = wall_now();
  gboolean stays = (node->state & NODE_LOCAL) && (node->entry.folder || name_is_local(node->name));
  *out = (Attr){
      .id = {node->ino, node->entry.folder ? 0 : node->version},
      .folder = node->entry.folder,
      .read_only = mailbox->options.read_only || (node->entry.flags & ENTRY_READONLY) != 0,
      .size = node->entry.folder ? 0 : told_size(&node->entry),
      .mtime = entry_mtime(&node->entry) ? entry_mtime(&node->entry) : node->changed,
      .ctime = node->changed, /* below: a folder's is not that of our having listed it */
      .valid_us = stays ? attr_ttl(mailbox)
                  : (node->state & NODE_LOCAL)
                      ? 0
                      : policy_valid(wall_now(), confirmed, attr_ttl(mailbox)),
  };
  if (node->entry.folder) {
    out->ctime = out->mtime;
    return;
  }
  g_mutex_lock(&mailbox->lock);
  const OpenNode *open = open_node_find(mailbox, out->id);
  if (open)
    attr_from_open(open, out);
  g_mutex_unlock(&mailbox->lock);
}

void attr_changed(Mailbox *mailbox)
{
  g_atomic_int_inc(&mailbox->written);
}

gboolean attr_live(Mailbox *mailbox, const Node *node, const Node *folder, gint since, Attr *out)
{
  g_auto(Node) again;
  node_init(&again);
  attr_from_node(mailbox, node, folder, out);
  for (gint now; (now = g_atomic_int_get(&mailbox->written)) != since && RULE("attr-live");
       since = now) {
    if (!index_get(mailbox->index, node->ino, &again, NULL))
      return FALSE;
    attr_from_node(mailbox, &again, folder, out);
  }
  return TRUE;
}

gboolean row_read(Mailbox *mailbox, gint64 ino, Node *out, GError **error)
{
  GError *inner = NULL;
  if (index_get(mailbox->index, ino, out, &inner))
    return TRUE;
  if (!inner)
    inner = error_new(ESTALE, SCOPE_ITEM, "the item is no longer there");
  g_propagate_error(error, inner);
  return FALSE;
}

gboolean tree_ask(Mailbox *mailbox, const Caller *caller, Node *node, GError **error)
{
  g_auto(Entry) entry;
  entry_init(&entry);
  g_auto(StoreRef) ref = {0};
  StoreCall call;
  if (!ref_make(mailbox, node->ino, NULL, &ref, error) ||
      !line_begin(mailbox, caller, CALL_META, &call, error))
    return FALSE;
  IndexQuestion question;
  g_autoptr(GError) why = NULL;
  index_ask(mailbox->index, node->ino, &question);
  gboolean found = store_stat(mailbox->store, &call, &ref, &entry, &why);
  line_end(mailbox, why);
  if (!found && (error_errno(why) != ENOENT || error_scope(why) == SCOPE_LINE)) {
    index_unask(mailbox->index, &question);
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
  }
  g_auto(Node) fresh;
  node_init(&fresh);
  GError *inner = NULL;
  if (!index_update(mailbox->index, &question, found ? &entry : NULL, &fresh, &inner)) {
    if (!inner)
      inner = error_new(ENOENT, SCOPE_ITEM, "the item is no longer there");
    g_propagate_error(error, inner);
    return FALSE;
  }
  node_clear(node);
  node_copy(&fresh, node);
  return TRUE;
}

/* Counts a question about one name of FOLDER, for policy_lookup(). */
static guint count_question(Mailbox *mailbox, gint64 folder)
{
  g_mutex_lock(&mailbox->lock);
  guint asked = ++folder_get(mailbox, folder)->asked;
  g_mutex_unlock(&mailbox->lock);
  return asked;
}

static Ask judge(Mailbox *mailbox, const Node *folder, gint64 checked)
{
  LookupFacts facts = {
      .now = wall_now(),
      .ttl = attr_ttl(mailbox),
      .folder_listed = folder->listed,
      .row_checked = checked,
      .can_probe = store_caps(mailbox->store)->content_tag && folder->entry.content_tag,
  };
  Ask ask = policy_lookup(&facts);
  if (ask != ASK_ITEM)
    return ask;
  facts.asked = count_question(mailbox, folder->ino);
  facts.members = index_count_upto(mailbox->index, folder->ino, POLICY_MEMBERS_MAX + 1);
  return policy_lookup(&facts);
}

/*
 * Brings FOLDER as a whole up to date when ASK says so. *RET_KNOWN: its listing is complete and
 * fresh now, so that absence means something.
 */
static gboolean ask_folder(Mailbox *mailbox, const Caller *caller, const Node *folder, Ask ask,
                           gboolean *ret_known, GError **error)
{
  *ret_known = FALSE;
  if (ask == ASK_PROBE)
    return listing_probe(mailbox, caller, folder, ret_known, error);
  if (ask == ASK_LISTING && !listing_refresh(mailbox, caller, folder, error))
    return FALSE;
  *ret_known = ask == ASK_LISTING;
  return TRUE;
}

gboolean tree_refresh(Mailbox *mailbox, const Caller *caller, Node *node, GError **error)
{
  if ((node->state & NODE_LOCAL) || node->ino == INO_ROOT)
    return TRUE;
  g_auto(Node) folder;
  node_init(&folder);
  if (!row_read(mailbox, node->parent, &folder, error))
    return FALSE;

  GError *inner = NULL;
  gboolean known = FALSE;
  Ask ask = judge(mailbox, &folder, node->checked);
  if (ask == ASK_NOTHING)
    return TRUE;
  gboolean ok = ask_folder(mailbox, caller, &folder, ask, &known, &inner);
  if (ok && known) {
    gint64 ino = node->ino;
    node_clear(node);
    ok = row_read(mailbox, ino, node, &inner);
    if (!ok && error_errno(inner) == ESTALE)
      inner->code = ENOENT;
  } else if (ok) {
    ok = tree_ask(mailbox, caller, node, &inner);
  }
  if (!ok && line_is_away(mailbox, inner)) {
    log_debug("mailbox", "served from the cache: %s", inner->message);
    g_clear_error(&inner);
    return TRUE;
  }
  if (!ok)
    g_propagate_error(error, inner);
  return ok;
}

static gboolean no_such_name(GError **error)
{
  return error_set(error, ENOENT, SCOPE_ITEM, "no such name in this folder");
}

/* NAME is in no row of FOLDER: does the server have it? Fills NODE with its new row. */
static gboolean find_on_server(Mailbox *mailbox, const Caller *caller, const Node *folder,
                               const char *name, Node *node, GError **error)
{
  g_auto(Entry) entry;
  entry_init(&entry);
  g_auto(StoreRef) ref = {0};
  StoreCall call;
  if (!ref_make(mailbox, folder->ino, NULL, &ref, error) ||
      !line_begin(mailbox, caller, CALL_META, &call, error))
    return FALSE;
  GError *inner = NULL;
  gboolean found = store_find(mailbox->store, &call, &ref, name, &entry, &inner);
  line_end(mailbox, inner);
  if (!found) {
    g_propagate_error(error, inner);
    return FALSE;
  }
  /* A server that folds case found another name: names here differ in case. */
  g_autofree char *visible =
      entry.name ? name_to_visible(entry.name, strlen(entry.name)) : g_strdup(name);
  if (g_strcmp0(visible, name) != 0 && RULE("name-case"))
    return no_such_name(error);
  return index_insert(mailbox->index, folder->ino, name, &entry, 0, node, error);
}

/* Looks NAME up where no row has it. */
static gboolean lookup_unknown(Mailbox *mailbox, const Caller *caller, const Node *folder,
                               const char *name, Node *node, GError **error)
{
  if (folder->state & NODE_LOCAL)
    return no_such_name(error);
  if (RULE("name-check") && name_check_new(name) != 0)
    return no_such_name(error); /* no server name is shown like this */
  gboolean known = FALSE;
  Ask ask = judge(mailbox, folder, 0);
  if (ask == ASK_NOTHING)
    return no_such_name(error);
  GError *inner = NULL;
  if (!ask_folder(mailbox, caller, folder, ask, &known, &inner)) {
    /* Without the server a name that we do not know may still be there: EIO, never ENOENT. */
    if (error_scope(inner) == SCOPE_LINE && error_errno(inner) != EINTR &&
        !RULE("unknown-is-error"))
      inner->code = ENOENT;
    g_propagate_error(error, inner);
    return FALSE;
  }
  if (known) {
    if (index_find(mailbox->index, folder->ino, name, node, &inner))
      return TRUE;
    if (!inner)
      return no_such_name(error);
    g_propagate_error(error, inner);
    return FALSE;
  }
  if (!find_on_server(mailbox, caller, folder, name, node, &inner)) {
    if (error_scope(inner) == SCOPE_LINE && error_errno(inner) != EINTR &&
        !RULE("unknown-is-error"))
      inner->code = ENOENT;
    g_propagate_error(error, inner);
    return FALSE;
  }
  return TRUE;
}

gboolean mailbox_lookup(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                        Attr *out, GError **error)
{
  g_auto(Node) folder;
  g_auto(Node) node;
  node_init(&folder);
  node_init(&node);
  if (!row_read(mailbox, parent, &folder, error))
    return FALSE;

  GError *inner = NULL;
  gboolean known = index_find(mailbox->index, parent, name, &node, &inner);
  if (inner) {
    g_propagate_error(error, inner);
    return FALSE;
  }
  if (known ? !tree_refresh(mailbox, caller, &node, error)
            : !lookup_unknown(mailbox, caller, &folder, name, &node, error))
    return FALSE;
  if (mailbox->options.sizes_exact && !size_learn(mailbox, caller, &node, error))
    return FALSE;
  /* What was found may be old by now. */
  gint64 ino = node.ino;
  gint since = g_atomic_int_get(&mailbox->written);
  node_clear(&node);
  if (!row_read(mailbox, ino, &node, error))
    return FALSE;
  size_after_refusal(mailbox, caller, &node);
  if (!node.name) /* gone while its size was learnt */
    return no_such_name(error);
  size_told(mailbox, node.ino);
  node_clear(&folder);
  if (!row_read(mailbox, node.parent, &folder, error))
    return FALSE;
  return attr_live(mailbox, &node, &folder, since, out) || no_such_name(error);
}

/* What an open but outdated version was. */
static gboolean getattr_open(Mailbox *mailbox, NodeId id, Attr *out)
{
  g_mutex_lock(&mailbox->lock);
  const OpenNode *open = open_node_find(mailbox, id);
  if (open) {
    *out = (Attr){.id = id, .size = open->size, .mtime = 0, .ctime = 0};
    attr_from_open(open, out);
    out->valid_us = 0;
  }
  g_mutex_unlock(&mailbox->lock);
  return open != NULL;
}

gboolean mailbox_getattr(Mailbox *mailbox, const Caller *caller, NodeId id, File *file, Attr *out,
                         GError **error)
{
  (void)caller;
  if (file)
    id = file_id(file);
  g_auto(Node) node;
  g_auto(Node) folder;
  node_init(&node);
  node_init(&folder);
  GError *inner = NULL;
  gint since = g_atomic_int_get(&mailbox->written);
  gboolean have = index_get(mailbox->index, id.ino, &node, &inner);
  if (inner) {
    g_propagate_error(error, inner);
    return FALSE;
  }
  if (!have || (!node.entry.folder && node.version != id.version && RULE("version-per-file"))) {
    if (getattr_open(mailbox, id, out)) {
      if (have)
        out->mtime = out->mtime ? out->mtime : entry_mtime(&node.entry);
      return TRUE;
    }
    return error_set(error, ESTALE, SCOPE_ITEM, "the item is no longer what it was");
  }
  if (node.ino != INO_ROOT && !row_read(mailbox, node.parent, &folder, error))
    return FALSE;
  return attr_live(mailbox, &node, node.ino == INO_ROOT ? &node : &folder, since, out) ||
         error_set(error, ESTALE, SCOPE_ITEM, "the item is no longer there");
}

gint64 mailbox_parent(Mailbox *mailbox, gint64 folder)
{
  g_auto(Node) node;
  node_init(&node);
  return folder != INO_ROOT && index_get(mailbox->index, folder, &node, NULL) ? node.parent
                                                                              : INO_ROOT;
}

void mailbox_quota(Mailbox *mailbox, StoreQuota *out)
{
  g_mutex_lock(&mailbox->lock);
  *out = mailbox->quota;
  g_mutex_unlock(&mailbox->lock);
}
