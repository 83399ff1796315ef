/* SPDX-License-Identifier: Apache-2.0 */
/* PROPPATCH (section 5.3), which also creates. */
#include "dav.h"
#include "dav_answer.h"
#include "dav_request.h"

#include <string.h>

static gboolean has_control(const Value *value)
{
  for (const char *p = value && value->s ? value->s : ""; *p; p++) {
    if ((guchar)*p < 0x20 && *p != '\t' && *p != '\n' && *p != '\r') {
      return TRUE;
    }
  }
  return FALSE;
}

gboolean dav_apply(Sim *sim, Node *node, const GArray *ops, gboolean created, int *statuses)
{
  gboolean refused = FALSE;
  for (guint i = 0; i < ops->len; i++) {
    const PropOp *op = &g_array_index(ops, PropOp, i);
    gboolean locked = prop_access(&op->column, node, created) == PROP_READ_ONLY;
    statuses[i] = locked ? 403 : 200;
    refused = refused || locked;
  }
  if (refused) {
    for (guint i = 0; i < ops->len; i++) {
      statuses[i] = statuses[i] == 200 ? 424 : statuses[i]; /* RFC 4918 9.2: all or nothing */
    }
    return FALSE;
  }
  Changed how = CHANGED_READ_FLAG;
  gboolean any = FALSE;
  for (guint i = 0; i < ops->len; i++) {
    const PropOp *op = &g_array_index(ops, PropOp, i);
    if (prop_access(&op->column, node, created) == PROP_WRITABLE) {
      how = MAX(how, prop_write(sim, node, &op->column, op->value));
      any = TRUE;
    }
  }
  if (any) {
    model_changed(sim->model, node, how);
  }
  return TRUE;
}

void dav_answer_ops(Sim *sim, const Request *request, const Node *node, const GArray *ops,
                    const int *statuses, gboolean created, Reply *reply)
{
  static const int groups[] = {200, 403, 409, 424};
  g_autoptr(GArray) columns = g_array_new(FALSE, FALSE, sizeof(Column));
  for (guint i = 0; i < ops->len; i++) {
    g_array_append_val(columns, g_array_index(ops, PropOp, i).column);
  }
  g_auto(PropContext) context;
  prop_context_init(&context, sim, request);
  g_autoptr(GString) href = g_string_new(NULL);
  prop_append_href(&context, node, href);
  Answer *answer = answer_new(sim, columns);
  answer_open(answer, href->str);
  if (created) {
    answer_status(answer, 201);
  }
  for (gsize i = 0; i < G_N_ELEMENTS(groups); i++) {
    answer_propstat(answer, columns, statuses, groups[i]);
  }
  answer_close(answer);
  reply_multistatus(reply, answer_finish(answer));
  reply_header(reply, "Content-Type",
               sim_exchange(sim) ? "text/xml" : "application/xml; charset=utf-8");
}

static int patch_refused(const Sim *sim, const Request *request, const DavRequest *query,
                         const Target *target)
{
  if (!query->root || query->ops->len == 0) {
    return 400;
  }
  for (guint i = 0; sim_switch(sim, SWITCH_CTRL_400) && i < query->ops->len; i++) {
    if (has_control(g_array_index(query->ops, PropOp, i).value)) {
      return 400; /* quirk 9 */
    }
  }
  if (target->kind != TARGET_NODE && (target->kind != TARGET_NEW || !sim_exchange(sim))) {
    return target->kind == TARGET_NONE && sim_exchange(sim) ? 409 : 404;
  }
  return dav_precondition(sim, request, target->kind == TARGET_NODE ? target->node : NULL);
}

void dav_proppatch(Sim *sim, const Request *request, Reply *reply)
{
  g_auto(DavRequest) query = {0};
  int bad = dav_request_parse(sim, request, &query);
  model_write(sim->model);
  g_auto(Target) target;
  url_resolve(sim, request->path, &target);
  bad = bad ? bad : patch_refused(sim, request, &query, &target);
  if (bad) {
    reply_status(reply, bad);
  } else {
    gboolean created = target.kind == TARGET_NEW; /* quirk 29 */
    Node *node = created ? model_make_item(sim->model, target.parent, target.name) : target.node;
    g_autofree int *statuses = g_new0(int, query.ops->len + 1);
    gboolean done = dav_apply(sim, node, query.ops, created, statuses);
    if (sim_exchange(sim)) {
      dav_reply_ids(sim, request, node, reply);
    }
    if (done && !created && request_header_is(request, "brief", "t")) {
      reply_status(reply, 200);
    } else {
      dav_answer_ops(sim, request, node, query.ops, statuses, created, reply);
    }
  }
  model_write_done(sim->model);
}
