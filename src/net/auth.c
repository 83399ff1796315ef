/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the order of the schemes and the sentence when none will do; leaves doing it to session.c.
 */
#include "net/auth.h"

#include "base/error.h"
#include "base/rule.h"

#include <errno.h>
#include <string.h>

/* The strongest first. */
static const struct {
  HttpAuth scheme;
  const char *name;
} schemes[] = {
    {HTTP_AUTH_BEARER, "Bearer"},    {HTTP_AUTH_NEGOTIATE, "Negotiate"},
    {HTTP_AUTH_FORMS, "a web form"}, {HTTP_AUTH_NTLM, "NTLM"},
    {HTTP_AUTH_BASIC, "Basic"},
};

/* The scheme whose name stands at TEXT as a word of its own, or 0. */
static guint scheme_at(const char *text)
{
  gsize len = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
  for (gsize i = 0; i < G_N_ELEMENTS(schemes); i++)
    if (strlen(schemes[i].name) == len && g_ascii_strncasecmp(schemes[i].name, text, len) == 0)
      return schemes[i].scheme;
  return 0;
}

guint auth_offered(const HttpResponse *response)
{
  guint offered = 0, at = 0;
  /* IIS sends one line for each scheme, others a list: a scheme begins a line or follows a comma
   * (in front of a parameter it stands for nothing: "realm=" is not a scheme's name). */
  for (const char *line; (line = http_response_next(response, "WWW-Authenticate", &at));) {
    gboolean quoted = FALSE;
    offered |= scheme_at(line);
    for (const char *c = line; *c; c++) {
      quoted ^= *c == '"';
      if (*c == ',' && !quoted)
        offered |= scheme_at(c + 1 + strspn(c + 1, " \t"));
    }
  }
  return offered;
}

static gboolean has_means(HttpAuth scheme, const AuthMeans *means)
{
  switch (scheme) {
  case HTTP_AUTH_BEARER:
    return means->token && !means->readable;
  case HTTP_AUTH_NEGOTIATE:
    return means->ticket;
  case HTTP_AUTH_NTLM: /* the password itself does not travel */
    return means->password;
  case HTTP_AUTH_FORMS:
  case HTTP_AUTH_BASIC:
    return means->password && (!means->readable || !RULE("net-plain-password"));
  }
  return FALSE;
}

HttpAuth auth_choose(guint offered, guint allowed, const AuthMeans *means)
{
  for (gsize i = 0; i < G_N_ELEMENTS(schemes); i++)
    if ((offered & allowed & (guint)schemes[i].scheme) && has_means(schemes[i].scheme, means))
      return schemes[i].scheme;
  return 0;
}

char *auth_names(guint set)
{
  g_autoptr(GString) names = g_string_new(NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(schemes); i++)
    if (set & (guint)schemes[i].scheme)
      g_string_append_printf(names, "%s%s", names->len ? ", " : "", schemes[i].name);
  return g_strdup(names->len ? names->str : "nothing that is known here");
}

GError *auth_refusal(const char *origin, guint offered, guint allowed, const AuthMeans *means)
{
  guint usable = offered & allowed;
  guint by_password = HTTP_AUTH_FORMS | HTTP_AUTH_NTLM | HTTP_AUTH_BASIC;
  g_autofree char *theirs = auth_names(offered), *ours = auth_names(allowed);
  g_autofree char *start = g_strdup_printf("%s wants a sign-in and offers %s", origin, theirs);
  if (!offered)
    return error_new(EACCES, SCOPE_SIGN_IN,
                     "%s: ask its administrator for Negotiate, NTLM or Basic there", start);
  if (!allowed)
    return error_new(EACCES, SCOPE_SIGN_IN, "%s, but none was allowed: leave sec=none out", start);
  if (!usable)
    return error_new(EACCES, SCOPE_SIGN_IN,
                     "%s, but only %s was allowed: choose another sec= or leave it out", start,
                     ours);
  if ((usable & by_password) && means->password && means->readable)
    return error_new(EACCES, SCOPE_SIGN_IN,
                     "%s, but the password would travel readable: use https, or allow it with the "
                     "option insecure_basic",
                     start);
  if (usable & HTTP_AUTH_NEGOTIATE)
    return error_new(EACCES, SCOPE_SIGN_IN, "%s; %s%s", start,
                     means->no_ticket ? means->no_ticket : "there is no Kerberos ticket: run kinit",
                     usable & by_password ? ", or give user= and passwd_file=" : "");
  if ((usable & by_password) && means->user)
    return error_new(EACCES, SCOPE_SIGN_IN,
                     "%s, but no password was given for %s: give passwd_file= or passwd_cmd=",
                     start, means->user);
  if (usable & by_password)
    return error_new(
        EACCES, SCOPE_SIGN_IN,
        "%s, but no user name and password were given: give user= and passwd_file=", start);
  return error_new(EACCES, SCOPE_SIGN_IN, "%s, but no token: give token_cmd=", start);
}
