/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL subset of Exchange's SEARCH: text to query, and a query asked of rows. Pure: it knows
 * neither the mailbox nor HTTP. Which rows a scope holds, which properties exist or may be
 * searched, and whether there is a full-text index is the caller's business.
 *
 * Property names in a parsed query and in the arguments of SqlGetFn are interned (g_intern_string):
 * compare them by pointer.
 */
#pragma once

#include <glib.h>

#define SQL_TEXT_MAX (64 * 1024) /* bytes of a query */
#define SQL_DEPTH_MAX 64         /* nested parentheses and NOTs */

/* What CONTAINS(*, ...) and FREETEXT('...') search: SqlGetFn answers all text of the row as one
 * string. */
#define SQL_ALL_TEXT "*"

typedef enum { SQL_SHALLOW, SQL_DEEP, SQL_HIERARCHICAL } SqlTraversal;

typedef struct {
  char *url; /* as written (absolute, path, decoded or not); "" is the request's own */
  SqlTraversal traversal;
} SqlScope;

typedef struct {
  const char *name; /* full property name, interned */
  char *alias;      /* NULL, or the name of the element in the answer: ASCII letters, digits, _ */
} SqlColumn;

typedef struct {
  const char *name; /* interned */
  gboolean descending;
} SqlKey;

typedef struct SqlCond SqlCond;

typedef struct {
  gboolean all_columns; /* SELECT *: columns is empty */
  GPtrArray *columns;   /* SqlColumn */
  GPtrArray *scopes;    /* SqlScope, at least one */
  SqlCond *where;       /* NULL: every row */
  GPtrArray *order;     /* SqlKey, may be empty */
  GPtrArray *group;     /* SqlColumn without alias, may be empty */
} SqlQuery;

typedef enum {
  SQL_VALUE_NULL,
  SQL_VALUE_STRING, /* s: UTF-8 */
  SQL_VALUE_INT,    /* i */
  SQL_VALUE_BOOL,   /* i: 0 or 1 */
  SQL_VALUE_TIME,   /* i: milliseconds since 1970, UTC */
  SQL_VALUE_FLOAT,  /* f */
  SQL_VALUE_BINARY, /* b */
} SqlValueKind;

/* Borrowed: s and b live as long as the row (or, in a query, the query). */
typedef struct {
  SqlValueKind kind;
  gint64 i;
  double f;
  const char *s;
  GBytes *b;
} SqlValue;

/* Reads one property of a row into *ret. FALSE: the row lacks it, which is NULL. */
typedef gboolean (*SqlGetFn)(gpointer row, const char *property, SqlValue *ret);

#define SQL_ERROR (sql_error_quark())
GQuark sql_error_quark(void);
typedef enum {
  SQL_ERROR_SYNTAX, /* not in the grammar, or a literal that its CAST type cannot hold */
  SQL_ERROR_LIMIT,  /* longer or deeper than allowed */
} SqlError;

/* Parses one statement. On failure NULL and an error of domain SQL_ERROR that names the byte where
 * it went wrong; the server answers 422 to each. Free with sql_query_free. */
SqlQuery *sql_parse(const char *text, GError **error);

void sql_query_free(SqlQuery *query);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SqlQuery, sql_query_free)

/* Whether the row belongs to the answer. Three-valued logic: comparing with an absent property, or
 * with a value of a kind that the literal cannot be read as, is unknown, and unknown is not TRUE.
 * Text compares without regard to case (=, <, LIKE); % is LIKE's only wildcard. */
gboolean sql_match(const SqlCond *where, SqlGetFn get, gpointer row);

/* ORDER BY: negative, 0 or positive, as qsort wants. NULL sorts first, last when descending. */
int sql_compare_rows(const SqlQuery *query, SqlGetFn get, gpointer a, gpointer b);

/* Whether CONTAINS or FREETEXT occurs: a store without an index refuses those with 422. */
gboolean sql_uses_fulltext(const SqlCond *where);

/* Finds the first property of the condition that is in the set `forbidden` (keys: strings,
 * g_str_hash). TRUE and its interned name in *ret, else FALSE and *ret untouched. */
gboolean sql_first_property(const SqlCond *where, GHashTable *forbidden, const char **ret);
