/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns uploads: new items and replacements, with "must not exist" or "must still be what I read",
 * so that nobody's version is overwritten in silence. Leaves when to upload to file.c.
 */
#include "mailbox/change/change.h"
#include "model/name.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* What is sent, and where. TARGET NULL: a new item NAME in FOLDER. */
typedef struct {
  gint64 folder;
  const char *name;
  const Node *target;
  int fd;
  gint64 size;
} Upload;

/* Sends UPLOAD once. */
static gboolean send_once(Mailbox *mailbox, const Caller *caller, const Upload *upload, Entry *out,
                          GError **error)
{
  const StoreSource source = {upload->fd, upload->size};
  const Node *target = upload->target;
  g_auto(StoreRef) ref = {0};
  StoreCall call;
  GBytes *tag = target && RULE("put-if-match") ? target->entry.tag : NULL;
  if (!ref_make(mailbox, target ? target->ino : upload->folder, tag, &ref, error) ||
      !line_begin(mailbox, caller, CALL_DATA, &call, error))
    return FALSE;
  GError *inner = NULL;
  gboolean ok = target
                    ? store_replace(mailbox->store, &call, &ref, &source, out, &inner)
                    : store_create(mailbox->store, &call, &ref, upload->name, &source, out, &inner);
  line_end(mailbox, inner);
  if (!ok)
    g_propagate_error(error, inner);
  return ok;
}

/* What the server has where UPLOAD goes; ENOENT: nothing. */
static gboolean look(Mailbox *mailbox, const Caller *caller, const Upload *upload, Entry *now,
                     StoreRef *ref, GError **error)
{
  g_auto(StoreRef) at = {0};
  StoreCall call;
  if (!ref_make(mailbox, upload->target ? upload->target->ino : upload->folder, NULL, &at, error) ||
      !line_begin(mailbox, caller, CALL_BACKGROUND, &call, error))
    return FALSE;
  gboolean found = upload->target
                       ? store_stat(mailbox->store, &call, &at, now, error)
                       : store_find(mailbox->store, &call, &at, upload->name, now, error);
  if (!found)
    return FALSE;
  if (!upload->target)
    return ref_below(mailbox, upload->folder, now, ref, error);
  *ref = (StoreRef){g_steal_pointer(&at.path), NULL};
  return TRUE;
}

/*
 * The answer to UPLOAD was lost, or the server says it cannot be done any more: was it done, by us?
 * FALSE: it was not (nothing is there, or still the old version, or somebody else's).
 */
static gboolean was_done(Mailbox *mailbox, const Caller *caller, const Upload *upload, Entry *out)
{
  g_auto(Entry) now;
  g_auto(StoreRef) ref = {0};
  g_autoptr(GError) ignored = NULL;
  entry_init(&now);
  if (!look(mailbox, caller, upload, &now, &ref, &ignored) ||
      (upload->target && bytes_same(now.tag, upload->target->entry.tag)) ||
      !server_has(mailbox, caller, &ref, &now, upload->fd, upload->size, upload->target != NULL))
    return FALSE;
  entry_clear(out);
  *out = now;
  entry_init(&now);
  return TRUE;
}

static gboolean send(Mailbox *mailbox, const Caller *caller, const Upload *upload, Entry *out,
                     GError **error)
{
  GError *inner = NULL;
  gboolean lost = FALSE;
  for (int attempt = 0; attempt < 2; attempt++) {
    if (send_once(mailbox, caller, upload, out, &inner))
      return TRUE;
    /* After a lost answer "exists" and "changed" may be our own doing. */
    lost = lost || error_maybe_applied(inner);
    if (!lost || error_errno(inner) == EINTR)
      break;
    if (RULE("put-lost-answer") && was_done(mailbox, caller, upload, out)) {
      g_error_free(inner);
      return TRUE;
    }
    if (!error_maybe_applied(inner) || attempt == 1)
      break;
    g_clear_error(&inner);
  }
  g_propagate_error(error, inner);
  return FALSE;
}

/* Keeps the bytes of a local name here. */
static gboolean keep_local(Mailbox *mailbox, OpenNode *open, GError **error)
{
  if (!open->kept && !bodies_local_keep(mailbox->bodies, open->id.ino, open->stage, FALSE, error))
    return FALSE;
  gint64 mtime = open->mtime != TIME_UNKNOWN ? open->mtime : open->written;
  if (!index_set_size(mailbox->index, open->id.ino, open->id.version, open->size, error) ||
      (mtime != TIME_UNKNOWN &&
       !index_set_mtime(mailbox->index, open->id.ino, mtime, FALSE, error)))
    return FALSE;
  attr_changed(mailbox);
  g_mutex_lock(&mailbox->lock);
  open->kept = TRUE;
  open->dirty = open->told = FALSE;
  g_mutex_unlock(&mailbox->lock);
  return TRUE;
}

