/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: the Kerberos tickets that speak for one user at one service, gathered in a cache
 * in memory: copied from the user's cache, or obtained with a keytab. The user's cache is only
 * read.
 */
#pragma once

#include "net/http.h"

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
 * Makes the tickets ready for use: copies the user's cache when it has changed, gets new ones with
 * the keytab in time, asks for the one for the service. AFRESH: that one anew, the server refused
 * it. May ask the KDC, for as long as libkrb5 likes. One thread at a time. EACCES, SCOPE_SIGN_IN:
 * none, expired, refused by the KDC; EHOSTUNREACH, SCOPE_LINE: no KDC answers.
 */
gboolean ticket_get(Ticket *ticket, gboolean afresh, GError **error);

/* Of what ticket_get() made ready; valid until the next call of it. Borrowed. */
const char *ticket_cache(const Ticket *ticket);   /* "MEMORY:…" */
const char *ticket_service(const Ticket *ticket); /* "HTTP/HOST@REALM" */
/* Moves when the tickets of the cache are others than before. */
guint ticket_generation(const Ticket *ticket);
