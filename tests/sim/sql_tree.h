/* SPDX-License-Identifier: Apache-2.0 */
/* The condition tree that sql_cond.c builds and sql_match.c walks; for the sql_*.c files alone. AND
 * and OR hold any number of parts, so that a long chain costs no recursion.
 */
#pragma once

#include "sql_scan.h"

typedef enum {
  SQL_COND_AND,
  SQL_COND_OR,
  SQL_COND_NOT,
  SQL_COND_COMPARE,       /* property op literal */
  SQL_COND_COMPARE_OTHER, /* property op other */
  SQL_COND_LIKE,
  SQL_COND_IS_NULL,
  SQL_COND_FULLTEXT,
} SqlCondKind;

typedef enum { SQL_EQ, SQL_NE, SQL_LT, SQL_LE, SQL_GT, SQL_GE } SqlOp;

/* A literal as each kind of property sees it: as[KIND].kind is SQL_VALUE_NULL where it makes no
 * sense there ('abc' against a number). */
typedef struct {
  SqlValue as[SQL_VALUE_BINARY + 1];
  char *text; /* owns as[].s */
} SqlLiteral;

typedef enum { SQL_TERM_OR, SQL_TERM_AND, SQL_TERM_AND_NOT } SqlJoin;

typedef struct {
  SqlJoin join; /* with what stands left of it */
  char *words;  /* a word or phrase */
  gboolean prefix;
} SqlTerm;

struct SqlCond {
  SqlCondKind kind;
  GPtrArray *parts;     /* AND, OR, NOT: SqlCond */
  const char *property; /* interned */
  const char *other;    /* interned */
  SqlOp op;
  SqlLiteral literal;
  char **like;      /* case-folded pieces between the % signs */
  GPtrArray *terms; /* SqlTerm */
};

/* sql_cond.c. A condition from the scanner's current token on; NULL once scan->error is set. */
SqlCond *sql_cond_parse(SqlScan *p);
void sql_cond_free(SqlCond *cond);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(SqlCond, sql_cond_free)

/* sql_literal.c: each fills *ret and may be called once per SqlLiteral. */
void sql_literal_string(SqlLiteral *ret, const char *text);
gboolean sql_literal_number(SqlLiteral *ret, const char *text);
void sql_literal_bool(SqlLiteral *ret, gboolean value);
/* FALSE: no such type, or text is no value of it. */
gboolean sql_literal_cast(SqlLiteral *ret, const char *text, const char *type);
void sql_literal_clear(SqlLiteral *literal);

/* sql_fulltext.c: the search text of CONTAINS (words, "phrases", prefix*, AND, OR, AND NOT,
 * FORMSOF) or FREETEXT (any of its words); NULL when it cannot be read. */
GPtrArray *sql_terms_parse(const char *text, gboolean freetext);
/* Whole words, case-sensitive, as documented for the server. */
gboolean sql_terms_match(const GPtrArray *terms, const char *text);
