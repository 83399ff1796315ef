/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens of a SEARCH statement: the lowest part of the SQL parser, for sql.c and sql_cond.c alone.
 * It borrows the text. "Accept" takes the current token if it is the one asked for; "expect" does
 * too, and sets the error if it is not. Keywords match without regard to case.
 */
#pragma once

#include "sql.h"

typedef enum {
  SQL_TOKEN_END,
  SQL_TOKEN_WORD,
  SQL_TOKEN_NAME,   /* "..." */
  SQL_TOKEN_STRING, /* '...' */
  SQL_TOKEN_NUMBER,
  SQL_TOKEN_SYMBOL,
  SQL_TOKEN_BAD,
} SqlTokenKind;

typedef struct {
  const char *start, *at, *next; /* the text; its current token; what follows that */
  SqlTokenKind kind;
  GString *token; /* unquoted */
  guint depth;    /* of nested conditions */
  GError *error;  /* the first failure */
} SqlScan;

/* Stands on the first token; sql_scan_clear frees the token, the error is the caller's. */
void sql_scan_init(SqlScan *p, const char *text);
void sql_scan_clear(SqlScan *p);
void sql_scan_next(SqlScan *p);

/* Sets "expected ..." unless an error is set already; always FALSE. */
gboolean sql_scan_fail(SqlScan *p, const char *expected);

gboolean sql_accept_word(SqlScan *p, const char *word);
gboolean sql_accept_symbol(SqlScan *p, const char *symbol);
gboolean sql_expect_word(SqlScan *p, const char *word);
gboolean sql_expect_symbol(SqlScan *p, const char *symbol);

/* A property name, interned; NULL when none stands here. */
const char *sql_accept_property(SqlScan *p);
const char *sql_expect_property(SqlScan *p);

/* Bytes of ASCII letters, digits and _ at the start of s. */
size_t sql_word_length(const char *s);