/* Keeps OPEN's stage in .exchange/unsent. */
static gboolean keep_unsent(Mailbox *mailbox, const OpenNode *open, const char *name,
                            const GError *why)
{
  g_autoptr(GError) error = NULL;
  if (unsent_keep(mailbox, name, open->stage, open->size, why->message, &error))
    return TRUE;
  log_error("mailbox", "the bytes written to %s could not be kept: %s", name, error->message);
  return FALSE;
}

/* OPEN's stage conflicts with what the server has: it is kept aside, and that is the end of it. */
static void keep_conflict(Mailbox *mailbox, OpenNode *open, const char *name, const GError *why)
{
  gboolean kept = !RULE("conflict-kept") || keep_unsent(mailbox, open, name, why);
  g_mutex_lock(&mailbox->lock);
  open->dirty = !kept;
  if (RULE("conflict-not-served"))
    open->base = VERSION_NONE; /* the bytes are of no version that the server ever had */
  g_mutex_unlock(&mailbox->lock);
}

/* Notes in the index and in OPEN that the server has OPEN's stage as ENTRY. FALSE without ERROR:
 * the row is gone, with its folder. */
static gboolean note_sent(Mailbox *mailbox, OpenNode *open, const Node *before, const Entry *entry,
                          GError **error)
{
  const StoreCaps *caps = store_caps(mailbox->store);
  gboolean same_bytes = (caps->bytes_stable || entry->size_kind == SIZE_EXACT) &&
                        !(entry->size_kind == SIZE_EXACT && entry->size != open->size);
  g_auto(Node) after;
  node_init(&after);
  if (!index_written(mailbox->index, open->id.ino, entry, same_bytes, open->size, &after, error))
    return FALSE;
  /* A time set before belongs to the bytes before: what was written since has its own. */
  gboolean had_time = before->entry.user_mtime != TIME_UNKNOWN && !(before->state & NODE_LOCAL);
  gint64 mtime = open->mtime != TIME_UNKNOWN ? open->mtime
                 : had_time                  ? open->written
                                             : TIME_UNKNOWN;
  if (mtime != TIME_UNKNOWN) {
    if (!index_set_mtime(mailbox->index, open->id.ino, mtime, caps->keeps_mtime, error))
      return FALSE;
    mailbox_wake(mailbox);
  }
  body_outdate(mailbox, open->id);
  attr_changed(mailbox);
  g_mutex_lock(&mailbox->lock);
  open->base = after.version;
  open->dirty = open->told = FALSE;
  open->mtime = open->written = TIME_UNKNOWN;
  g_mutex_unlock(&mailbox->lock);
  return TRUE;
}

/* Sends OPEN's stage as its row NODE, and has index and OPEN say so. */
static gboolean send_open(Mailbox *mailbox, const Caller *caller, OpenNode *open, const Node *node,
                          GError **error)
{
  g_auto(Entry) entry;
  entry_init(&entry);
  g_autoptr(GError) unnoted = NULL;
  const Node *target = node->state & NODE_LOCAL ? NULL : node;
  const Upload upload = {node->parent, node->name, target, open->stage, open->size};
  index_claim(mailbox->index, node->ino);
  gboolean sent = send(mailbox, caller, &upload, &entry, error);
  if (sent && !note_sent(mailbox, open, node, &entry, &unnoted)) {
    log_warning("mailbox", "%s was sent, but: %s", node->name,
                unnoted ? unnoted->message : "its folder is gone meanwhile");
    g_mutex_lock(&mailbox->lock);
    open->unnoted = unnoted != NULL;
    open->dirty = FALSE;
    g_mutex_unlock(&mailbox->lock);
  }
  index_unclaim(mailbox->index, node->ino);
  return sent;
}

gboolean put_upload(Mailbox *mailbox, const Caller *caller, OpenNode *open, GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  if (open->unlinked) {
    open->dirty = FALSE;
    return TRUE;
  }
  GError *inner = NULL;
  if (!index_get(mailbox->index, open->id.ino, &node, &inner)) {
    if (!inner)
      inner = error_new(ESTALE, SCOPE_ITEM, "the item was deleted on the server meanwhile");
    if (error_errno(inner) == ESTALE)
      keep_conflict(mailbox, open, "deleted item", inner);
    g_propagate_error(error, inner);
    return FALSE;
  }
  gboolean local = (node.state & NODE_LOCAL) != 0;
  if (local && name_is_local(node.name) && RULE("local-names"))
    return keep_local(mailbox, open, error);
  if (!local && node.version != open->base && RULE("put-base-version"))
    inner = error_new(ESTALE, SCOPE_ITEM, "%s was changed on the server meanwhile", node.name);
  if (!inner && send_open(mailbox, caller, open, &node, &inner))
    return TRUE;
  if (error_errno(inner) == ESTALE || (error_errno(inner) == ENOENT && !local)) {
    inner->code = ESTALE;
    keep_conflict(mailbox, open, node.name, inner);
  }
  /* It is not what we think it is, or, after an interrupt, perhaps no more. */
  if (error_errno(inner) == ESTALE || error_errno(inner) == EEXIST || error_errno(inner) == EINTR ||
      error_maybe_applied(inner))
    index_doubt(mailbox->index, node.ino);
  g_propagate_error(error, inner);
  return FALSE;
}

