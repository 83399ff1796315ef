/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the spelling of names in URLs and the comparison of paths; leaves what a user may create to
 * model/name and which URL a request goes to to store/webdav.
 */
#include "wire/davurl.h"

#include "base/rule.h"

#include <string.h>

/* Section 2.2; '/' and CRLF are left out on purpose: a file name cannot hold them. */
static const struct {
  char plain;
  const char *token;
} tokens[] = {{'\\', "_xF8FE_"}, {'?', "_x003F_"}, {'~', "_x007E_"}};

#define TOKEN_LEN 7u

static gboolean is_plain(guchar c)
{
  return g_ascii_isalnum(c) || (c && strchr("!$'()*+,-.:;=@_", c));
}

static void append_percent(GString *out, guchar c)
{
  g_string_append_printf(out, "%%%02X", c);
}

static gboolean is_escape(const char *at)
{
  return at[0] == '%' && g_ascii_isxdigit(at[1]) && g_ascii_isxdigit(at[2]);
}

/* Decodes LEN bytes; an escape that is none stays. FALSE when a NUL comes out. */
static gboolean percent_decode(const char *text, gsize len, GString *out)
{
  for (gsize i = 0; i < len; i++) {
    char c = text[i];
    if (i + 2 < len && is_escape(text + i)) {
      c = (char)(g_ascii_xdigit_value(text[i + 1]) << 4 | g_ascii_xdigit_value(text[i + 2]));
      i += 2;
    }
    if (!c)
      return FALSE;
    g_string_append_c(out, c);
  }
  return TRUE;
}

static char *replace_tokens(const char *text)
{
  GString *out = g_string_sized_new(strlen(text));
  while (*text) {
    gsize hit = G_N_ELEMENTS(tokens);
    for (gsize i = 0; *text == '_' && i < G_N_ELEMENTS(tokens); i++)
      if (g_ascii_strncasecmp(text, tokens[i].token, TOKEN_LEN) == 0)
        hit = i;
    g_string_append_c(out, hit < G_N_ELEMENTS(tokens) ? tokens[hit].plain : *text);
    text += hit < G_N_ELEMENTS(tokens) ? TOKEN_LEN : 1;
  }
  return g_string_free(out, FALSE);
}

static gboolean is_below(const char *decoded)
{
  return *decoded && strcmp(decoded, ".") != 0 && strcmp(decoded, "..") != 0;
}

char *davurl_name(const char *segment, DavSpelling spelling)
{
  gsize len = strlen(segment);
  if (len && segment[len - 1] == '/')
    len--;
  if (len > DAVURL_SEGMENT_MAX)
    return NULL;
  g_autoptr(GString) out = g_string_sized_new(len);
  if (!percent_decode(segment, len, out) || !is_below(out->str))
    return NULL;
  if (spelling == SPELL_EXCHANGE && RULE("dav-name-tokens"))
    return replace_tokens(out->str);
  return g_string_free(g_steal_pointer(&out), FALSE);
}

char *davurl_segment(const char *name, DavSpelling spelling)
{
  GString *out = g_string_sized_new(strlen(name) + 16);
  for (; *name; name++) {
    const char *token = NULL;
    for (gsize i = 0; spelling == SPELL_EXCHANGE && i < G_N_ELEMENTS(tokens); i++)
      if (*name == tokens[i].plain && RULE("dav-name-tokens"))
        token = tokens[i].token;
    if (token)
      g_string_append(out, token);
    else if (is_plain((guchar)*name) || (*name == '~' && spelling == SPELL_PLAIN))
      g_string_append_c(out, *name);
    else
      append_percent(out, (guchar)*name);
  }
  return g_string_free(out, FALSE);
}

char *davurl_stored_name(const char *name)
{
  GString *out = g_string_sized_new(strlen(name) + 16);
  for (; *name; name++) {
    if (g_ascii_strncasecmp(name, "_xF8FF_", TOKEN_LEN) == 0) {
      g_string_append(out, "\xEF\xA3\xBF"); /* U+F8FF */
      name += TOKEN_LEN - 1;
    } else if (strchr("%&+:;<>#~*|?\"", *name)) {
      append_percent(out, (guchar)*name);
    } else {
      g_string_append_c(out, *name);
    }
  }
  return g_string_free(out, FALSE);
}

