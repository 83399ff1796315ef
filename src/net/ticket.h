/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: the Kerberos tickets that speak for one user at one service, gathered in a cache
 * in memory: copied from the user's cache, or obtained with a keytab. The user's cache is only
 * read.
 */
#pragma once

#include "net/http.h"

#include <krb5/krb5.h>

typedef struct Ticket Ticket;

/* For the service HTTP at HOST. Copies OPTIONS, looks at nothing. */
Ticket *ticket_new(const char *host, const HttpKerberos *options);
void ticket_free(Ticket *ticket); /* NULL is fine */

/*
 * Whether there are tickets, or a keytab to get them with; *RET_AS, when not NULL, is whose. Reads
 * files, asks no KDC. Any thread, at any time. EACCES, SCOPE_SIGN_IN with the next step.
 */
gboolean ticket_look(const Ticket *ticket, char **ret_as, GError **error);

/*
 * The ticket for the service: copies the user's cache when it has changed, gets new tickets with
 * the keytab in time, acts for the user, asks for the one wanted. AFRESH: that one anew, the server
 * refused it. Owned by the caller (krb5_free_creds() with *RET_CONTEXT, which is borrowed until the
 * next call). May ask the KDC, for as long as libkrb5 likes. One thread at a time. NULL with
 * EACCES, SCOPE_SIGN_IN: none, expired, refused by the KDC; EHOSTUNREACH, SCOPE_LINE: no KDC
 * answers.
 */
krb5_creds *ticket_get(Ticket *ticket, gboolean afresh, krb5_context *ret_context, GError **error);
