/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that changes the store, and the record of it. The record is written here and nowhere
 * else, so that "nothing was changed" can be proved against the store and not against a protocol.
 */
#include "model_private.h"

#include <string.h>

static void record(Model *model, const char *kind, const Node *node)
{
  g_autofree char *path = model_path(node);
  pthread_mutex_lock(&model->record_lock);
  g_string_append_printf(model->record, "%" G_GUINT64_FORMAT " %s %s %" G_GUINT64_FORMAT "\n",
                         ++model->record_seq, kind, path, node->uid);
  pthread_mutex_unlock(&model->record_lock);
}

char *model_mutations(Model *model)
{
  pthread_mutex_lock(&model->record_lock);
  char *text = g_strdup(model->record->str);
  pthread_mutex_unlock(&model->record_lock);
  return text;
}

guint64 model_submissions(Model *model)
{
  pthread_mutex_lock(&model->record_lock);
  guint64 count = model->submissions;
  pthread_mutex_unlock(&model->record_lock);
  return count;
}

void model_reset_record(Model *model)
{
  pthread_mutex_lock(&model->record_lock);
  g_string_truncate(model->record, 0);
  model->record_seq = 0;
  model->submissions = 0;
  pthread_mutex_unlock(&model->record_lock);
}

void model_submitted(Model *model)
{
  pthread_mutex_lock(&model->record_lock);
  model->submissions++;
  pthread_mutex_unlock(&model->record_lock);
}

/* A member of folder changed; membership: came or went. */
static void touch_folder(Model *model, Node *folder, gboolean membership)
{
  if (!folder) {
    return;
  }
  folder->folder->content = model->change;
  if (membership) {
    folder->modified = model_now(model);
  }
}

Node *model_make_folder(Model *model, Node *parent, const char *name, const char *folder_class)
{
  Node *node = node_new(model, name);
  folder_attach(node);
  node->message_class = folder_class ? g_intern_string(folder_class) : NULL;
  folder_link(parent, node);
  touch_folder(model, parent, TRUE);
  record(model, "mkdir", node);
  return node;
}

Node *model_make_item(Model *model, Node *parent, const char *name)
{
  Node *node = node_new(model, name);
  node->message_class = g_intern_static_string("IPM.Note");
  node->content_class = g_intern_static_string("urn:content-classes:message");
  folder_link(parent, node);
  touch_folder(model, parent, TRUE);
  record(model, "create", node);
  return node;
}

void model_put(Model *model, Node *item, Body *body, const char *content_type)
{
  folder_count(item->parent, item, -1);
  model->bytes += body_size(body) - (item->body ? body_size(item->body) : 0);
  body_ref(body);
  g_clear_pointer(&item->body, body_unref);
  item->body = body;
  folder_count(item->parent, item, 1);
  if (content_type) {
    g_free(item->content_type);
    item->content_type = g_strdup(content_type);
  }
  model_changed(model, item, CHANGED_HEADERS);
}

void model_set(Model *model, Node *node, const char *canonical, const Value *value)
{
  (void)model;
  if (!value) {
    if (node->props) {
      g_hash_table_remove(node->props, canonical);
    }
    return;
  }
  if (!node->props) {
    node->props = g_hash_table_new_full(NULL, NULL, NULL, (GDestroyNotify)value_free);
  }
  g_hash_table_insert(node->props, (gpointer)g_intern_string(canonical), value_dup(value));
}

void model_set_read(Model *model, Node *item, gboolean read)
{
  (void)model;
  if (item->folder) {
    return;
  }
  folder_count(item->parent, item, -1);
  item->read = read ? 1 : 0;
  folder_count(item->parent, item, 1);
}

void model_set_hidden(Model *model, Node *node, gboolean hidden)
{
  (void)model;
  folder_count(node->parent, node, -1);
  node->hidden = hidden ? 1 : 0;
  folder_count(node->parent, node, 1);
}

