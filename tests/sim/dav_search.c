/* SPDX-License-Identifier: Apache-2.0 */
/* SEARCH (sections 5.4 and 6): scope, condition, order, and pages by Range: rows=.
 *
 * The rows of a query are kept as long as nothing in the store changes, so that paging through a
 * large folder evaluates its condition once, as Exchange does with its views. */
#include "dav.h"
#include "dav_answer.h"
#include "dav_request.h"
#include "sql.h"

#include <pthread.h>
#include <string.h>

#define VIEWS_MAX 8

typedef struct {
  const Node *node;
  PropContext *context;
} Row;

typedef struct {
  char *key; /* scope and statement */
  guint64 version;
  GPtrArray *nodes; /* valid while the version holds */
} View;

struct Views {
  pthread_mutex_t lock;
  View slots[VIEWS_MAX];
  guint next;
  gint shifts; /* atomic: how often rows are still to shift */
};

Views *dav_views_new(const Sim *sim)
{
  Views *views = g_new0(Views, 1);
  views->shifts = (gint)sim_switch(sim, SWITCH_SHIFT_ROWS);
  pthread_mutex_init(&views->lock, NULL);
  return views;
}

void dav_views_free(Views *views)
{
  for (guint i = 0; i < VIEWS_MAX; i++) {
    g_free(views->slots[i].key);
    g_clear_pointer(&views->slots[i].nodes, g_ptr_array_unref);
  }
  pthread_mutex_destroy(&views->lock);
  g_free(views);
}

static GPtrArray *views_find(Views *views, const char *key, guint64 version)
{
  GPtrArray *found = NULL;
  pthread_mutex_lock(&views->lock);
  for (guint i = 0; i < VIEWS_MAX; i++) {
    const View *view = &views->slots[i];
    if (view->key && view->version == version && strcmp(view->key, key) == 0) {
      found = g_ptr_array_ref(view->nodes);
      break;
    }
  }
  pthread_mutex_unlock(&views->lock);
  return found;
}

static void views_keep(Views *views, const char *key, guint64 version, GPtrArray *nodes)
{
  pthread_mutex_lock(&views->lock);
  View *view = &views->slots[views->next++ % VIEWS_MAX];
  g_free(view->key);
  g_clear_pointer(&view->nodes, g_ptr_array_unref);
  *view = (View){.key = g_strdup(key), .version = version, .nodes = g_ptr_array_ref(nodes)};
  pthread_mutex_unlock(&views->lock);
}

/* SQL asks by interned name; resolving one is dear, so the context remembers. */
static const Column *column_for(PropContext *context, const char *property)
{
  if (!context->columns) {
    context->columns = g_hash_table_new_full(NULL, NULL, NULL, g_free);
  }
  Column *column = g_hash_table_lookup(context->columns, property);
  if (!column) {
    column = g_new(Column, 1);
    prop_resolve(context->sim, property, column);
    g_hash_table_insert(context->columns, (gpointer)property, column);
  }
  return column;
}

static gboolean row_get(gpointer data, const char *property, SqlValue *ret)
{
  static const SqlValueKind kinds[] = {
      [VALUE_NONE] = SQL_VALUE_NULL,     [VALUE_STRING] = SQL_VALUE_STRING,
      [VALUE_INT] = SQL_VALUE_INT,       [VALUE_BOOL] = SQL_VALUE_BOOL,
      [VALUE_TIME] = SQL_VALUE_TIME,     [VALUE_FLOAT] = SQL_VALUE_FLOAT,
      [VALUE_BINARY] = SQL_VALUE_BINARY, [VALUE_LIST] = SQL_VALUE_STRING};
  const Row *row = data;
  Value value;
  if (strcmp(property, SQL_ALL_TEXT) == 0) {
    property = g_intern_static_string(NS_HTTPMAIL "subject");
  }
  if (!prop_get(row->context, column_for(row->context, property), row->node, &value)) {
    return FALSE;
  }
  *ret = (SqlValue){.kind = kinds[value.kind],
                    .i = value.i,
                    .f = value.f,
                    .s = value.kind == VALUE_LIST ? value.list[0] : value.s,
                    .b = value.b};
  return ret->kind != SQL_VALUE_NULL;
}

