/* SPDX-License-Identifier: Apache-2.0 */
/* The search text inside CONTAINS and FREETEXT, for stores that have an index switched on. FORMSOF
 * finds the word itself only; noise words are ordinary words here.
 */
#include "sql_tree.h"

#include <string.h>

static void term_free(gpointer data)
{
  SqlTerm *term = data;

  g_free(term->words);
  g_free(term);
}

static gboolean is_word_char(gunichar c)
{
  return g_unichar_isalnum(c) || c == '_';
}

/* Takes one blank-separated piece, or what stands between double quotes. NULL: nothing left, or a
 * quote without end (*pos then still points at it). */
static char *next_piece(const char **pos, gboolean *ret_quoted)
{
  const char *start = *pos + strspn(*pos, " \t\r\n"), *end;

  *pos = start;
  *ret_quoted = *start == '"';
  if (*ret_quoted) {
    end = strchr(++start, '"');
    if (end == NULL)
      return NULL;
    *pos = end + 1;
  } else {
    end = start + strcspn(start, " \t\r\n\"");
    *pos = end;
  }
  return end == start ? NULL : g_strndup(start, (gsize)(end - start));
}

/* FORMSOF(INFLECTIONAL, "word") is read as "word". */
static void skip_formsof(const char **pos)
{
  const char *start = *pos + strspn(*pos, " \t\r\n");

  if (g_ascii_strncasecmp(start, "FORMSOF", 7) == 0) {
    const char *comma = strchr(start, ',');
    if (comma != NULL)
      *pos = comma + 1;
  }
}

static void add_term(GPtrArray *terms, SqlJoin join, char *words)
{
  SqlTerm *term = g_new0(SqlTerm, 1);
  size_t len = strlen(words);

  term->join = join;
  term->words = words;
  while (len > 1 && strchr("*)", words[len - 1]) != NULL) {
    term->prefix |= words[len - 1] == '*';
    words[--len] = '\0';
  }
  g_ptr_array_add(terms, term);
}

/* Reads AND, OR, AND NOT. FALSE: something else stands there. */
static gboolean next_join(const char **pos, SqlJoin *ret)
{
  gboolean quoted;
  const char *after;

  g_autofree char *word = next_piece(pos, &quoted);
  if (word == NULL || quoted)
    return FALSE;
  if (g_ascii_strcasecmp(word, "OR") == 0) {
    *ret = SQL_TERM_OR;
    return TRUE;
  }
  if (g_ascii_strcasecmp(word, "AND") != 0)
    return FALSE;
  after = *pos;
  g_autofree char *negation = next_piece(&after, &quoted);
  *ret = SQL_TERM_AND;
  if (negation != NULL && !quoted && g_ascii_strcasecmp(negation, "NOT") == 0) {
    *ret = SQL_TERM_AND_NOT;
    *pos = after;
  }
  return TRUE;
}

GPtrArray *sql_terms_parse(const char *text, gboolean freetext)
{
  g_autoptr(GPtrArray) terms = g_ptr_array_new_with_free_func(term_free);
  SqlJoin join = SQL_TERM_OR;
  gboolean quoted;

  for (;;) {
    if (!freetext)
      skip_formsof(&text);
    char *words = next_piece(&text, &quoted);
    if (words == NULL)
      return NULL;
    add_term(terms, join, words);
    text += strspn(text, " \t\r\n)");
    if (*text == '\0')
      return g_steal_pointer(&terms);
    if (!freetext && !next_join(&text, &join))
      return NULL;
  }
}

static gboolean term_match(const SqlTerm *term, const char *text)
{
  size_t len = strlen(term->words);

  for (const char *at = text; (at = strstr(at, term->words)) != NULL; at = g_utf8_next_char(at)) {
    const char *end = at + len;
    gboolean starts = at == text || !is_word_char(g_utf8_get_char(g_utf8_prev_char(at)));
    gboolean ends = term->prefix || *end == '\0' || !is_word_char(g_utf8_get_char(end));
    if (starts && ends)
      return TRUE;
  }
  return FALSE;
}

gboolean sql_terms_match(const GPtrArray *terms, const char *text)
{
  gboolean found = FALSE;

  if (!g_utf8_validate(text, -1, NULL))
    return FALSE;
  for (guint i = 0; i < terms->len; i++) {
    const SqlTerm *term = g_ptr_array_index(terms, i);
    gboolean here = term_match(term, text);
    if (term->join == SQL_TERM_OR)
      found = found || here;
    else
      found = found && here == (term->join == SQL_TERM_AND);
  }
  return found;
}
