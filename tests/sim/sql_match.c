/* SPDX-License-Identifier: Apache-2.0 */
/* Asks a parsed condition of a row and puts rows in order. It allocates nothing as long as the text
 * compared is ASCII: a listing of 100,000 items goes through here once per item.
 */
#include "sql_tree.h"

#include <string.h>

/* Ordered so that AND is the least of its parts and OR the greatest. */
typedef enum { NO, UNKNOWN, YES } Truth;

/* Folding maps each character by itself, so the rest may be folded alone after an equal start. */
static int compare_folded(const char *a, const char *b)
{
  for (;; a++, b++) {
    guchar x = (guchar)*a, y = (guchar)*b;
    if ((x | y) >= 0x80)
      break;
    int difference = g_ascii_tolower((char)x) - g_ascii_tolower((char)y);
    if (difference != 0 || x == '\0')
      return difference;
  }
  if (!g_utf8_validate(a, -1, NULL) || !g_utf8_validate(b, -1, NULL))
    return strcmp(a, b);
  g_autofree char *folded_a = g_utf8_casefold(a, -1);
  g_autofree char *folded_b = g_utf8_casefold(b, -1);
  return strcmp(folded_a, folded_b);
}

static gboolean is_number(const SqlValue *v)
{
  return v->kind == SQL_VALUE_INT || v->kind == SQL_VALUE_BOOL || v->kind == SQL_VALUE_FLOAT;
}

static int compare_numbers(const SqlValue *a, const SqlValue *b)
{
  if (a->kind != SQL_VALUE_FLOAT && b->kind != SQL_VALUE_FLOAT)
    return (a->i > b->i) - (a->i < b->i);
  double x = a->kind == SQL_VALUE_FLOAT ? a->f : (double)a->i;
  double y = b->kind == SQL_VALUE_FLOAT ? b->f : (double)b->i;
  return (x > y) - (x < y);
}

/* FALSE: one is NULL, or their kinds have no common order. */
static gboolean compare_values(const SqlValue *a, const SqlValue *b, int *ret)
{
  if (is_number(a) && is_number(b)) {
    *ret = compare_numbers(a, b);
    return TRUE;
  }
  if (a->kind != b->kind)
    return FALSE;
  switch (a->kind) {
  case SQL_VALUE_STRING:
    *ret = compare_folded(a->s, b->s);
    return TRUE;
  case SQL_VALUE_TIME:
    *ret = (a->i > b->i) - (a->i < b->i);
    return TRUE;
  case SQL_VALUE_BINARY:
    *ret = g_bytes_compare(a->b, b->b);
    return TRUE;
  default:
    return FALSE;
  }
}

static Truth apply(SqlOp op, const SqlValue *a, const SqlValue *b)
{
  int order;

  if (!compare_values(a, b, &order))
    return UNKNOWN;
  switch (op) {
  case SQL_EQ:
    return order == 0 ? YES : NO;
  case SQL_NE:
    return order != 0 ? YES : NO;
  case SQL_LT:
    return order < 0 ? YES : NO;
  case SQL_LE:
    return order <= 0 ? YES : NO;
  case SQL_GT:
    return order > 0 ? YES : NO;
  case SQL_GE:
    return order >= 0 ? YES : NO;
  }
  return UNKNOWN;
}

/* Text must start with the first piece, end with the last, and hold the others between in order. */
static gboolean like_folded(char *const *pieces, const char *text)
{
  size_t len = strlen(text), first = pieces[0] != NULL ? strlen(pieces[0]) : 0;

  if (pieces[0] == NULL) /* LIKE '' */
    return len == 0;
  if (pieces[1] == NULL)
    return g_str_equal(text, pieces[0]);
  if (strncmp(text, pieces[0], first) != 0)
    return FALSE;
  const char *at = text + first, *end = text + len;
  for (pieces++; pieces[1] != NULL; pieces++) {
    at = strstr(at, *pieces);
    if (at == NULL)
      return FALSE;
    at += strlen(*pieces);
  }
  size_t last = strlen(*pieces);
  return (size_t)(end - at) >= last && memcmp(end - last, *pieces, last) == 0;
}