typedef struct {
  const SqlQuery *sql;
  PropContext *context;
  GPtrArray *nodes;
} Scan;

static void scan_folder(Scan *scan, const Node *folder, SqlTraversal traversal, guint depth)
{
  for (Node *child = folder->folder->first; child; child = child->next) {
    Row row = {.node = child, .context = scan->context};
    if ((traversal != SQL_HIERARCHICAL || child->folder) &&
        sql_match(scan->sql->where, row_get, &row)) {
      g_ptr_array_add(scan->nodes, child);
    }
    if (traversal == SQL_DEEP && child->folder && depth < 64) {
      scan_folder(scan, child, traversal, depth + 1);
    }
  }
}

static gint compare_nodes(gconstpointer a, gconstpointer b, gpointer data)
{
  const Scan *scan = data;
  Row ra = {.node = *(Node *const *)a, .context = scan->context};
  Row rb = {.node = *(Node *const *)b, .context = scan->context};
  return sql_compare_rows(scan->sql, row_get, &ra, &rb);
}

/* The folder of a scope: the request's own for "", a decoded or an escaped path, or a URL. */
static int scope_folder(Sim *sim, const Request *request, const SqlScope *scope, const Node **ret)
{
  g_auto(Target) target;
  url_resolve(sim, scope->url[0] ? scope->url : request->path, &target);
  if (target.kind != TARGET_NODE && scope->url[0]) {
    target_clear(&target);
    g_autofree char *escaped = g_uri_escape_string(scope->url, "/:@!$'()*+,-.;=_~", TRUE);
    url_resolve(sim, escaped, &target);
  }
  if (target.kind != TARGET_NODE || !target.node->folder) {
    return 404;
  }
  if (scope->traversal == SQL_DEEP && !target.mailbox->user) {
    return 422; /* quirk 22 */
  }
  *ret = target.node;
  return 0;
}

/* All rows of the query, in order. 0 or a status. */
static int collect(Sim *sim, const Request *request, const SqlQuery *sql, PropContext *context,
                   GPtrArray **ret)
{
  Scan scan = {.sql = sql, .context = context, .nodes = g_ptr_array_new()};
  for (guint i = 0; i < sql->scopes->len; i++) {
    const SqlScope *scope = g_ptr_array_index(sql->scopes, i);
    const Node *folder;
    int bad = scope_folder(sim, request, scope, &folder);
    if (bad) {
      g_ptr_array_unref(scan.nodes);
      return bad;
    }
    scan_folder(&scan, folder, scope->traversal, 0);
  }
  if (sql->order->len > 0) {
    g_ptr_array_sort_with_data(scan.nodes, compare_nodes, &scan);
  }
  *ret = scan.nodes;
  return 0;
}

/* "rows=0-99", "rows=-50", "rows=228-": the first range of the list. FALSE: none of that. */
static gboolean read_range(const char *text, guint64 total, guint64 *first, guint64 *count)
{
  if (g_ascii_strncasecmp(text, "rows=", 5) != 0) {
    return FALSE;
  }
  text += 5;
  char *end;
  if (*text == '-') {
    guint64 last = g_ascii_strtoull(text + 1, &end, 10);
    *count = MIN(last, total);
    *first = total - *count;
    return end != text + 1;
  }
  *first = g_ascii_strtoull(text, &end, 10);
  if (end == text || *end != '-') {
    return FALSE;
  }
  guint64 until = g_ascii_isdigit(end[1]) ? g_ascii_strtoull(end + 1, NULL, 10) : G_MAXUINT64 - 1;
  *count = until < *first || *first >= total ? 0 : MIN(until + 1, total) - *first;
  return TRUE;
}

static GArray *answer_columns(const Sim *sim, const SqlQuery *sql)
{
  GArray *columns = g_array_new(FALSE, FALSE, sizeof(Column));
  Column column;
  for (guint i = 0; i < sql->columns->len; i++) {
    const SqlColumn *wanted = g_ptr_array_index(sql->columns, i);
    prop_resolve(sim, wanted->name, &column);
    column.alias = wanted->alias;
    g_array_append_val(columns, column);
  }
  guint count = 0;
  const char *const *names = sql->all_columns ? prop_all(sim, &count) : NULL;
  for (guint i = 0; i < count; i++) {
    prop_resolve(sim, names[i], &column);
    g_array_append_val(columns, column);
  }
  return columns;
}

