/* SPDX-License-Identifier: Apache-2.0 */
/* The mailbox store: folders, items, typed properties, ids, counters and the record of what
 * changed. It knows no protocol: names are what a person sees, properties are keyed by canonical
 * full name (props.h says which), and no URL, header or status appears here.
 *
 * Locking: one readers-writer lock over everything. Callers hold it (model_read / model_write)
 * around every use of a Node, never twice in one thread; bodies are immutable and counted, so they
 * may be sent after the unlock. */
#pragma once

#include "body.h"
#include "value.h"

typedef struct Model Model;
typedef struct Node Node;
typedef struct Folder Folder;
typedef struct Mailbox Mailbox;

typedef enum {
  ROLE_NONE,
  ROLE_ROOT,
  ROLE_HIDDEN_ROOT, /* the half of a mailbox that no listing shows */
  ROLE_INBOX,
  ROLE_OUTBOX,
  ROLE_SENT,
  ROLE_DELETED,
  ROLE_DRAFTS,
  ROLE_CALENDAR,
  ROLE_CONTACTS,
  ROLE_TASKS,
  ROLE_NOTES,
  ROLE_JOURNAL,
  ROLE_JUNK,
  ROLE_COUNT,
} Role;

struct Node {
  guint64 uid;     /* for life, and never used again */
  guint64 mid;     /* changes when an item moves to another folder */
  guint64 change;  /* of content or any property */
  guint64 content; /* the change number of the last change other than the read flag */
  Node *parent, *prev, *next;
  Folder *folder; /* NULL for an item */
  char *name;     /* valid UTF-8 */
  char *key;      /* name folded for comparison */
  Body *body;     /* items: NULL until there is content */
  char *content_type;
  const char *message_class, *content_class; /* interned */
  gint64 created, modified, received;        /* ms */
  guint article;                             /* number in its folder, grows */
  unsigned read : 1, unsent : 1, hidden : 1, attachments : 1, document : 1;
  GHashTable *props; /* interned canonical name -> Value*, or NULL */
};

typedef struct {
  guint64 uid, mid, change;
} Tombstone;

struct Folder {
  Node *first, *last;
  GHashTable *names; /* key -> Node, both borrowed */
  GArray *graves;    /* Tombstone: what was removed or moved away */
  Mailbox *mailbox;  /* roots only */
  Role role;
  guint items, hidden, unread, folders, deleted_ever, next_article;
  guint64 bytes, content; /* content: change number of the last change among the members */
};

struct Mailbox {
  char *user;              /* NULL: the public tree */
  Node *root, *hidden;     /* hidden: ROLE_HIDDEN_ROOT */
  Node *known[ROLE_COUNT]; /* by role, or NULL */
};

/* fold_case: names are unique without regard to case. clock_ms: 0 is the real clock, else time
 * starts there and moves one second with each change. */
Model *model_new(gboolean fold_case, gint64 clock_ms);
void model_free(Model *model);

void model_read(Model *model);
void model_read_done(Model *model);
void model_write(Model *model);
void model_write_done(Model *model);

/* A mailbox with the usual folders; names: one per Role from ROLE_INBOX on. user NULL: public tree.
 */
Mailbox *model_add_mailbox(Model *model, const char *user, const char *const *names);
/* Exact user name; NULL for the public tree; NULL when there is none. */
Mailbox *model_mailbox(Model *model, const char *user);
/* All of them, in order of creation; owned by the model. */
GPtrArray *model_mailboxes(Model *model);

Node *model_child(Model *model, const Node *folder, const char *name);
/* By current mid; NULL when unknown. */
Node *model_by_mid(Model *model, guint64 mid);
Mailbox *model_mailbox_of(const Node *node);
gboolean model_is_ancestor(const Node *folder, const Node *node);
/* "/user/Inbox/Hello.EML"; free with g_free. */
char *model_path(const Node *node);
/* A number that moves with every change anywhere: key of what is derived from the store. */
guint64 model_version(Model *model);
gint64 model_now(Model *model);
/* Sum of all item bytes. */
guint64 model_bytes(Model *model);
gboolean model_folds_case(Model *model);

/* Below: the caller holds the write lock. Each records its mutation. The name must be free. */
Node *model_make_folder(Model *model, Node *parent, const char *name, const char *folder_class);
Node *model_make_item(Model *model, Node *parent, const char *name);
/* Takes a reference to body. */
void model_put(Model *model, Node *item, Body *body, const char *content_type);
/* Property writes go unrecorded until model_changed says what they amounted to. NULL removes. */
void model_set(Model *model, Node *node, const char *canonical, const Value *value);
void model_set_read(Model *model, Node *item, gboolean read);
void model_set_hidden(Model *model, Node *node, gboolean hidden);

typedef enum {
  CHANGED_READ_FLAG,  /* moves neither the time nor the article number (quirk 12) */
  CHANGED_PROPERTIES, /* moves the time */
  CHANGED_HEADERS,    /* and the article number (quirk 13) */
} Changed;
void model_changed(Model *model, Node *node, Changed how);

/* With everything below it. */
void model_remove(Model *model, Node *node);
void model_move(Model *model, Node *node, Node *parent, const char *name);
Node *model_copy(Model *model, const Node *node, Node *parent, const char *name);
/* "Hello.EML", or when taken "Hello-2.EML", "-3" …; free with g_free. */
char *model_free_name(Model *model, const Node *folder, const char *wanted);

/* A message was handed over for delivery. */
void model_submitted(Model *model);

/* The record of mutations: "seq kind path uid" a line. Thread-safe without the lock. */
char *model_mutations(Model *model);
guint64 model_submissions(Model *model);
void model_reset_record(Model *model);
