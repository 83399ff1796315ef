/* SPDX-License-Identifier: Apache-2.0 */
/* The WebDAV face of the store: one function per group of methods. Each takes the locks it needs
 * and fills the reply; none knows a socket. */
#pragma once

#include "dav_url.h"
#include "props.h"

/* Any request that is signed in: chooses the method and adds the headers all answers carry. */
void dav_handle(Sim *sim, const Request *request, Reply *reply);

void dav_propfind(Sim *sim, const Request *request, Reply *reply);
void dav_proppatch(Sim *sim, const Request *request, Reply *reply);
void dav_search(Sim *sim, const Request *request, Reply *reply);
void dav_get(Sim *sim, const Request *request, Reply *reply);
void dav_put(Sim *sim, const Request *request, Reply *reply);
/* To a folder: a draft for ever, under a name of the server's choice (section 5.7). */
void dav_post(Sim *sim, const Request *request, Reply *reply);
void dav_delete(Sim *sim, const Request *request, Reply *reply);
void dav_mkcol(Sim *sim, const Request *request, Reply *reply);
/* MOVE and COPY. */
void dav_move(Sim *sim, const Request *request, Reply *reply);
/* BPROPFIND, BPROPPATCH, BDELETE, BMOVE, BCOPY. */
void dav_batch(Sim *sim, const Request *request, Reply *reply);

/* If-Match, If-None-Match and If (RFC 4918 10.4, with resource tags and repl-uids as Exchange takes
 * them) against what is there (NULL: nothing). 0, or the status to answer. A lock is held. */
int dav_precondition(const Sim *sim, const Request *request, const Node *node);

/* Applies PropOps to a node; statuses (one per op) as PROPPATCH answers them. All or nothing: FALSE
 * when nothing was changed. created: the node is new. Write lock held. */
gboolean dav_apply(Sim *sim, Node *node, const GArray *ops, gboolean created, int *statuses);

/* The 207 that tells statuses of dav_apply; created: the response says 201 before them. A lock is
 * held. */
void dav_answer_ops(Sim *sim, const Request *request, const Node *node, const GArray *ops,
                    const int *statuses, gboolean created, Reply *reply);

/* One MOVE or COPY. The status; 201 and 204 leave the new node in *ret. Write lock held. */
typedef struct {
  gboolean copy, overwrite, allow_rename;
} MoveHow;
int dav_move_one(Sim *sim, Node *node, const Target *to, MoveHow how, Node **ret);
MoveHow dav_move_how(const Request *request, gboolean copy);
/* One DELETE; the status. Write lock held. */
int dav_delete_one(Sim *sim, Node *node);

/* Repl-UID, ResourceTag, Location … of what a write left. A lock is held. */
void dav_reply_ids(const Sim *sim, const Request *request, const Node *node, Reply *reply);

/* Location: the URL of node. A lock is held. */
void dav_reply_location(const Sim *sim, const Request *request, const Node *node, Reply *reply);

/* Drops cached SEARCH results (at exit). */
void dav_views_free(Views *views);
Views *dav_views_new(const Sim *sim);
