/* SPDX-License-Identifier: Apache-2.0 */
/* Owns tickets in memory and what is known of them; leaves where they come from to ticket.c. */
#include "net/wallet.h"

#include "base/error.h"
#include "base/rule.h"
#include "net/ticket_error.h"

#include <errno.h>
#include <string.h>

Wallet *wallet_new(GError **error)
{
  g_autofree Wallet *wallet = g_new0(Wallet, 1);
  krb5_error_code code = krb5_init_context(&wallet->context);
  if (code != 0) {
    g_propagate_error(error, ticket_error(NULL, code, "krb5.conf"));
    return NULL;
  }
  return g_steal_pointer(&wallet);
}

void wallet_free(Wallet *wallet)
{
  if (wallet->cache)
    krb5_cc_destroy(wallet->context, wallet->cache);
  krb5_free_context(wallet->context);
  g_free(wallet->name);
  g_free(wallet->as);
  g_free(wallet->stamp);
  g_free(wallet);
}

char *wallet_unparse(krb5_context context, krb5_const_principal principal)
{
  char *text = NULL;
  if (krb5_unparse_name(context, principal, &text) != 0)
    return g_strdup("?");
  char *copy = g_strdup(text);
  krb5_free_unparsed_name(context, text);
  return copy;
}

krb5_error_code wallet_open(Wallet *wallet, krb5_principal principal)
{
  krb5_error_code code = krb5_cc_new_unique(wallet->context, "MEMORY", NULL, &wallet->cache);
  if (code == 0)
    code = krb5_cc_initialize(wallet->context, wallet->cache, principal);
  if (code == 0) {
    wallet->as = wallet_unparse(wallet->context, principal);
    wallet->name = g_strconcat("MEMORY:", krb5_cc_get_name(wallet->context, wallet->cache), NULL);
  }
  return code;
}

/* A ticket to get others with: krbtgt/REALM@… */
static gboolean is_granting(const krb5_creds *creds)
{
  const krb5_data *first = creds->server->length == 2 ? creds->server->data : NULL;
  return first && first->length == strlen(KRB5_TGS_NAME) &&
         memcmp(first->data, KRB5_TGS_NAME, strlen(KRB5_TGS_NAME)) == 0;
}

krb5_error_code wallet_add(Wallet *wallet, krb5_creds *creds)
{
  gint64 end = (guint32)creds->times.endtime; /* unsigned: good until 2106 */
  gboolean granting = is_granting(creds);
  if (granting && !wallet->may_ask)
    wallet->end = 0; /* what else there is can be had again */
  if (!krb5_is_config_principal(wallet->context, creds->server) && (granting || !wallet->may_ask))
    wallet->end = MAX(wallet->end, end);
  wallet->may_ask |= granting;
  return krb5_cc_store_cred(wallet->context, wallet->cache, creds);
}

krb5_error_code wallet_copy(Wallet *wallet, krb5_ccache from)
{
  krb5_principal principal = NULL;
  krb5_cc_cursor cursor;
  krb5_creds creds;
  krb5_error_code code = krb5_cc_get_principal(wallet->context, from, &principal);
  if (code == 0)
    code = wallet_open(wallet, principal);
  krb5_free_principal(wallet->context, principal);
  if (code == 0)
    code = krb5_cc_start_seq_get(wallet->context, from, &cursor);
  if (code != 0)
    return code;
  g_autoptr(GChecksum) stamp = g_checksum_new(G_CHECKSUM_SHA256);
  while (code == 0 && (code = krb5_cc_next_cred(wallet->context, from, &cursor, &creds)) == 0) {
    g_checksum_update(stamp, (const guchar *)creds.ticket.data, creds.ticket.length);
    code = wallet_add(wallet, &creds);
    krb5_free_cred_contents(wallet->context, &creds);
  }
  krb5_cc_end_seq_get(wallet->context, from, &cursor);
  wallet->stamp = g_strdup(g_checksum_get_string(stamp));
  return code == KRB5_CC_END ? 0 : code;
}

gint64 wallet_now(const Wallet *wallet)
{
  krb5_timestamp now;
  return krb5_timeofday(wallet->context, &now) == 0 ? (gint64)(guint32)now
                                                    : g_get_real_time() / G_USEC_PER_SEC;
}

gboolean wallet_check(const Wallet *wallet, const char *name, GError **error)
{
  if (!wallet->end)
    return error_set(error, EACCES, SCOPE_SIGN_IN, "there is no Kerberos ticket in %s: run kinit",
                     name);
  if (wallet->end > wallet_now(wallet) || !RULE("krb-expired"))
    return TRUE;
  g_autoptr(GDateTime) end = g_date_time_new_from_unix_local(wallet->end);
  g_autofree char *when = end ? g_date_time_format(end, "%F %T") : g_strdup("long ago");
  return error_set(error, EACCES, SCOPE_SIGN_IN,
                   "the Kerberos ticket of %s in %s expired %s: run kinit", wallet->as, name, when);
}
