/* SPDX-License-Identifier: Apache-2.0 */
/* Parser of whole SEARCH statements: columns, scopes, ORDER BY, GROUP BY. Conditions are
 * sql_cond.c's, tokens sql_scan.c's, and sql_match.c asks the result of rows.
 */
#include "sql.h"

#include "sql_tree.h"

#include <string.h>

G_DEFINE_QUARK(sql_error, sql_error)

static void column_free(gpointer data)
{
  SqlColumn *column = data;

  g_free(column->alias);
  g_free(column);
}

static void scope_free(gpointer data)
{
  SqlScope *scope = data;

  g_free(scope->url);
  g_free(scope);
}

static gboolean parse_columns(SqlScan *p, GPtrArray *columns, gboolean aliases)
{
  do {
    const char *name = sql_expect_property(p);
    if (name == NULL)
      return FALSE;
    SqlColumn *column = g_new0(SqlColumn, 1);
    column->name = name;
    g_ptr_array_add(columns, column);
    if (!aliases || !sql_accept_word(p, "AS"))
      continue;
    /* It becomes the name of an XML element. */
    if ((p->kind != SQL_TOKEN_WORD && p->kind != SQL_TOKEN_NAME) || p->token->len == 0 ||
        sql_word_length(p->token->str) != p->token->len || g_ascii_isdigit(p->token->str[0]))
      return sql_scan_fail(p, "an alias");
    column->alias = g_strdup(p->token->str);
    sql_scan_next(p);
  } while (sql_accept_symbol(p, ","));
  return TRUE;
}

/* The inside of the quotes: [SHALLOW|DEEP|HIERARCHICAL] [TRAVERSAL OF] "url". */
static gboolean parse_scope_text(SqlScan *p, SqlScope *scope)
{
  static const char *const words[] = {
      [SQL_SHALLOW] = "SHALLOW", [SQL_DEEP] = "DEEP", [SQL_HIERARCHICAL] = "HIERARCHICAL"};
  gboolean named = FALSE;

  scope->traversal = SQL_DEEP; /* so does the server where no word stands */
  for (guint i = 0; i < G_N_ELEMENTS(words) && !named; i++) {
    named = sql_accept_word(p, words[i]);
    if (named)
      scope->traversal = (SqlTraversal)i;
  }
  if (sql_accept_word(p, "TRAVERSAL") ? !sql_expect_word(p, "OF") : named)
    return sql_scan_fail(p, "TRAVERSAL OF");
  if (p->kind != SQL_TOKEN_NAME)
    return sql_scan_fail(p, "a URL in double quotes");
  scope->url = g_strdup(p->token->str);
  sql_scan_next(p);
  return p->kind == SQL_TOKEN_END || sql_scan_fail(p, "the end of the scope");
}

static gboolean parse_scope(SqlScan *p, GPtrArray *scopes)
{
  if (p->kind != SQL_TOKEN_STRING)
    return sql_scan_fail(p, "a scope in single quotes");
  SqlScope *scope = g_new0(SqlScope, 1);
  g_ptr_array_add(scopes, scope);
  g_autofree char *text = g_strdup(p->token->str);
  SqlScan inner;
  sql_scan_init(&inner, text);
  gboolean ok = parse_scope_text(&inner, scope);
  sql_scan_clear(&inner);
  if (!ok) {
    g_propagate_prefixed_error(&p->error, inner.error, "scope: ");
    return FALSE;
  }
  sql_scan_next(p);
  return TRUE;
}

static gboolean parse_from(SqlScan *p, GPtrArray *scopes)
{
  if (sql_accept_word(p, "SCOPE")) {
    if (!sql_expect_symbol(p, "("))
      return FALSE;
    do {
      if (!parse_scope(p, scopes))
        return FALSE;
    } while (sql_accept_symbol(p, ","));
    return sql_expect_symbol(p, ")");
  }
  if (p->kind != SQL_TOKEN_NAME)
    return sql_scan_fail(p, "SCOPE or a URL in double quotes");
  SqlScope *scope = g_new0(SqlScope, 1);
  scope->url = g_strdup(p->token->str);
  scope->traversal = SQL_SHALLOW;
  g_ptr_array_add(scopes, scope);
  sql_scan_next(p);
  return TRUE;
}

static gboolean parse_order(SqlScan *p, GPtrArray *order)
{
  do {
    const char *name = sql_expect_property(p);
    if (name == NULL)
      return FALSE;
    SqlKey *key = g_new0(SqlKey, 1);
    key->name = name;
    g_ptr_array_add(order, key);
    key->descending = sql_accept_word(p, "DESC");
    if (!key->descending)
      sql_accept_word(p, "ASC");
  } while (sql_accept_symbol(p, ","));
  return TRUE;
}

static gboolean parse_query(SqlScan *p, SqlQuery *query)
{
  if (!sql_expect_word(p, "SELECT"))
    return FALSE;
  query->all_columns = sql_accept_symbol(p, "*");
  if (!query->all_columns && !parse_columns(p, query->columns, TRUE))
    return FALSE;
  if (!sql_expect_word(p, "FROM") || !parse_from(p, query->scopes))
    return FALSE;
  if (sql_accept_word(p, "WHERE") && (query->where = sql_cond_parse(p)) == NULL)
    return FALSE;
  if (sql_accept_word(p, "GROUP") &&
      !(sql_expect_word(p, "BY") && parse_columns(p, query->group, FALSE)))
    return FALSE;
  if (sql_accept_word(p, "ORDER") && !(sql_expect_word(p, "BY") && parse_order(p, query->order)))
    return FALSE;
  return p->kind == SQL_TOKEN_END || sql_scan_fail(p, "the end of the query");
}

SqlQuery *sql_parse(const char *text, GError **error)
{
  if (strlen(text) > SQL_TEXT_MAX) {
    g_set_error_literal(error, SQL_ERROR, SQL_ERROR_LIMIT, "the query is too long");
    return NULL;
  }
  if (!g_utf8_validate(text, -1, NULL)) {
    g_set_error_literal(error, SQL_ERROR, SQL_ERROR_SYNTAX, "the query is not UTF-8");
    return NULL;
  }
  g_autoptr(SqlQuery) query = g_new0(SqlQuery, 1);
  query->columns = g_ptr_array_new_with_free_func(column_free);
  query->scopes = g_ptr_array_new_with_free_func(scope_free);
  query->order = g_ptr_array_new_with_free_func(g_free);
  query->group = g_ptr_array_new_with_free_func(column_free);
  SqlScan scan;
  sql_scan_init(&scan, text);
  gboolean ok = parse_query(&scan, query);
  sql_scan_clear(&scan);
  if (!ok) {
    g_propagate_error(error, scan.error);
    return NULL;
  }
  return g_steal_pointer(&query);
}

void sql_query_free(SqlQuery *query)
{
  if (query == NULL)
    return;
  g_ptr_array_unref(query->columns);
  g_ptr_array_unref(query->scopes);
  g_ptr_array_unref(query->order);
  g_ptr_array_unref(query->group);
  sql_cond_free(query->where);
  g_free(query);
}
