/* SPDX-License-Identifier: Apache-2.0 */
/* Scanner of SEARCH statements; see sql_scan.h. */
#include "sql_scan.h"

#include <string.h>

void sql_scan_init(SqlScan *p, const char *text)
{
  *p = (SqlScan){.start = text, .next = text, .token = g_string_new(NULL)};
  sql_scan_next(p);
}

void sql_scan_clear(SqlScan *p)
{
  g_string_free(p->token, TRUE);
}

gboolean sql_scan_fail(SqlScan *p, const char *expected)
{
  if (p->error == NULL)
    g_set_error(&p->error, SQL_ERROR, SQL_ERROR_SYNTAX, "expected %s at byte %zu", expected,
                (size_t)(p->at - p->start));
  return FALSE;
}

/* Quotes are doubled inside quotes. */
static const char *scan_quoted(SqlScan *p, const char *s)
{
  char quote = *s++;

  for (; *s != '\0'; s++) {
    if (*s == quote && *++s != quote) {
      p->kind = quote == '"' ? SQL_TOKEN_NAME : SQL_TOKEN_STRING;
      return s;
    }
    g_string_append_c(p->token, *s);
  }
  p->kind = SQL_TOKEN_BAD;
  return s;
}

size_t sql_word_length(const char *s)
{
  return strspn(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
}

static size_t symbol_length(const char *s)
{
  if ((strchr("<>!", *s) != NULL && s[1] == '=') || (s[0] == '<' && s[1] == '>'))
    return 2;
  return strchr("=<>(),*", *s) != NULL ? 1 : 0;
}

void sql_scan_next(SqlScan *p)
{
  const char *s = p->next + strspn(p->next, " \t\r\n");
  size_t len;

  p->at = s;
  g_string_truncate(p->token, 0);
  if (*s == '"' || *s == '\'') {
    p->next = scan_quoted(p, s);
    return;
  }
  if (*s == '\0') {
    p->kind = SQL_TOKEN_END;
    len = 0;
  } else if (g_ascii_isdigit(*s) || (strchr("+-.", *s) != NULL && s[1] != '\0')) {
    p->kind = SQL_TOKEN_NUMBER;
    len = 1 + strspn(s + 1, "0123456789.");
  } else if ((len = sql_word_length(s)) > 0) {
    p->kind = SQL_TOKEN_WORD;
  } else {
    len = symbol_length(s);
    p->kind = len > 0 ? SQL_TOKEN_SYMBOL : SQL_TOKEN_BAD;
  }
  g_string_append_len(p->token, s, (gssize)len);
  p->next = s + len;
}

static gboolean accept_token(SqlScan *p, SqlTokenKind kind, const char *text)
{
  if (p->kind != kind || g_ascii_strcasecmp(p->token->str, text) != 0)
    return FALSE;
  sql_scan_next(p);
  return TRUE;
}

gboolean sql_accept_word(SqlScan *p, const char *word)
{
  return accept_token(p, SQL_TOKEN_WORD, word);
}

gboolean sql_accept_symbol(SqlScan *p, const char *symbol)
{
  return accept_token(p, SQL_TOKEN_SYMBOL, symbol);
}

gboolean sql_expect_word(SqlScan *p, const char *word)
{
  return sql_accept_word(p, word) || sql_scan_fail(p, word);
}

gboolean sql_expect_symbol(SqlScan *p, const char *symbol)
{
  return sql_accept_symbol(p, symbol) || sql_scan_fail(p, symbol);
}

const char *sql_accept_property(SqlScan *p)
{
  if (p->kind != SQL_TOKEN_NAME || p->token->len == 0)
    return NULL;
  const char *name = g_intern_string(p->token->str);
  sql_scan_next(p);
  return name;
}

const char *sql_expect_property(SqlScan *p)
{
  const char *name = sql_accept_property(p);

  if (name == NULL)
    sql_scan_fail(p, "a property name in double quotes");
  return name;
}
