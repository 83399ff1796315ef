/* SPDX-License-Identifier: Apache-2.0 */
/* Batch methods (section 7). One target is answered by the plain method (quirk 39). */
#include "dav.h"
#include "dav_answer.h"
#include "dav_request.h"

#include <string.h>

/* The absolute path of a target's href, which may be relative to the request's URL. */
static char *target_path(const Request *request, const char *href)
{
  const char *scheme = strstr(href, "://");
  if (scheme) {
    const char *slash = strchr(scheme + 3, '/');
    return g_strdup(slash ? slash : "/");
  }
  return href[0] == '/' ? g_strdup(href) : g_strconcat(request->path, href, NULL);
}

/* Where a target of BMOVE or BCOPY goes: its dest, or its own name in the Destination folder. */
static char *destination_of(const Request *request, const BatchTarget *target, const char *path)
{
  const char *folder = request_header(request, "destination");
  if (target->dest && (strstr(target->dest, "://") || target->dest[0] == '/')) {
    return g_strdup(target->dest);
  }
  const char *slash = strrchr(path, '/');
  return g_strconcat(folder ? folder : "", folder && g_str_has_suffix(folder, "/") ? "" : "/",
                     target->dest ? target->dest
                     : slash      ? slash + 1
                                  : path,
                     NULL);
}

static void single(Sim *sim, const Request *request, const DavRequest *query, Reply *reply)
{
  static const struct {
    const char *batch, *plain;
    void (*run)(Sim *, const Request *, Reply *);
  } methods[] = {{"BPROPFIND", "PROPFIND", dav_propfind},
                 {"BPROPPATCH", "PROPPATCH", dav_proppatch},
                 {"BDELETE", "DELETE", dav_delete},
                 {"BMOVE", "MOVE", dav_move},
                 {"BCOPY", "COPY", dav_move}};
  const BatchTarget *target = query->targets->pdata[0];
  g_autofree char *path = target_path(request, target->href);
  g_autofree char *to = destination_of(request, target, path);
  Request plain = *request;
  plain.path = path;
  plain.headers = g_hash_table_new(g_str_hash, g_str_equal);
  GHashTableIter iter;
  gpointer key, value;
  g_hash_table_iter_init(&iter, request->headers);
  while (g_hash_table_iter_next(&iter, &key, &value)) {
    g_hash_table_insert(plain.headers, key, value);
  }
  if (request_header(request, "destination")) {
    g_hash_table_insert(plain.headers, (gpointer) "destination", to);
  }
  for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
    if (strcmp(request->method, methods[i].batch) == 0) {
      plain.method = methods[i].plain;
      methods[i].run(sim, &plain, reply);
    }
  }
  g_hash_table_unref(plain.headers);
}

typedef struct {
  Sim *sim;
  const Request *request;
  const DavRequest *query;
  PropContext *context;
  Answer *answer;
  GArray *columns;
  guint answered;
} Batch;

static void answer_failure(Batch *batch, const char *path, int status)
{
  g_autofree char *href = g_strconcat(batch->context->base.origin, path, NULL);
  answer_open(batch->answer, href);
  answer_status(batch->answer, status);
  answer_close(batch->answer);
  batch->answered++;
}

static void patch_one(Batch *batch, const char *path, Node *node)
{
  static const int groups[] = {200, 403, 409, 424};
  g_autofree int *statuses = g_new0(int, batch->query->ops->len + 1);
  gboolean done = dav_apply(batch->sim, node, batch->query->ops, FALSE, statuses);
  if (done && request_header_is(batch->request, "brief", "t")) {
    return;
  }
  g_autofree char *href = g_strconcat(batch->context->base.origin, path, NULL);
  answer_open(batch->answer, href);
  for (gsize i = 0; i < G_N_ELEMENTS(groups); i++) {
    answer_propstat(batch->answer, batch->columns, statuses, groups[i]);
  }
  answer_close(batch->answer);
  batch->answered++;
}

static void move_one(Batch *batch, const BatchTarget *target, const char *path, Node *node,
                     gboolean copy)
{
  g_auto(Target) to;
  g_autofree char *destination = destination_of(batch->request, target, path);
  url_resolve(batch->sim, destination, &to);
  Node *moved = NULL;
  int status = dav_move_one(batch->sim, node, &to, dav_move_how(batch->request, copy), &moved);
  if (status >= 300) {
    answer_failure(batch, path, status);
    return;
  }
  if (moved && strcmp(moved->name, to.name) == 0) {
    return; /* quirk 40 */
  }
  g_autofree char *href = g_strconcat(batch->context->base.origin, path, NULL);
  answer_open(batch->answer, href);
  answer_status(batch->answer, status);
  if (moved) {
    g_autoptr(GString) url = g_string_new(NULL);
    url_append_href(batch->sim, &batch->context->base, moved, url);
    answer_element(batch->answer, "location", url->str);
  }
  answer_close(batch->answer);
  batch->answered++;
}

static void run_one(Batch *batch, const BatchTarget *target)
{
  const char *method = batch->request->method;
  g_autofree char *path = target_path(batch->request, target->href);
  g_auto(Target) found;
  url_resolve(batch->sim, path, &found);
  if (found.kind != TARGET_NODE) {
    answer_failure(batch, path, 404);
    return;
  }
  int bad = dav_precondition(batch->sim, batch->request, found.node);
  if (bad) {
    answer_failure(batch, path, bad);
  } else if (strcmp(method, "BPROPFIND") == 0) {
    answer_row(batch->answer, batch->context, found.node,
               request_header_is(batch->request, "brief", "t"), FALSE);
    batch->answered++;
  } else if (strcmp(method, "BPROPPATCH") == 0) {
    patch_one(batch, path, found.node);
  } else if (strcmp(method, "BDELETE") == 0) {
    int status = dav_delete_one(batch->sim, found.node);
    if (status >= 300) {
      answer_failure(batch, path, status);
    }
  } else {
    move_one(batch, target, path, found.node, strcmp(method, "BCOPY") == 0);
  }
}

void dav_batch(Sim *sim, const Request *request, Reply *reply)
{
  g_auto(DavRequest) query = {0};
  int bad = dav_request_parse(sim, request, &query);
  if (sim_switch(sim, SWITCH_NO_BATCH)) {
    bad = 404; /* quirk 41 */
  } else if (!bad && (query.targets->len == 0 || !g_str_has_suffix(request->path, "/"))) {
    bad = 400;
  }
  if (bad) {
    reply_status(reply, bad);
    return;
  }
  if (query.targets->len == 1) {
    single(sim, request, &query, reply);
    return;
  }
  g_auto(PropContext) context;
  prop_context_init(&context, sim, request);
  for (guint i = 0; i < query.ops->len; i++) {
    g_array_append_val(query.columns, g_array_index(query.ops, PropOp, i).column);
  }
  Batch batch = {.sim = sim,
                 .request = request,
                 .query = &query,
                 .context = &context,
                 .columns = query.columns,
                 .answer = answer_new(sim, query.columns)};
  model_write(sim->model);
  for (guint i = 0; i < query.targets->len; i++) {
    run_one(&batch, query.targets->pdata[i]);
  }
  model_write_done(sim->model);
  GString *text = answer_finish(batch.answer);
  if (batch.answered == 0 && strcmp(request->method, "BMOVE") != 0 &&
      strcmp(request->method, "BCOPY") != 0) {
    g_string_free(text, TRUE);
    reply_status(reply, strcmp(request->method, "BDELETE") == 0 ? 204 : 200);
    return;
  }
  reply_multistatus(reply, text);
  reply_header(reply, "Content-Type", "text/xml");
}