gboolean put_local(Mailbox *mailbox, const Caller *caller, int fd, gint64 size, gint64 folder,
                   const char *name, const Node *target, Entry *out, GError **error)
{
  const Upload upload = {folder, name, target, fd, size};
  return send(mailbox, caller, &upload, out, error);
}

void put_last(Mailbox *mailbox, OpenNode *open)
{
  g_auto(Node) node;
  g_auto(JournalEntry) entry = {0};
  node_init(&node);
  g_autoptr(GError) error = NULL;
  if (index_get(mailbox->index, open->id.ino, &node, NULL) &&
      !((node.state & NODE_LOCAL) && name_is_local(node.name))) {
    entry = (JournalEntry){.ino = node.ino,
                           .parent = node.parent,
                           .name = g_strdup(node.name),
                           .create = (node.state & NODE_LOCAL) != 0,
                           .base_tag = node.entry.tag ? g_bytes_ref(node.entry.tag) : NULL,
                           .size = open->size};
    if (!journal_add(mailbox->journal, &entry, open->stage, TRUE, &error))
      log_warning("mailbox", "%s is sent without being journalled: %s", node.name, error->message);
    g_clear_error(&error);
  }
  gboolean safe = TRUE;
  if (!put_upload(mailbox, NULL, open, &error)) {
    safe =
        !open->dirty || keep_unsent(mailbox, open, node.name ? node.name : "deleted item", error);
    if (node.state & NODE_LOCAL)
      index_delete(mailbox->index, open->id.ino, NULL);
  }
  if (entry.id && safe) /* else the next mount tries again */
    journal_remove(mailbox->journal, entry.id, NULL);
}

/* Finishes ENTRY of an earlier mount. FALSE: it stays in the journal, as its bytes are nowhere
 * else. */
static gboolean recover_entry(Mailbox *mailbox, const JournalEntry *entry)
{
  g_auto(Node) node;
  g_auto(Entry) out;
  node_init(&node);
  entry_init(&out);
  g_autoptr(GError) error = NULL;
  int fd = journal_open_staged(mailbox->journal, entry->id, &error);
  if (fd < 0) {
    log_error("mailbox", "the bytes written to %s are gone: %s", entry->name, error->message);
    return TRUE;
  }
  gboolean known = index_get(mailbox->index, entry->ino, &node, NULL);
  gboolean possible = entry->create || (known && !(node.state & NODE_LOCAL));
  if (possible && !entry->create) {
    /* Replace what was read then, not what is there now. */
    g_clear_pointer(&node.entry.tag, g_bytes_unref);
    node.entry.tag = entry->base_tag ? g_bytes_ref(entry->base_tag) : NULL;
  }
  const Upload upload = {entry->parent, entry->name, entry->create ? NULL : &node, fd, entry->size};
  gboolean ok = possible && (was_done(mailbox, NULL, &upload, &out) ||
                             send(mailbox, NULL, &upload, &out, &error));
  gboolean later = !ok && error && error_scope(error) == SCOPE_LINE;
  gboolean kept = !ok && !later &&
                  unsent_keep(mailbox, entry->name, fd, entry->size,
                              error ? error->message : "the item is no longer there", NULL);
  if (ok || kept)
    index_forget_listing(mailbox->index, entry->parent, NULL);
  close(fd);
  return ok || kept;
}

static gboolean copy_entry(const JournalEntry *entry, gpointer user)
{
  JournalEntry *copy = g_new0(JournalEntry, 1);
  *copy = *entry;
  copy->name = g_strdup(entry->name);
  copy->base_tag = entry->base_tag ? g_bytes_ref(entry->base_tag) : NULL;
  g_ptr_array_add(user, copy);
  return TRUE;
}

static void free_entry(gpointer entry)
{
  journal_entry_clear(entry);
  g_free(entry);
}

gboolean put_recover(Mailbox *mailbox)
{
  g_autoptr(GPtrArray) entries = g_ptr_array_new_with_free_func(free_entry);
  g_autoptr(GError) error = NULL;
  if (!journal_foreach(mailbox->journal, copy_entry, entries, &error)) {
    log_error("mailbox", "the journal cannot be read: %s", error->message);
    return TRUE;
  }
  for (guint i = 0; i < entries->len; i++) {
    const JournalEntry *entry = g_ptr_array_index(entries, i);
    if (!recover_entry(mailbox, entry))
      return FALSE;
    journal_remove(mailbox->journal, entry->id, NULL);
  }
  return TRUE;
}
