/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns a user's tickets in memory and their renewal; leaves to ccache.c which cache is the user's,
 * to negotiate.c the token made of them. libkrb5 does what GSSAPI could do as well: its error codes
 * survive, and GSSAPI asks the KDC for a password's tickets when a ticket's last half minute comes.
 */
#include "net/ticket.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"
#include "net/ccache.h"
#include "net/s4u.h"
#include "net/ticket_error.h"
#include "net/wallet.h"

#include <errno.h>
#include <string.h>

#define RETRY_US (60 * G_USEC_PER_SEC) /* a renewal failed, what we have is still good */

struct Ticket {
  char *host, *ccache, *keytab, *principal, *impersonate;
  HttpKerberos options; /* its strings are those above */

  /* ticket_get()'s thread's own */
  Wallet *wallet;  /* NULL: none so far */
  Wallet *acting;  /* with `impersonate`: the user's, got with those; NULL: none */
  gint64 renew_at; /* keytab: monotonic microseconds */
};

/* NAME with its realm; NULL when it is none. The caller frees it. */
static char *full_name(krb5_context context, const char *name)
{
  krb5_principal principal = NULL;
  if (krb5_parse_name(context, name, &principal) != 0)
    return NULL;
  char *full = wallet_unparse(context, principal);
  krb5_free_principal(context, principal);
  return full;
}

/* WALLET is PRINCIPAL's; NULL: anybody's. */
static gboolean is_named(const Wallet *wallet, const char *principal)
{
  g_autofree char *full = principal ? full_name(wallet->context, principal) : NULL;
  return !principal || g_strcmp0(full, wallet->as) == 0;
}

/* The tickets in the user's cache, copied; they must be whose they are said to be, and last. */
static Wallet *read_cache(const Ticket *ticket, GError **error)
{
  g_autoptr(Wallet) wallet = wallet_new(error);
  CcacheSource source;
  if (!wallet || !ccache_open(wallet->context, &ticket->options, &source, error))
    return NULL;
  gboolean good = FALSE;
  krb5_error_code code = wallet_copy(wallet, source.cache);
  if (code != 0)
    g_propagate_error(error, ticket_error(wallet->context, code, source.name));
  else if (!is_named(wallet, ticket->principal))
    error_set(error, EACCES, SCOPE_SIGN_IN, "%s holds the tickets of %s, not of %s: run kinit %s",
              source.name, wallet->as, ticket->principal, ticket->principal);
  else
    good = wallet_check(wallet, source.name, error);
  ccache_close(wallet->context, &source);
  return good ? g_steal_pointer(&wallet) : NULL;
}

static void adopt(Ticket *ticket, Wallet *wallet)
{
  g_clear_pointer(&ticket->wallet, wallet_free);
  ticket->wallet = wallet;
  g_clear_pointer(&ticket->acting, wallet_free);
  log_debug("net", "Kerberos: tickets of %s for another %" G_GINT64_FORMAT " s", wallet->as,
            wallet->end - wallet_now(wallet));
}

/* From the user's cache, when it holds other tickets than it did. */
static gboolean get_from_cache(Ticket *ticket, GError **error)
{
  g_autoptr(Wallet) wallet = read_cache(ticket, error);
  if (!wallet)
    return FALSE;
  if (!ticket->wallet || (strcmp(ticket->wallet->stamp, wallet->stamp) != 0 && RULE("krb-renewed")))
    adopt(ticket, g_steal_pointer(&wallet));
  return TRUE;
}

/* Whose key the keytab is to be used for: the one named, or its first. */
static krb5_error_code keytab_principal(const Ticket *ticket, krb5_context context,
                                        krb5_keytab keytab, krb5_principal *ret)
{
  krb5_keytab_entry entry;
  krb5_kt_cursor cursor;
  krb5_error_code code;
  if (ticket->principal) {
    krb5_principal wanted;
    code = krb5_parse_name(context, ticket->principal, &wanted);
    if (code != 0)
      return code;
    code = krb5_kt_get_entry(context, keytab, wanted, 0, 0, &entry);
    krb5_free_principal(context, wanted);
  } else {
    code = krb5_kt_start_seq_get(context, keytab, &cursor);
    if (code != 0)
      return code;
    code = krb5_kt_next_entry(context, keytab, &entry, &cursor);
    krb5_kt_end_seq_get(context, keytab, &cursor);
  }
  if (code == 0) {
    code = krb5_copy_principal(context, entry.principal, ret);
    krb5_free_keytab_entry_contents(context, &entry);
  }
  return code;
}

