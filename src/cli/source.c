/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a mount source may be; leaves asking whether anything is there to the store. */
#include "cli/source.h"

#include "base/error.h"

#include <errno.h>
#include <string.h>

/* What may stand in a path segment as itself (RFC 3986, pchar). */
#define PLAIN "!$&'()*+,;=:@"

static gboolean refuse(GError **error, const char *text)
{
  return error_set(error, EINVAL, SCOPE_LOCAL, "%s", text);
}

static gboolean normalise_path(const char *encoded, char **ret, GError **error)
{
  g_autoptr(GString) path = g_string_new("/");
  g_auto(GStrv) segments = g_strsplit(encoded, "/", -1);
  for (char **segment = segments; *segment; segment++) {
    g_autofree char *name = g_uri_unescape_string(*segment, NULL);
    if (!name)
      return refuse(error, "the source holds a broken percent escape: write %25 for a percent sign "
                           "(%u and %U are for multiuser alone)");
    if (strcmp(name, "..") == 0)
      return refuse(error, "the source goes up with '..': write the folder's own address");
    if (!*name || strcmp(name, ".") == 0)
      continue;
    g_string_append_uri_escaped(path, name, PLAIN, FALSE);
    g_string_append_c(path, '/');
  }
  *ret = g_string_free(g_steal_pointer(&path), FALSE);
  return TRUE;
}

static char *make_origin(const char *scheme, const char *host, int port)
{
  g_autofree char *name = g_ascii_strdown(host, -1);
  int usual = strcmp(scheme, "https") == 0 ? 443 : 80;
  const char *left = strchr(name, ':') ? "[" : "", *right = *left ? "]" : "";
  return port > 0 && port != usual
             ? g_strdup_printf("%s://%s%s%s:%d", scheme, left, name, right, port)
             : g_strdup_printf("%s://%s%s%s", scheme, left, name, right);
}

static gboolean has_controls(const char *text)
{
  for (; *text; text++)
    if (g_ascii_iscntrl(*text))
      return TRUE;
  return FALSE;
}

gboolean source_parse(const char *text, Source *ret, GError **error)
{
  if (has_controls(text))
    return refuse(error, "the source holds a control character: write it as %XX");
  g_autofree char *scheme = g_uri_parse_scheme(text);
  if (!scheme || !strstr(text, "://"))
    return refuse(error, "the source is no URL: write it as https://SERVER/exchange/USER/");
  if (g_ascii_strcasecmp(scheme, "http") != 0 && g_ascii_strcasecmp(scheme, "https") != 0)
    return refuse(error, "the source must begin with https:// or http://");

  /* Not g_uri_parse(): it resolves ".." silently. */
  g_autofree char *user = NULL, *host = NULL, *encoded = NULL, *query = NULL, *fragment = NULL;
  int port = -1;
  if (!g_uri_split(text, G_URI_FLAGS_ENCODED | G_URI_FLAGS_PARSE_RELAXED, NULL, &user, &host, &port,
                   &encoded, &query, &fragment, NULL) ||
      !host || !*host || port == 0)
    return refuse(error, "the source names no server, or a port that cannot be: write it as "
                         "https://SERVER/exchange/USER/");
  if (user)
    return refuse(error, "the source holds a user name: give it with -o user= instead");
  if (query || fragment)
    return refuse(error, "the source holds a '?' or '#': write %3F or %23 for one in a name");

  g_autofree char *path = NULL, *kind = g_ascii_strdown(scheme, -1);
  if (!normalise_path(encoded, &path, error))
    return FALSE;
  ret->origin = make_origin(kind, host, port);
  ret->path = g_steal_pointer(&path);
  return TRUE;
}

void source_clear(Source *source)
{
  g_clear_pointer(&source->origin, g_free);
  g_clear_pointer(&source->path, g_free);
}

char *source_host(const Source *source)
{
  char *host = NULL;
  (void)g_uri_split(source->origin, G_URI_FLAGS_ENCODED, NULL, NULL, &host, NULL, NULL, NULL, NULL,
                    NULL);
  return host;
}

char *source_identity(const Source *source, const char *user)
{
  return g_strdup_printf("%s %s%s", user ? user : "", source->origin, source->path);
}
