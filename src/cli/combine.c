/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which options go together; leaves what goes with multiuser alone to many.c. */
#include "cli/combine.h"

#include "base/error.h"
#include "base/rule.h"

#include <errno.h>

#define BIT(kind) (1u << (kind))
#define PASSWORDS (BIT(SEC_AUTO) | BIT(SEC_NTLM) | BIT(SEC_BASIC) | BIT(SEC_FORMS))
#define TICKETS (BIT(SEC_AUTO) | BIT(SEC_NEGOTIATE))
#define TOKENS (BIT(SEC_AUTO) | BIT(SEC_BEARER))
#define READABLE (BIT(SEC_AUTO) | BIT(SEC_BASIC) | BIT(SEC_FORMS) | BIT(SEC_BEARER))

static const char *sec_word(gint64 sec)
{
  static const char *const words[] = {"auto",  "negotiate", "ntlm", "basic",
                                      "forms", "bearer",    "none"};
  return words[sec];
}

/* An option that was given and has no part in how to sign in. */
static gboolean check_sec(const Options *options, GError **error)
{
  const struct {
    const char *name;
    gboolean given;
    guint with; /* of SecKind */
  } rows[] = {{"passwd_file=", options->passwd_file != NULL, PASSWORDS},
              {"passwd_cmd=", options->passwd_cmd != NULL, PASSWORDS},
              {"netrc=", options->netrc != NULL, PASSWORDS},
              {"credentials=", options->credentials != NULL, PASSWORDS},
              {"ccache=", options->ccache != NULL, TICKETS},
              {"keytab=", options->keytab != NULL, TICKETS},
              {"principal=", options->principal != NULL, TICKETS},
              {"token_cmd=", options->token_cmd != NULL, TOKENS},
              {"insecure_basic", options->insecure_basic, READABLE}};
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
    if (rows[i].given && !(rows[i].with & BIT(options->sec)))
      return error_set(error, EINVAL, SCOPE_LOCAL,
                       "%s means nothing with sec=%s: leave one of the two out", rows[i].name,
                       sec_word(options->sec));
  return options->sec != SEC_BEARER || options->token_cmd ||
         error_set(error, EINVAL, SCOPE_LOCAL,
                   "sec=bearer without token_cmd=: name the command that prints the token");
}

/* An option about another one that was not given. */
static gboolean check_needs(const Options *options, GError **error)
{
  const struct {
    const char *name, *given, *needs, *there;
  } rows[] = {
      {"key=", options->key, "cert=", options->cert},
      {"key_passwd_file=", options->key_passwd_file, "cert=", options->cert},
      {"proxy_user=", options->proxy_user, "proxy=", options->proxy},
      {"proxy_passwd_file=", options->proxy_passwd_file, "proxy_user=", options->proxy_user}};
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
    if (rows[i].given && !rows[i].there)
      return error_set(error, EINVAL, SCOPE_LOCAL, "%s without %s: give that too", rows[i].name,
                       rows[i].needs);
  return TRUE;
}

gboolean combine_check(const Options *options, GError **error)
{
  gboolean plain = g_ascii_strncasecmp(options->source, "http:", 5) == 0;
  const char *of_tls = options->pin ? "pin=" : options->cert ? "cert=" : NULL;
  if (!RULE("options-combined"))
    return TRUE;
  if (options->command == COMMAND_PROBE && options->multiuser)
    return error_set(error, EINVAL, SCOPE_LOCAL,
                     "probe looks with one person's eyes: leave multiuser out");
  if (options->ccache && options->keytab)
    return error_set(error, EINVAL, SCOPE_LOCAL,
                     "ccache= and keytab= both say where tickets come from: give one of them");
  if (plain && of_tls)
    return error_set(error, EINVAL, SCOPE_LOCAL,
                     "%s means nothing without TLS: give an address that begins with https://",
                     of_tls);
  return check_sec(options, error) && check_needs(options, error);
}