/* Opens the keytab; *RET_KEYTAB and *RET_PRINCIPAL are the caller's to free, NULL on failure. */
static gboolean open_keytab(const Ticket *ticket, krb5_context context, krb5_keytab *ret_keytab,
                            krb5_principal *ret_principal, GError **error)
{
  krb5_error_code code = krb5_kt_resolve(context, ticket->keytab, ret_keytab);
  if (code == 0)
    code = keytab_principal(ticket, context, *ret_keytab, ret_principal);
  if (code != 0)
    g_propagate_error(error, ticket_keytab_error(context, code, ticket->keytab, ticket->principal));
  return code == 0;
}

static gboolean ask_with_keytab(const Ticket *ticket, Wallet *wallet, GError **error)
{
  krb5_keytab keytab = NULL;
  krb5_principal principal = NULL;
  krb5_get_init_creds_opt *flags = NULL;
  krb5_creds creds = {0};
  gboolean good = open_keytab(ticket, wallet->context, &keytab, &principal, error);
  if (good) {
    krb5_error_code code = krb5_get_init_creds_opt_alloc(wallet->context, &flags);
    if (code == 0) {
      krb5_get_init_creds_opt_set_forwardable(flags, 1); /* or the KDC lets nobody be acted for */
      code = krb5_get_init_creds_keytab(wallet->context, &creds, principal, keytab, 0, NULL, flags);
    }
    if (code == 0)
      code = wallet_open(wallet, principal);
    if (code == 0)
      code = wallet_add(wallet, &creds);
    if (code != 0)
      g_propagate_error(error, ticket_error(wallet->context, code, ticket->keytab));
    good = code == 0;
  }
  krb5_free_cred_contents(wallet->context, &creds);
  krb5_get_init_creds_opt_free(wallet->context, flags);
  krb5_free_principal(wallet->context, principal);
  if (keytab)
    krb5_kt_close(wallet->context, keytab);
  return good;
}

/* With the keytab, from the last quarter of the tickets' life on. */
static gboolean get_by_keytab(Ticket *ticket, GError **error)
{
  gint64 now = g_get_monotonic_time();
  if (ticket->wallet && (now < ticket->renew_at || !RULE("krb-keytab-renew")))
    return TRUE;
  g_autoptr(GError) why = NULL;
  g_autoptr(Wallet) wallet = wallet_new(&why);
  if (wallet && ask_with_keytab(ticket, wallet, &why)) {
    ticket->renew_at = now + (wallet->end - wallet_now(wallet)) * G_USEC_PER_SEC * 3 / 4;
    adopt(ticket, g_steal_pointer(&wallet));
    return TRUE;
  }
  if (ticket->wallet && ticket->wallet->end > wallet_now(ticket->wallet)) {
    log_debug("net", "Kerberos: no new ticket yet: %s", why->message);
    ticket->renew_at = now + RETRY_US;
    return TRUE;
  }
  g_propagate_error(error, g_steal_pointer(&why));
  return FALSE;
}

/* The user's part, as long as its ticket for SERVICE lasts. */
static gboolean act(Ticket *ticket, const krb5_creds *wanted, GError **error)
{
  Wallet *acting = ticket->acting;
  if (acting && acting->end > wallet_now(acting))
    return TRUE;
  g_clear_pointer(&ticket->acting, wallet_free);
  g_autofree char *service = wallet_unparse(ticket->wallet->context, wanted->server);
  ticket->acting = s4u_wallet(ticket->wallet, ticket->impersonate, service, error);
  return ticket->acting != NULL;
}

/* Forgets the ticket for the service, when another can be had. */
static void forget(Ticket *ticket, krb5_creds *wanted)
{
  Wallet *wallet = ticket->wallet;
  krb5_creds *found = NULL;
  g_clear_pointer(&ticket->acting, wallet_free);
  if (wallet->may_ask &&
      krb5_get_credentials(wallet->context, KRB5_GC_CACHED, wallet->cache, wanted, &found) == 0)
    krb5_cc_remove_cred(wallet->context, wallet->cache, 0, found);
  krb5_free_creds(wallet->context, found);
}

