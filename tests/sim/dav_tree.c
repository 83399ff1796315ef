/* SPDX-License-Identifier: Apache-2.0 */
/* DELETE, MKCOL, MOVE and COPY (sections 5.8 to 5.11). */
#include "dav.h"
#include "dav_answer.h"
#include "dav_request.h"

#include <string.h>

void dav_reply_location(const Sim *sim, const Request *request, const Node *node, Reply *reply)
{
  g_auto(UrlBase) base;
  g_autoptr(GString) url = g_string_new(NULL);
  url_base_init(&base, sim, request);
  url_append_href(sim, &base, node, url);
  reply_header(reply, "Location", url->str);
}

int dav_delete_one(Sim *sim, Node *node)
{
  if (!node->parent || (node->folder && node->folder->role != ROLE_NONE)) {
    return 403;
  }
  model_remove(sim->model, node);
  return sim_exchange(sim) && !sim_switch(sim, SWITCH_DELETE_204) ? 200 : 204; /* quirk 38 */
}

void dav_delete(Sim *sim, const Request *request, Reply *reply)
{
  model_write(sim->model);
  g_auto(Target) target;
  url_resolve(sim, request->path, &target);
  int bad = 0;
  if (target.kind != TARGET_NODE || (target.slash && !target.node->folder)) {
    reply_status(reply, 404);
  } else if ((bad = dav_precondition(sim, request, target.node)) != 0) {
    reply_status(reply, bad);
  } else {
    reply_status(reply, dav_delete_one(sim, target.node));
  }
  model_write_done(sim->model);
}

static int mkcol_refused(const Sim *sim, const Target *target, const DavRequest *query)
{
  if (target->kind == TARGET_NODE) {
    return 405;
  }
  if (target->kind != TARGET_NEW) {
    return 409;
  }
  return query->root && !sim_exchange(sim) ? 415 : 0;
}

void dav_mkcol(Sim *sim, const Request *request, Reply *reply)
{
  g_auto(DavRequest) query = {0};
  int bad = dav_request_parse(sim, request, &query);
  model_write(sim->model);
  g_auto(Target) target;
  url_resolve(sim, request->path, &target);
  bad = bad ? bad : mkcol_refused(sim, &target, &query);
  if (bad) {
    reply_status(reply, bad);
  } else {
    Node *node = model_make_folder(sim->model, target.parent, target.name, NULL);
    g_autofree int *statuses = g_new0(int, query.ops->len + 1);
    dav_apply(sim, node, query.ops, TRUE, statuses);
    dav_reply_ids(sim, request, node, reply);
    dav_reply_location(sim, request, node, reply);
    reply_status(reply, 201);
    if (query.root) { /* with properties the answer is that of a PROPPATCH which creates */
      dav_answer_ops(sim, request, node, query.ops, statuses, TRUE, reply);
    }
  }
  model_write_done(sim->model);
}

MoveHow dav_move_how(const Request *request, gboolean copy)
{
  return (MoveHow){.copy = copy,
                   .overwrite = !request_header_is(request, "overwrite", "f"), /* quirk 36 */
                   .allow_rename = request_header_is(request, "allow-rename", "t")};
}

/* The copy of a sent message, and its end as a draft. */
static int submit(Sim *sim, Node *node, const Target *to, MoveHow how)
{
  model_submitted(sim->model);
  Node *sent = to->mailbox->known[ROLE_SENT];
  node->unsent = 0;
  if (sent && !how.copy) {
    g_autofree char *name = model_free_name(sim->model, sent, node->name);
    model_move(sim->model, node, sent, name);
    model_set_read(sim->model, node, TRUE);
  } else if (!how.copy) {
    model_remove(sim->model, node);
  }
  return 200;
}

int dav_move_one(Sim *sim, Node *node, const Target *to, MoveHow how, Node **ret)
{
  Model *model = sim->model;
  if (to->kind == TARGET_SUBMISSION && !node->folder) {
    return submit(sim, node, to, how);
  }
  if (!node->parent || (to->kind != TARGET_NODE && to->kind != TARGET_NEW) || !to->parent) {
    return node->parent ? 409 : 403;
  }
  if (model_mailbox_of(node) != to->mailbox) {
    return 502;
  }
  gboolean same = to->kind == TARGET_NODE && to->node == node;
  if ((same && (how.copy || strcmp(node->name, to->name) == 0)) ||
      (node->folder && model_is_ancestor(node, to->parent))) {
    return 403;
  }
  if (node->folder && node->folder->role != ROLE_NONE && !how.copy && to->parent != node->parent) {
    return 403;
  }
  gint64 quota = sim_switch(sim, SWITCH_QUOTA);
  if (how.copy && quota && node->body &&
      model_bytes(model) + body_size(node->body) > (guint64)quota) {
    return 507;
  }
  g_autofree char *name = g_strdup(to->name);
  gboolean replaced = FALSE;
  if (to->kind == TARGET_NODE && !same) {
    if (how.allow_rename && !how.overwrite) {
      g_free(name);
      name = model_free_name(model, to->parent, to->name);
    } else if (!how.overwrite) {
      return 412;
    } else if (model_is_ancestor(to->node, node) ||
               (to->node->folder && to->node->folder->role != ROLE_NONE)) {
      return 403;
    } else {
      model_remove(model, to->node);
      replaced = TRUE;
    }
  }
  if (how.copy) {
    *ret = model_copy(model, node, to->parent, name);
  } else {
    model_move(model, node, to->parent, name);
    *ret = node;
  }
  return replaced ? 204 : 201;
}

void dav_move(Sim *sim, const Request *request, Reply *reply)
{
  const char *destination = request_header(request, "destination");
  MoveHow how = dav_move_how(request, strcmp(request->method, "COPY") == 0);
  if (!destination) {
    reply_status(reply, 400);
    return;
  }
  model_write(sim->model);
  g_auto(Target) from, to;
  url_resolve(sim, request->path, &from);
  url_resolve(sim, destination, &to);
  g_autofree char *wanted = NULL;
  if (to.kind == TARGET_NODE) {
    /* A change of case alone: the resolved name is the old spelling, the wanted one is in the URL.
     */
    g_autofree char *path = g_strndup(destination, strlen(destination) - (to.slash ? 1 : 0));
    const char *slash = strrchr(path, '/');
    wanted = to.permanent || !slash ? NULL : url_segment_name(sim, slash + 1);
    if (wanted) {
      g_free(to.name);
      to.name = g_steal_pointer(&wanted);
    }
  }
  Node *node = NULL;
  int status = from.kind != TARGET_NODE ? 404 : dav_precondition(sim, request, from.node);
  if (!status) {
    status = dav_move_one(sim, from.node, &to, how, &node);
  }
  reply_status(reply, status);
  if (node) {
    dav_reply_location(sim, request, node, reply);
    if (!sim_exchange(sim) || node->folder) {
      dav_reply_ids(sim, request, node, reply);
    }
  }
  model_write_done(sim->model);
}
