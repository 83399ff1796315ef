/* SPDX-License-Identifier: Apache-2.0 */
/* PROPFIND (section 5.2). */
#include "dav.h"
#include "dav_answer.h"
#include "dav_request.h"

#include <string.h>

#define DEPTH_MAX 64

typedef enum { DEPTH_0, DEPTH_1, DEPTH_INFINITY } Depth;

/* FALSE: no such value. A missing header means infinity (quirk 23). */
static gboolean read_depth(const Request *request, Depth *depth, gboolean *root)
{
  const char *text = request_header(request, "depth");
  *root = !text || !strstr(text, "noroot");
  if (!text || g_ascii_strncasecmp(text, "infinity", 8) == 0) {
    *depth = DEPTH_INFINITY;
  } else if (strcmp(text, "0") == 0) {
    *depth = DEPTH_0;
  } else if (text[0] == '1' && (text[1] == '\0' || text[1] == ',')) {
    *depth = DEPTH_1;
  } else {
    return FALSE;
  }
  return TRUE;
}

static void add_columns(const Sim *sim, DavRequest *query)
{
  guint count;
  const char *const *names = prop_all(sim, &count);
  for (guint i = 0; i < count; i++) {
    Column column;
    prop_resolve(sim, names[i], &column);
    g_array_append_val(query->columns, column);
  }
}

static void add_dead(const Sim *sim, const Node *node, GHashTable *seen, DavRequest *query)
{
  GHashTableIter iter;
  gpointer name;
  if (!node->props) {
    return;
  }
  g_hash_table_iter_init(&iter, node->props);
  while (g_hash_table_iter_next(&iter, &name, NULL)) {
    if (g_hash_table_add(seen, name)) {
      Column column;
      g_auto(GStrv) parts = g_strsplit(name, PROP_KEY_SEPARATOR, 2);
      prop_resolve_parts(sim, parts[0], parts[1], &column);
      g_array_append_val(query->columns, column);
    }
  }
}

/* allprop of a plain server holds what was stored, too (RFC 4918 9.1). */
static void add_dead_columns(const Sim *sim, DavRequest *query, const Node *node, Depth depth)
{
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL);
  if (sim_exchange(sim)) {
    return; /* quirk 28 */
  }
  add_dead(sim, node, seen, query);
  for (const Node *child = depth == DEPTH_1 && node->folder ? node->folder->first : NULL; child;
       child = child->next) {
    add_dead(sim, child, seen, query);
  }
}

typedef struct {
  Answer *answer;
  PropContext *context;
  gboolean brief, names;
} Walk;

static void rows_below(Walk *walk, const Node *folder, gboolean deep, guint depth)
{
  for (const Node *child = folder->folder->first; child; child = child->next) {
    answer_row(walk->answer, walk->context, child, walk->brief, walk->names);
    if (deep && child->folder && depth < DEPTH_MAX) {
      rows_below(walk, child, deep, depth + 1);
    }
  }
}

static void answer_node(Sim *sim, const Request *request, DavRequest *query, const Node *node,
                        Depth depth, gboolean root, Reply *reply)
{
  gboolean listed = query->columns->len > 0 && !query->all;
  if (!listed) {
    add_columns(sim, query);
    add_dead_columns(sim, query, node, depth);
  }
  g_auto(PropContext) context;
  prop_context_init(&context, sim, request);
  Walk walk = {.answer = answer_new(sim, query->columns),
               .context = &context,
               .names = query->names,
               .brief = !listed || request_header_is(request, "brief", "t")};
  if (root) {
    answer_row(walk.answer, &context, node, walk.brief, walk.names);
  }
  if (depth != DEPTH_0 && node->folder) {
    rows_below(&walk, node, depth == DEPTH_INFINITY, 0);
  }
  reply_multistatus(reply, answer_finish(walk.answer));
  reply_header(reply, "Content-Type",
               sim_exchange(sim) ? "text/xml" : "application/xml; charset=utf-8");
}

void dav_propfind(Sim *sim, const Request *request, Reply *reply)
{
  g_auto(DavRequest) query = {0};
  Depth depth;
  gboolean root;
  int bad = dav_request_parse(sim, request, &query);
  if (bad || !read_depth(request, &depth, &root)) {
    reply_status(reply, bad ? bad : 400);
    return;
  }
  model_read(sim->model);
  g_auto(Target) target;
  url_resolve(sim, request->path, &target);
  gboolean public_tree = target.mailbox && !target.mailbox->user;
  if (target.kind != TARGET_NODE || (target.slash && !target.node->folder)) {
    reply_status(reply, 404);
  } else if (depth == DEPTH_INFINITY && (public_tree || !sim_exchange(sim))) {
    reply_status(reply, 403); /* quirk 22; RFC 4918 9.1 allows it too */
  } else {
    answer_node(sim, request, &query, target.node, depth, root, reply);
  }
  model_read_done(sim->model);
}
