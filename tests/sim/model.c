/* SPDX-License-Identifier: Apache-2.0 */
/* The tree itself: creation, lookup, linking, ids and time. Changes to what is there:
 * model_change.c. */
#include "model_private.h"

#include <string.h>

Model *model_new(gboolean fold_case, gint64 clock_ms)
{
  Model *model = g_new0(Model, 1);
  /* Writers first: listings that follow each other closely would else keep a write out for seconds.
   */
  pthread_rwlockattr_t kind;
  pthread_rwlockattr_init(&kind);
  pthread_rwlockattr_setkind_np(&kind, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  pthread_rwlock_init(&model->lock, &kind);
  pthread_rwlockattr_destroy(&kind);
  pthread_mutex_init(&model->record_lock, NULL);
  model->record = g_string_new(NULL);
  model->fold_case = fold_case;
  model->clock = clock_ms;
  model->mailboxes = g_ptr_array_new();
  model->by_mid = g_hash_table_new(g_int64_hash, g_int64_equal);
  return model;
}

static void mailbox_free(Model *model, Mailbox *mailbox)
{
  node_free(model, mailbox->root);
  if (mailbox->hidden) {
    node_free(model, mailbox->hidden);
  }
  g_free(mailbox->user);
  g_free(mailbox);
}

void model_free(Model *model)
{
  if (!model) {
    return;
  }
  for (guint i = 0; i < model->mailboxes->len; i++) {
    mailbox_free(model, model->mailboxes->pdata[i]);
  }
  g_ptr_array_unref(model->mailboxes);
  g_hash_table_unref(model->by_mid);
  g_string_free(model->record, TRUE);
  pthread_mutex_destroy(&model->record_lock);
  pthread_rwlock_destroy(&model->lock);
  g_free(model);
}

void model_read(Model *model)
{
  pthread_rwlock_rdlock(&model->lock);
}

void model_read_done(Model *model)
{
  pthread_rwlock_unlock(&model->lock);
}

void model_write(Model *model)
{
  pthread_rwlock_wrlock(&model->lock);
}

void model_write_done(Model *model)
{
  pthread_rwlock_unlock(&model->lock);
}

gint64 model_now(Model *model)
{
  return model->clock ? model->clock : g_get_real_time() / 1000;
}

guint64 model_tick(Model *model)
{
  if (model->clock) {
    model->clock += 1000;
  }
  return ++model->change;
}

char *model_key(const Model *model, const char *name)
{
  return model->fold_case ? g_utf8_casefold(name, -1) : g_strdup(name);
}

Node *node_new(Model *model, const char *name)
{
  Node *node = g_new0(Node, 1);
  node->uid = ++model->next_id;
  node->mid = node->uid;
  node->change = node->content = model_tick(model);
  node->name = g_strdup(name);
  node->key = model_key(model, name);
  node->created = node->modified = node->received = model_now(model);
  g_hash_table_insert(model->by_mid, &node->mid, node);
  return node;
}

void node_free(Model *model, Node *node)
{
  if (node->folder) {
    for (Node *child = node->folder->first, *next; child; child = next) {
      next = child->next;
      node_free(model, child);
    }
    g_hash_table_unref(node->folder->names);
    g_array_unref(node->folder->graves);
    g_free(node->folder);
  }
  if (node->body) {
    model->bytes -= body_size(node->body);
    body_unref(node->body);
  }
  g_hash_table_remove(model->by_mid, &node->mid);
  g_clear_pointer(&node->props, g_hash_table_unref);
  g_free(node->content_type);
  g_free(node->name);
  g_free(node->key);
  g_free(node);
}

void folder_attach(Node *node)
{
  node->folder = g_new0(Folder, 1);
  node->folder->names = g_hash_table_new(g_str_hash, g_str_equal);
  node->folder->graves = g_array_new(FALSE, FALSE, sizeof(Tombstone));
  node->folder->next_article = 1;
  node->content_class = g_intern_static_string("urn:content-classes:folder");
}

void folder_count(Node *parent, const Node *child, int sign)
{
  Folder *folder = parent->folder;
  if (child->folder) {
    folder->folders += (guint)sign;
    return;
  }
  folder->items += (guint)sign;
  folder->hidden += child->hidden ? (guint)sign : 0;
  folder->unread += !child->read && !child->hidden ? (guint)sign : 0;
  guint64 size = child->body ? body_size(child->body) : 0;
  folder->bytes += sign > 0 ? size : -size;
}

void folder_link(Node *parent, Node *child)
{
  Folder *folder = parent->folder;
  child->parent = parent;
  child->prev = folder->last;
  child->next = NULL;
  *(folder->last ? &folder->last->next : &folder->first) = child;
  folder->last = child;
  g_hash_table_insert(folder->names, child->key, child);
  if (!child->folder) {
    child->article = folder->next_article++;
  }
  folder_count(parent, child, 1);
}

void folder_unlink(Node *child)
{
  Folder *folder = child->parent->folder;
  *(child->prev ? &child->prev->next : &folder->first) = child->next;
  *(child->next ? &child->next->prev : &folder->last) = child->prev;
  g_hash_table_remove(folder->names, child->key);
  folder_count(child->parent, child, -1);
  child->prev = child->next = NULL;
}

Node *model_child(Model *model, const Node *folder, const char *name)
{
  if (!folder->folder) {
    return NULL;
  }
  if (!model->fold_case) {
    return g_hash_table_lookup(folder->folder->names, name);
  }
  g_autofree char *key = model_key(model, name);
  return g_hash_table_lookup(folder->folder->names, key);
}

Node *model_by_mid(Model *model, guint64 mid)
{
  return g_hash_table_lookup(model->by_mid, &mid);
}

Mailbox *model_mailbox_of(const Node *node)
{
  while (node->parent) {
    node = node->parent;
  }
  return node->folder->mailbox;
}

gboolean model_is_ancestor(const Node *folder, const Node *node)
{
  while (node && node != folder) {
    node = node->parent;
  }
  return node != NULL;
}

char *model_path(const Node *node)
{
  GString *path = g_string_new(NULL);
  for (; node; node = node->parent) {
    g_string_prepend(path, node->name);
    g_string_prepend_c(path, '/');
  }
  return g_string_free(path, FALSE);
}

guint64 model_version(Model *model)
{
  return model->change;
}

guint64 model_bytes(Model *model)
{
  return model->bytes;
}

gboolean model_folds_case(Model *model)
{
  return model->fold_case;
}

GPtrArray *model_mailboxes(Model *model)
{
  return model->mailboxes;
}

Mailbox *model_mailbox(Model *model, const char *user)
{
  for (guint i = 0; i < model->mailboxes->len; i++) {
    Mailbox *mailbox = model->mailboxes->pdata[i];
    if (user && mailbox->user ? g_ascii_strcasecmp(mailbox->user, user) == 0
                              : !user && !mailbox->user) {
      return mailbox;
    }
  }
  return NULL;
}

static Node *make_root(Model *model, Mailbox *mailbox, const char *name, Role role)
{
  Node *root = node_new(model, name);
  folder_attach(root);
  root->folder->role = role;
  root->folder->mailbox = mailbox;
  mailbox->known[role] = root;
  return root;
}

Mailbox *model_add_mailbox(Model *model, const char *user, const char *const *names)
{
  static const char *const classes[ROLE_COUNT] = {[ROLE_INBOX] = "IPF.Note",
                                                  [ROLE_OUTBOX] = "IPF.Note",
                                                  [ROLE_SENT] = "IPF.Note",
                                                  [ROLE_DELETED] = "IPF.Note",
                                                  [ROLE_DRAFTS] = "IPF.Note",
                                                  [ROLE_CONTACTS] = "IPF.Contact",
                                                  [ROLE_CALENDAR] = "IPF.Appointment",
                                                  [ROLE_TASKS] = "IPF.Task",
                                                  [ROLE_NOTES] = "IPF.StickyNote",
                                                  [ROLE_JOURNAL] = "IPF.Journal",
                                                  [ROLE_JUNK] = "IPF.Note"};
  Mailbox *mailbox = g_new0(Mailbox, 1);
  mailbox->user = g_strdup(user);
  mailbox->root = make_root(model, mailbox, user ? user : "public", ROLE_ROOT);
  mailbox->hidden = make_root(model, mailbox, "NON_IPM_SUBTREE", ROLE_HIDDEN_ROOT);
  g_ptr_array_add(model->mailboxes, mailbox);
  for (int role = ROLE_INBOX; user && names && role < ROLE_COUNT; role++) {
    Node *folder = model_make_folder(model, mailbox->root, names[role - ROLE_INBOX], classes[role]);
    folder->folder->role = (Role)role;
    mailbox->known[role] = folder;
  }
  return mailbox;
}
