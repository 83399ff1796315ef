/* SPDX-License-Identifier: Apache-2.0 */
/* What model.c and model_change.c share: the store's own state and the linking of nodes. */
#pragma once

#include "model.h"

#include <pthread.h>

struct Model {
  pthread_rwlock_t lock;
  GPtrArray *mailboxes; /* Mailbox, owned */
  GHashTable *by_mid;   /* &node->mid -> Node */
  guint64 next_id, change, bytes;
  gint64 clock; /* 0: the real one */
  gboolean fold_case;
  pthread_mutex_t record_lock; /* below the lock above */
  GString *record;
  guint64 record_seq, submissions;
};

/* The next change number; moves an injected clock. */
guint64 model_tick(Model *model);
char *model_key(const Model *model, const char *name);
/* Not linked anywhere yet. */
Node *node_new(Model *model, const char *name);
/* Frees what is below it too; does not unlink. */
void node_free(Model *model, Node *node);
void folder_attach(Node *node);
/* Adds child to (or takes it from) the counters of parent. */
void folder_count(Node *parent, const Node *child, int sign);
void folder_link(Node *parent, Node *child);
void folder_unlink(Node *child);