static void send_rows(Sim *sim, const Request *request, const SqlQuery *sql, PropContext *context,
                      const GPtrArray *nodes, Reply *reply)
{
  guint64 first = 0, count = nodes->len;
  const char *range = request_header(request, "range");
  if (range && !read_range(range, nodes->len, &first, &count)) {
    reply_status(reply, 400);
    return;
  }
  if (range && count == 0 && first > 0 && nodes->len > 0) {
    reply_status(reply, 416);
    return;
  }
  guint64 limit = (guint64)sim_switch(sim, SWITCH_ROW_LIMIT);
  count = limit ? MIN(count, limit) : count;
  g_autoptr(GArray) columns = answer_columns(sim, sql);
  gboolean brief = request_header_is(request, "brief", "t");
  Answer *answer = answer_new(sim, columns);
  for (guint64 i = first; i < first + count; i++) {
    answer_row(answer, context, nodes->pdata[i], brief, FALSE);
  }
  reply_multistatus(reply, answer_finish(answer));
  reply_header(reply, "Content-Type", "text/xml");
  reply_header(reply, "Accept-Ranges", "rows");
  if (range || limit) {
    g_autofree char *total =
        sim_switch(sim, SWITCH_NO_TOTAL) ? g_strdup("") : g_strdup_printf("; total=%u", nodes->len);
    reply_headerf(reply, "Content-Range", "rows %" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT "%s",
                  first, count ? first + count - 1 : first, total);
  }
}

static int refuse(const Sim *sim, const SqlQuery *sql)
{
  const char *name;
  if (sql_first_property(sql->where, prop_not_searchable(), &name)) {
    return 422; /* quirk 43 */
  }
  return sql_uses_fulltext(sql->where) && !sim_switch(sim, SWITCH_INDEX) ? 422 : 0;
}

static void run(Sim *sim, const Request *request, const char *text, const SqlQuery *sql,
                Reply *reply)
{
  g_auto(PropContext) context;
  prop_context_init(&context, sim, request);
  g_autofree char *key = g_strconcat(request->path, "\n", text, NULL);
  model_read(sim->model);
  g_autoptr(GPtrArray) nodes = views_find(sim->views, key, model_version(sim->model));
  int bad = 0;
  if (!nodes) {
    bad = collect(sim, request, sql, &context, &nodes);
    if (!bad) {
      views_keep(sim->views, key, model_version(sim->model), nodes);
    }
  }
  if (bad) {
    reply_status(reply, bad);
  } else {
    send_rows(sim, request, sql, &context, nodes, reply);
  }
  model_read_done(sim->model);
}

/* A message arrives between two pages: rows shift (section 6.4). */
static void shift_rows(Sim *sim, const Request *request)
{
  if (!request_header(request, "range") || g_atomic_int_add(&sim->views->shifts, -1) <= 0) {
    return;
  }
  model_write(sim->model);
  g_auto(Target) target;
  url_resolve(sim, request->path, &target);
  if (target.kind == TARGET_NODE && target.node->folder) {
    g_autofree char *name = model_free_name(sim->model, target.node, "Arrived.EML");
    Node *item = model_make_item(sim->model, target.node, name);
    g_autoptr(Body) body = body_new_synthetic(9000000);
    model_put(sim->model, item, body, "message/rfc822");
  }
  model_write_done(sim->model);
}

void dav_search(Sim *sim, const Request *request, Reply *reply)
{
  g_auto(DavRequest) query = {0};
  int bad = dav_request_parse(sim, request, &query);
  if (bad || !query.sql) {
    reply_status(reply, bad ? bad : 400);
    return;
  }
  g_autoptr(GError) error = NULL;
  g_autoptr(SqlQuery) sql = sql_parse(query.sql, &error);
  if (!sql || refuse(sim, sql)) {
    reply_text(reply, 422, NULL, error ? error->message : "not searchable");
    return;
  }
  run(sim, request, query.sql, sql, reply);
  shift_rows(sim, request);
}
