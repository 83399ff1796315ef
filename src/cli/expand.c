/* SPDX-License-Identifier: Apache-2.0 */
/* Owns %u and %U; leaves what the result means to those who asked for it. */
#include "cli/expand.h"

static char *expand(const char *template, const char *name, uid_t uid)
{
  if (!template)
    return NULL;
  GString *text = g_string_new(NULL);
  for (const char *at = template; *at; at++) {
    if (at[0] == '%' && at[1] == 'u')
      g_string_append(text, name);
    else if (at[0] == '%' && at[1] == 'U')
      g_string_append_printf(text, "%lu", (unsigned long)uid);
    else {
      g_string_append_c(text, *at);
      continue;
    }
    at++;
  }
  return g_string_free(text, FALSE);
}

char *expand_user(const char *template, const char *name, uid_t uid)
{
  return expand(template, name, uid);
}

char *expand_user_url(const char *template, const char *name, uid_t uid)
{
  g_autofree char *encoded = g_uri_escape_string(name, NULL, FALSE);
  return expand(template, encoded, uid);
}
