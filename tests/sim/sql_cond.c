/* SPDX-License-Identifier: Apache-2.0 */
/* Recursive-descent parser of WHERE: one function per rule of the grammar. Each leaves the scanner
 * behind what it took, and returns FALSE or NULL once the scanner's error is set.
 */
#include "sql_tree.h"

void sql_cond_free(SqlCond *cond)
{
  if (cond == NULL)
    return;
  g_clear_pointer(&cond->parts, g_ptr_array_unref);
  g_clear_pointer(&cond->like, g_strfreev);
  g_clear_pointer(&cond->terms, g_ptr_array_unref);
  sql_literal_clear(&cond->literal);
  g_free(cond);
}

static SqlCond *cond_new(SqlCondKind kind, const char *property)
{
  SqlCond *cond = g_new0(SqlCond, 1);

  cond->kind = kind;
  cond->property = property;
  return cond;
}

/* Takes ownership of the part. */
static SqlCond *cond_join(SqlCondKind kind, SqlCond *part)
{
  SqlCond *cond = cond_new(kind, NULL);

  cond->parts = g_ptr_array_new_with_free_func((GDestroyNotify)sql_cond_free);
  g_ptr_array_add(cond->parts, part);
  return cond;
}

/* CAST is taken; ("text" AS 'type') follows. */
static gboolean parse_cast(SqlScan *p, SqlLiteral *ret)
{
  if (!sql_expect_symbol(p, "("))
    return FALSE;
  if (p->kind != SQL_TOKEN_NAME && p->kind != SQL_TOKEN_STRING)
    return sql_scan_fail(p, "a quoted value");
  g_autofree char *text = g_strdup(p->token->str);
  sql_scan_next(p);
  if (!sql_expect_word(p, "AS"))
    return FALSE;
  if (p->kind != SQL_TOKEN_STRING)
    return sql_scan_fail(p, "a type in single quotes");
  if (!sql_literal_cast(ret, text, p->token->str))
    return sql_scan_fail(p, "a type that can hold the value");
  sql_scan_next(p);
  return sql_expect_symbol(p, ")");
}

static gboolean parse_literal(SqlScan *p, SqlLiteral *ret)
{
  if (sql_accept_word(p, "CAST"))
    return parse_cast(p, ret);
  if (sql_accept_word(p, "TRUE")) {
    sql_literal_bool(ret, TRUE);
    return TRUE;
  }
  if (sql_accept_word(p, "FALSE")) {
    sql_literal_bool(ret, FALSE);
    return TRUE;
  }
  if (p->kind == SQL_TOKEN_STRING)
    sql_literal_string(ret, p->token->str);
  else if (p->kind != SQL_TOKEN_NUMBER || !sql_literal_number(ret, p->token->str))
    return sql_scan_fail(p, "a value");
  sql_scan_next(p);
  return TRUE;
}

static gboolean accept_op(SqlScan *p, SqlOp *ret)
{
  static const struct {
    const char *text;
    SqlOp op;
  } ops[] = {{"=", SQL_EQ},  {"!=", SQL_NE}, {"<>", SQL_NE}, {"<", SQL_LT},
             {"<=", SQL_LE}, {">", SQL_GT},  {">=", SQL_GE}};

  for (gsize i = 0; i < G_N_ELEMENTS(ops); i++)
    if (sql_accept_symbol(p, ops[i].text)) {
      *ret = ops[i].op;
      return TRUE;
    }
  return FALSE;
}

/* CONTAINS or FREETEXT is taken; (["prop"|*,] 'text') follows. */
static SqlCond *parse_fulltext(SqlScan *p, gboolean freetext)
{
  g_autoptr(SqlCond) cond = cond_new(SQL_COND_FULLTEXT, NULL);

  if (!sql_expect_symbol(p, "("))
    return NULL;
  cond->property = sql_accept_property(p);
  if ((cond->property != NULL || sql_accept_symbol(p, "*")) && !sql_expect_symbol(p, ","))
    return NULL;
  if (cond->property == NULL)
    cond->property = g_intern_static_string(SQL_ALL_TEXT);
  if (p->kind == SQL_TOKEN_STRING)
    cond->terms = sql_terms_parse(p->token->str, freetext);
  if (cond->terms == NULL) {
    sql_scan_fail(p, "words to search for in single quotes");
    return NULL;
  }
  sql_scan_next(p);
  return sql_expect_symbol(p, ")") ? g_steal_pointer(&cond) : NULL;
}

