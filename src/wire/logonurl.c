/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what an address says about signing in: is it a logon page, why did it come, is it still on
 * the same server. Leaves the page itself to logonform.c.
 */
#include "wire/logonurl.h"

#include "base/rule.h"

#include <string.h>

#define URL_MAX 32768u

/* The path of LOCATION in lower case, without query. */
static char *lower_path(const char *location)
{
  const char *colon = strstr(location, "://");
  const char *path = location;
  if (colon && colon < location + strcspn(location, "/?"))
    path = colon + 3 + strcspn(colon + 3, "/?#");
  return g_ascii_strdown(path, (gssize)strcspn(path, "?#"));
}

gboolean logon_is_page(const char *location)
{
  static const char *const mail[] = {"/exchange/", "/public/"};
  static const char *const dirs[] = {"/owa/auth/", "/owa/auth.owa", "/exchweb/bin/auth/"};
  static const char *const pages[] = {"logon", "login", "owalogon", "owaauth", "cookieauth.dll"};
  g_autofree char *path = lower_path(location);
  const char *slash = strrchr(path, '/');
  const char *page = slash ? slash + 1 : path;
  for (gsize i = 0; i < G_N_ELEMENTS(mail); i++)
    if (g_str_has_prefix(path, mail[i]))
      return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS(dirs); i++)
    if (g_str_has_prefix(path, dirs[i]))
      return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS(pages); i++)
    if (g_str_has_prefix(page, pages[i]))
      return TRUE;
  return FALSE;
}

/* The server puts its own after what it was asked for, so the last one counts. */
LogonReason logon_reason(const char *location)
{
  const char *query = strchr(location, '?');
  LogonReason reason = LOGON_ASKED;
  while (query) {
    const char *word = query + 1;
    query = strpbrk(word, "?&");
    gsize len = query ? (gsize)(query - word) : strcspn(word, "#");
    if (len > 7 && g_ascii_strncasecmp(word, "reason=", 7) == 0)
      reason = len == 8 && (word[7] == '2' || word[7] == '4') ? LOGON_REFUSED : LOGON_ASKED;
  }
  return reason;
}

/* TEXT for a request line: what a server left unescaped (3.6) is escaped. */
static char *make_safe(const char *text)
{
  GString *out = g_string_sized_new(strlen(text) + 16);
  for (; *text; text++) {
    guchar c = (guchar)*text;
    if (c <= 0x20 || c >= 0x7f || strchr("\"<>\\^`{|}", c))
      g_string_append_printf(out, "%%%02X", c);
    else
      g_string_append_c(out, (char)c);
  }
  return g_string_free(out, FALSE);
}

static gboolean is_web(GUri *uri)
{
  const char *scheme = g_uri_get_scheme(uri);
  const char *host = g_uri_get_host(uri);
  return host && *host && (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
}

char *logon_resolve(const char *page, const char *reference)
{
  GUriFlags flags = G_URI_FLAGS_ENCODED | G_URI_FLAGS_SCHEME_NORMALIZE;
  if (strlen(page) + strlen(reference) > URL_MAX)
    return NULL;
  g_autofree char *stripped = g_strstrip(g_strdup(reference));
  g_autofree char *safe_page = make_safe(page);
  g_autofree char *safe = make_safe(stripped);
  g_autoptr(GUri) base = g_uri_parse(safe_page, flags, NULL);
  g_autoptr(GUri) uri = base ? g_uri_parse_relative(base, safe, flags, NULL) : NULL;
  if (!uri || !is_web(uri) || g_uri_get_userinfo(uri))
    return NULL;
  const char *path = g_uri_get_path(uri);
  g_autoptr(GUri) whole =
      g_uri_build(flags, g_uri_get_scheme(uri), NULL, g_uri_get_host(uri), g_uri_get_port(uri),
                  *path ? path : "/", g_uri_get_query(uri), NULL);
  return g_uri_to_string(whole);
}

static int port_of(GUri *uri)
{
  int port = g_uri_get_port(uri);
  if (port > 0)
    return port;
  return strcmp(g_uri_get_scheme(uri), "https") == 0 ? 443 : 80;
}

const char *logon_path_at(const char *url, const char *origin)
{
  g_autoptr(GUri) a = g_uri_parse(url, G_URI_FLAGS_ENCODED, NULL);
  g_autoptr(GUri) b = g_uri_parse(origin, G_URI_FLAGS_ENCODED, NULL);
  if (!a || !b || !is_web(a) || !is_web(b))
    return NULL;
  gboolean same = strcmp(g_uri_get_scheme(a), g_uri_get_scheme(b)) == 0 &&
                  g_ascii_strcasecmp(g_uri_get_host(a), g_uri_get_host(b)) == 0 &&
                  port_of(a) == port_of(b);
  if (!same && RULE("forms-origin"))
    return NULL;
  const char *path = strchr(strstr(url, "://") + 3, '/');
  return path ? path : "/";
}