/* Whose ticket, for what; krb5_free_cred_contents() it. */
static krb5_error_code say_wanted(const Ticket *ticket, krb5_context context, krb5_creds *ret)
{
  krb5_error_code code =
      krb5_sname_to_principal(context, ticket->host, "HTTP", KRB5_NT_SRV_HST, &ret->server);
  if (code == 0)
    code = krb5_parse_name(context, ticket->impersonate ? ticket->impersonate : ticket->wallet->as,
                           &ret->client);
  return code;
}

krb5_creds *ticket_get(Ticket *ticket, gboolean afresh, krb5_context *ret_context, GError **error)
{
  if (ticket->keytab ? !get_by_keytab(ticket, error) : !get_from_cache(ticket, error))
    return NULL;
  Wallet *wallet = ticket->wallet;
  krb5_context context = wallet->context; /* outlives `acting` */
  krb5_creds wanted = {0}, *found = NULL;
  krb5_error_code code = say_wanted(ticket, context, &wanted);
  if (code == 0 && afresh)
    forget(ticket, &wanted);
  gboolean good = code == 0 && (!ticket->impersonate || act(ticket, &wanted, error));
  if (good && ticket->impersonate) {
    code = krb5_get_credentials(ticket->acting->context, KRB5_GC_CACHED, ticket->acting->cache,
                                &wanted, &found);
    ticket->acting->end = found ? (gint64)(guint32)found->times.endtime : 0;
  } else if (good) {
    code = krb5_get_credentials(context, 0, wallet->cache, &wanted, &found);
  }
  if (code != 0) {
    g_autofree char *service = g_strconcat("HTTP/", ticket->host, NULL);
    g_propagate_error(error, ticket_error(context, code, service));
  }
  krb5_free_cred_contents(context, &wanted);
  *ret_context = context;
  return found;
}

static gboolean look_at_keytab(const Ticket *ticket, Wallet *wallet, GError **error)
{
  krb5_keytab keytab = NULL;
  krb5_principal principal = NULL;
  gboolean good = open_keytab(ticket, wallet->context, &keytab, &principal, error);
  if (good && ticket->impersonate) {
    wallet->as = full_name(wallet->context, ticket->impersonate);
    good = wallet->as != NULL;
    if (!good)
      error_set(error, EACCES, SCOPE_SIGN_IN, "%s is no Kerberos name: correct it",
                ticket->impersonate);
  } else if (good)
    wallet->as = wallet_unparse(wallet->context, principal);
  krb5_free_principal(wallet->context, principal);
  if (keytab)
    krb5_kt_close(wallet->context, keytab);
  return good;
}

gboolean ticket_look(const Ticket *ticket, char **ret_as, GError **error)
{
  g_autoptr(Wallet) wallet = ticket->keytab ? wallet_new(error) : read_cache(ticket, error);
  if (!wallet || (ticket->keytab && !look_at_keytab(ticket, wallet, error)))
    return FALSE;
  if (ret_as)
    *ret_as = g_steal_pointer(&wallet->as);
  return TRUE;
}

Ticket *ticket_new(const char *host, const HttpKerberos *options)
{
  Ticket *ticket = g_new0(Ticket, 1);
  ticket->host = g_strdup(host);
  ticket->options = *options;
  ticket->options.ccache = ticket->ccache = g_strdup(options->ccache);
  ticket->options.keytab = ticket->keytab = g_strdup(options->keytab);
  ticket->options.principal = ticket->principal = g_strdup(options->principal);
  ticket->impersonate = options->keytab && RULE("krb-act") ? g_strdup(options->impersonate) : NULL;
  ticket->options.impersonate = ticket->impersonate;
  return ticket;
}

void ticket_free(Ticket *ticket)
{
  if (!ticket)
    return;
  g_clear_pointer(&ticket->acting, wallet_free);
  g_clear_pointer(&ticket->wallet, wallet_free);
  g_free(ticket->host);
  g_free(ticket->ccache);
  g_free(ticket->keytab);
  g_free(ticket->principal);
  g_free(ticket->impersonate);
  g_free(ticket);
}