/* Where the path of HREF begins, or NULL. */
static const char *path_of(const char *href)
{
  while (g_ascii_isspace(*href))
    href++;
  if (*href == '/')
    return href[1] == '/' ? NULL : href;
  const char *colon = strstr(href, "://");
  if (!colon || colon == href || !RULE("dav-href-own-origin"))
    return NULL;
  for (const char *c = href; c < colon; c++)
    if (!g_ascii_isalnum(*c) && !strchr("+-.", *c))
      return NULL;
  return strchr(colon + 3, '/');
}

/* Appends the segment at TEXT, encoding what must not stand in a request line. */
static void append_safe(GString *out, const char *text, gsize len)
{
  for (gsize i = 0; i < len; i++) {
    guchar c = (guchar)text[i];
    gboolean escape = c == '%' && i + 2 < len && is_escape(text + i);
    if (escape || is_plain(c) || c == '&' || c == '~')
      g_string_append_c(out, (char)c);
    else
      append_percent(out, c);
  }
}

/*
 * Appends the path REST, safe, when each of its segments can be below something. White space at the
 * end is not part of an href.
 */
static gboolean append_path(GString *out, const char *rest)
{
  gsize left = strlen(rest);
  while (left && g_ascii_isspace(rest[left - 1]))
    left--;
  g_autoptr(GString) decoded = g_string_new(NULL);
  while (left) {
    const char *slash = memchr(rest, '/', left);
    gsize len = slash ? (gsize)(slash - rest) : left;
    g_string_truncate(decoded, 0);
    if (len > DAVURL_SEGMENT_MAX || !percent_decode(rest, len, decoded) || !is_below(decoded->str))
      return FALSE;
    append_safe(out, rest, len);
    if (slash)
      g_string_append_c(out, '/');
    rest += len + (slash ? 1 : 0);
    left -= len + (slash ? 1 : 0);
  }
  return out->len <= DAVURL_PATH_MAX;
}

static gboolean same_segment(const char *a, gsize a_len, const char *b, gsize b_len,
                             gboolean fold_case)
{
  g_autoptr(GString) x = g_string_sized_new(a_len);
  g_autoptr(GString) y = g_string_sized_new(b_len);
  if (!percent_decode(a, a_len, x) || !percent_decode(b, b_len, y))
    return FALSE;
  if (strcmp(x->str, y->str) == 0)
    return TRUE;
  if (!fold_case || !g_utf8_validate(x->str, -1, NULL) || !g_utf8_validate(y->str, -1, NULL))
    return FALSE;
  g_autofree char *folded_x = g_utf8_casefold(x->str, -1);
  g_autofree char *folded_y = g_utf8_casefold(y->str, -1);
  return strcmp(folded_x, folded_y) == 0;
}

/* What of PATH follows BASE, compared segment by segment; NULL when BASE is not its beginning. */
static const char *rest_below(const char *base, const char *path, gboolean fold_case)
{
  base++;
  path++;
  while (*base) {
    gsize base_len = strcspn(base, "/");
    gsize path_len = strcspn(path, "/");
    if (!same_segment(base, base_len, path, path_len, fold_case))
      return NULL;
    base += base_len + (base[base_len] ? 1 : 0);
    if (!path[path_len])
      return *base ? NULL : path + path_len; /* BASE itself, without its slash */
    path += path_len + 1;
  }
  return path;
}

char *davurl_below(const char *base, const char *href, gboolean fold_case)
{
  const char *path = path_of(href);
  gsize base_len = strlen(base);
  if (!path || strlen(path) > DAVURL_PATH_MAX)
    return NULL;
  const char *rest = NULL;
  if (strncmp(path, base, base_len) == 0)
    rest = path + base_len; /* the usual spelling: nothing to decode */
  else if (RULE("dav-href-decode"))
    rest = rest_below(base, path, fold_case);
  if (!rest)
    return NULL;
  g_autoptr(GString) out = g_string_sized_new(strlen(rest) + 8);
  return append_path(out, rest) ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}

char *davurl_path(const char *href)
{
  const char *path = path_of(href);
  if (!path || strlen(path) > DAVURL_PATH_MAX)
    return NULL;
  g_autoptr(GString) out = g_string_new("/");
  return append_path(out, path + 1) ? g_string_free(g_steal_pointer(&out), FALSE) : NULL;
}

char *davurl_origin(const char *href)
{
  const char *colon = strstr(href, "://");
  if (!colon || colon == href || *href == '/')
    return NULL;
  return g_strndup(href, (gsize)(colon + 3 - href) + strcspn(colon + 3, "/?#"));
}
