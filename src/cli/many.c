/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which options go with multiuser; leaves opening a user's mailbox to mount.c. */
#include "cli/many.h"

#include "base/error.h"
#include "cli/expand.h"

#include <errno.h>

/* The option given that is one person's secret, or NULL. */
static const char *personal(const Options *options)
{
  return options->user          ? "user="
         : options->passwd_file ? "passwd_file="
         : options->passwd_cmd  ? "passwd_cmd="
         : options->token_cmd   ? "token_cmd="
         : options->netrc       ? "netrc="
         : options->credentials ? "credentials="
                                : NULL;
}

gboolean many_check(Options *options, gboolean root, GError **error)
{
  g_auto(Source) source = {0};
  const char *given = personal(options);
  if (given)
    return error_set(error, EINVAL, SCOPE_LOCAL,
                     "%s is one person's: with multiuser each user's own Kerberos ticket is used, "
                     "see ccache= and keytab=",
                     given);
  if (options->sec == SEC_AUTO)
    options->sec = SEC_NEGOTIATE;
  if (options->sec != SEC_NEGOTIATE && options->sec != SEC_NONE)
    return error_set(error, EINVAL, SCOPE_LOCAL,
                     "only Kerberos tickets tell users apart: with multiuser use sec=negotiate");
  options->allow_other |= root;
  if (!options->allow_other)
    return error_set(error, EINVAL, SCOPE_LOCAL,
                     "multiuser is of no use unless others may enter: add allow_other");
  return many_source(options->source, "user", 1, &source, error);
}

gboolean many_source(const char *template, const char *name, uid_t uid, Source *ret, GError **error)
{
  g_autofree char *text = expand_user_url(template, name, uid);
  return source_parse(text, ret, error);
}