void model_changed(Model *model, Node *node, Changed how)
{
  node->change = model_tick(model);
  if (how != CHANGED_READ_FLAG) {
    node->content = node->change;
    node->modified = model_now(model);
  }
  if (how == CHANGED_HEADERS && !node->folder) {
    node->article = node->parent->folder->next_article++;
  }
  touch_folder(model, node->parent, FALSE);
  record(model,
         how == CHANGED_READ_FLAG    ? "read"
         : how == CHANGED_PROPERTIES ? "props"
                                     : "content",
         node);
}

static void bury(Model *model, Node *parent, const Node *node)
{
  Tombstone grave = {.uid = node->uid, .mid = node->mid, .change = model->change};
  g_array_append_val(parent->folder->graves, grave);
  parent->folder->deleted_ever += node->folder ? 0 : 1;
}

static void forget_roles(const Node *node)
{
  if (!node->folder) {
    return;
  }
  if (node->folder->role != ROLE_NONE) {
    model_mailbox_of(node)->known[node->folder->role] = NULL;
  }
  for (Node *child = node->folder->first; child; child = child->next) {
    forget_roles(child);
  }
}

void model_remove(Model *model, Node *node)
{
  Node *parent = node->parent;
  model_tick(model);
  record(model, "delete", node);
  forget_roles(node);
  folder_unlink(node);
  bury(model, parent, node);
  touch_folder(model, parent, TRUE);
  node_free(model, node);
}

void model_move(Model *model, Node *node, Node *parent, const char *name)
{
  Node *from = node->parent;
  folder_unlink(node);
  node->change = model_tick(model);
  if (from != parent) {
    bury(model, from, node);
    if (!node->folder) {
      g_hash_table_remove(model->by_mid, &node->mid);
      node->mid = ++model->next_id; /* quirk 37: the permanent URL is new, the uid is not */
      g_hash_table_insert(model->by_mid, &node->mid, node);
    }
  }
  char *fresh = g_strdup(name); /* name may be node's own */
  g_free(node->name);
  g_free(node->key);
  node->name = fresh;
  node->key = model_key(model, fresh);
  folder_link(parent, node);
  touch_folder(model, from, TRUE);
  touch_folder(model, parent, TRUE);
  record(model, from == parent ? "rename" : "move", node);
}

static void copy_facts(Model *model, const Node *from, Node *to)
{
  to->content_type = g_strdup(from->content_type);
  to->message_class = from->message_class;
  to->content_class = from->content_class;
  to->received = from->received;
  to->read = from->read;
  to->unsent = from->unsent;
  to->hidden = from->hidden;
  to->attachments = from->attachments;
  to->document = from->document;
  if (from->body) {
    to->body = body_ref(from->body);
    model->bytes += body_size(from->body);
  }
  GHashTableIter iter;
  gpointer key, value;
  if (from->props) {
    g_hash_table_iter_init(&iter, from->props);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
      model_set(model, to, key, value);
    }
  }
}

Node *model_copy(Model *model, const Node *node, Node *parent, const char *name)
{
  Node *copy = node_new(model, name);
  if (node->folder) {
    folder_attach(copy);
  }
  copy_facts(model, node, copy);
  folder_link(parent, copy);
  touch_folder(model, parent, TRUE);
  record(model, "copy", copy);
  if (node->folder) {
    /* A copy into the folder itself must not chase its own tail. */
    Node *last = node->folder->last;
    for (Node *child = node->folder->first; child; child = child->next) {
      if (child != copy) {
        model_copy(model, child, copy, child->name);
      }
      if (child == last) {
        break;
      }
    }
  }
  return copy;
}

char *model_free_name(Model *model, const Node *folder, const char *wanted)
{
  if (!model_child(model, folder, wanted)) {
    return g_strdup(wanted);
  }
  const char *dot = strrchr(wanted, '.');
  int stem = dot && dot != wanted ? (int)(dot - wanted) : (int)strlen(wanted);
  for (guint n = 2;; n++) {
    char *name = g_strdup_printf("%.*s-%u%s", stem, wanted, n, wanted + stem);
    if (!model_child(model, folder, name)) {
      return name;
    }
    g_free(name);
  }
}