static Truth like(char *const *pieces, const SqlValue *value)
{
  char ascii[256];
  size_t len = 0;

  if (value->kind != SQL_VALUE_STRING)
    return UNKNOWN;
  while (len < sizeof ascii && (guchar)value->s[len] < 0x80) {
    ascii[len] = g_ascii_tolower(value->s[len]);
    if (ascii[len++] == '\0')
      return like_folded(pieces, ascii) ? YES : NO;
  }
  if (!g_utf8_validate(value->s, -1, NULL))
    return NO;
  g_autofree char *folded = g_utf8_casefold(value->s, -1);
  return like_folded(pieces, folded) ? YES : NO;
}

static void fetch(SqlGetFn get, gpointer row, const char *property, SqlValue *ret)
{
  *ret = (SqlValue){.kind = SQL_VALUE_NULL};
  if (!get(row, property, ret))
    ret->kind = SQL_VALUE_NULL;
}

static Truth evaluate(const SqlCond *cond, SqlGetFn get, gpointer row);

static Truth evaluate_parts(const SqlCond *cond, SqlGetFn get, gpointer row)
{
  gboolean all = cond->kind == SQL_COND_AND;
  Truth truth = all ? YES : NO, decided = all ? NO : YES;

  for (guint i = 0; i < cond->parts->len && truth != decided; i++) {
    Truth part = evaluate(g_ptr_array_index(cond->parts, i), get, row);
    truth = all ? MIN(truth, part) : MAX(truth, part);
  }
  return truth;
}

static Truth evaluate(const SqlCond *cond, SqlGetFn get, gpointer row)
{
  SqlValue value, other;

  switch (cond->kind) {
  case SQL_COND_AND:
  case SQL_COND_OR:
    return evaluate_parts(cond, get, row);
  case SQL_COND_NOT:
    return (Truth)(YES - evaluate(g_ptr_array_index(cond->parts, 0), get, row));
  default:
    break;
  }
  fetch(get, row, cond->property, &value);
  switch (cond->kind) {
  case SQL_COND_IS_NULL:
    return value.kind == SQL_VALUE_NULL ? YES : NO;
  case SQL_COND_LIKE:
    return like(cond->like, &value);
  case SQL_COND_FULLTEXT:
    if (value.kind != SQL_VALUE_STRING)
      return UNKNOWN;
    return sql_terms_match(cond->terms, value.s) ? YES : NO;
  case SQL_COND_COMPARE_OTHER:
    fetch(get, row, cond->other, &other);
    return apply(cond->op, &value, &other);
  default:
    return apply(cond->op, &value, &cond->literal.as[value.kind]);
  }
}

gboolean sql_match(const SqlCond *where, SqlGetFn get, gpointer row)
{
  return where == NULL || evaluate(where, get, row) == YES;
}

int sql_compare_rows(const SqlQuery *query, SqlGetFn get, gpointer a, gpointer b)
{
  for (guint i = 0; i < query->order->len; i++) {
    const SqlKey *key = g_ptr_array_index(query->order, i);
    SqlValue x, y;
    int order;
    fetch(get, a, key->name, &x);
    fetch(get, b, key->name, &y);
    if (!compare_values(&x, &y, &order))
      order = (int)x.kind - (int)y.kind;
    if (order != 0)
      return key->descending ? -order : order;
  }
  return 0;
}

gboolean sql_uses_fulltext(const SqlCond *where)
{
  if (where == NULL || where->parts == NULL)
    return where != NULL && where->kind == SQL_COND_FULLTEXT;
  for (guint i = 0; i < where->parts->len; i++)
    if (sql_uses_fulltext(g_ptr_array_index(where->parts, i)))
      return TRUE;
  return FALSE;
}

gboolean sql_first_property(const SqlCond *where, GHashTable *forbidden, const char **ret)
{
  if (where == NULL)
    return FALSE;
  for (guint i = 0; where->parts != NULL && i < where->parts->len; i++)
    if (sql_first_property(g_ptr_array_index(where->parts, i), forbidden, ret))
      return TRUE;
  const char *names[] = {where->property, where->other};
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++)
    if (names[i] != NULL && g_hash_table_contains(forbidden, names[i])) {
      *ret = names[i];
      return TRUE;
    }
  return FALSE;
}