/* What follows a property name. */
static SqlCond *parse_predicate(SqlScan *p, const char *property)
{
  g_autoptr(SqlCond) cond = cond_new(SQL_COND_COMPARE, property);

  if (sql_accept_word(p, "IS")) {
    gboolean negated = sql_accept_word(p, "NOT");
    if (!sql_expect_word(p, "NULL"))
      return NULL;
    cond->kind = SQL_COND_IS_NULL;
    return negated ? cond_join(SQL_COND_NOT, g_steal_pointer(&cond)) : g_steal_pointer(&cond);
  }
  if (sql_accept_word(p, "LIKE")) {
    if (p->kind != SQL_TOKEN_STRING) {
      sql_scan_fail(p, "a pattern in single quotes");
      return NULL;
    }
    g_autofree char *folded = g_utf8_casefold(p->token->str, -1);
    cond->like = g_strsplit(folded, "%", -1);
    cond->kind = SQL_COND_LIKE;
    sql_scan_next(p);
    return g_steal_pointer(&cond);
  }
  if (!accept_op(p, &cond->op)) {
    sql_scan_fail(p, "a comparison, LIKE or IS");
    return NULL;
  }
  cond->other = sql_accept_property(p);
  if (cond->other != NULL)
    cond->kind = SQL_COND_COMPARE_OTHER;
  else if (!parse_literal(p, &cond->literal))
    return NULL;
  return g_steal_pointer(&cond);
}

static SqlCond *parse_factor(SqlScan *p)
{
  SqlCond *cond = NULL;

  if (p->depth == SQL_DEPTH_MAX) {
    g_set_error_literal(&p->error, SQL_ERROR, SQL_ERROR_LIMIT, "the condition nests too deep");
    return NULL;
  }
  p->depth++;
  if (sql_accept_word(p, "NOT")) {
    cond = parse_factor(p);
    if (cond != NULL)
      cond = cond_join(SQL_COND_NOT, cond);
  } else if (sql_accept_symbol(p, "(")) {
    cond = sql_cond_parse(p);
    if (cond != NULL && !sql_expect_symbol(p, ")"))
      g_clear_pointer(&cond, sql_cond_free);
  } else if (sql_accept_word(p, "CONTAINS")) {
    cond = parse_fulltext(p, FALSE);
  } else if (sql_accept_word(p, "FREETEXT")) {
    cond = parse_fulltext(p, TRUE);
  } else {
    const char *property = sql_expect_property(p);
    if (property != NULL)
      cond = parse_predicate(p, property);
  }
  p->depth--;
  return cond;
}

/* One or more parts of the next tighter rule; a single one stands for itself. */
static SqlCond *parse_chain(SqlScan *p, SqlCondKind kind, const char *word,
                            SqlCond *(*parse_part)(SqlScan *))
{
  g_autoptr(SqlCond) cond = parse_part(p);

  while (cond != NULL && sql_accept_word(p, word)) {
    SqlCond *part = parse_part(p);
    if (part == NULL)
      return NULL;
    if (cond->kind != kind)
      cond = cond_join(kind, g_steal_pointer(&cond));
    g_ptr_array_add(cond->parts, part);
  }
  return g_steal_pointer(&cond);
}

static SqlCond *parse_and(SqlScan *p)
{
  return parse_chain(p, SQL_COND_AND, "AND", parse_factor);
}

SqlCond *sql_cond_parse(SqlScan *p)
{
  return parse_chain(p, SQL_COND_OR, "OR", parse_and);
}
