/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: a set of Kerberos tickets of one user in memory. Each has a library context of
 * its own: the clock's difference to the KDC, which a cache brings along, is kept there, and only
 * the first that comes is taken.
 */
#pragma once

#include <glib.h>
#include <krb5/krb5.h>

typedef struct {
  krb5_context context;
  krb5_ccache cache; /* NULL before wallet_open() */
  char *name;        /* of CACHE: "MEMORY:…" */
  char *as;          /* whose: "alice@REALM" */
  char *stamp;       /* a hash of the tickets it was filled with */
  gint64 end;        /* seconds since 1970, by the KDC's clock: when they end; 0: there are none */
  gboolean may_ask;  /* holds a ticket to get others with */
} Wallet;

/* One without tickets. NULL with ERROR when libkrb5 cannot read its configuration. */
Wallet *wallet_new(GError **error);
void wallet_free(Wallet *wallet);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Wallet, wallet_free)

/* Makes the empty cache, PRINCIPAL's. Once. */
krb5_error_code wallet_open(Wallet *wallet, krb5_principal principal);

/* Adds a ticket. */
krb5_error_code wallet_add(Wallet *wallet, krb5_creds *creds);

/* Opens WALLET as that of FROM's owner and copies all of FROM. Reads a file, asks nobody. */
krb5_error_code wallet_copy(Wallet *wallet, krb5_ccache from);

/* By the KDC's clock, as far as its difference is known; seconds since 1970. */
gint64 wallet_now(const Wallet *wallet);

/* FALSE with EACCES when the tickets have ended, or there are none. NAME: where they are from. */
gboolean wallet_check(const Wallet *wallet, const char *name, GError **error);

/* The name in full; "?" when libkrb5 cannot say. The caller frees it. */
char *wallet_unparse(krb5_context context, krb5_const_principal principal);
