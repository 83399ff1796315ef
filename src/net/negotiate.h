/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: Kerberos with explicit tickets, so that one process can speak for many users and
 * no thread's or library's default matters. Makes the token of an "Authorization: Negotiate"
 * header (RFC 4559); one token is one request, which is why a body is never sent in vain.
 */
#pragma once

#include "net/http.h"

typedef struct Negotiate Negotiate;

/* For the service HTTP@HOST. Copies OPTIONS. Looks at nothing yet. The user's cache is only read.
 */
Negotiate *negotiate_new(const char *host, const HttpKerberos *options);
/* NULL is fine; no call may be under way. Does not wait for a KDC that a call gave up on. */
void negotiate_free(Negotiate *negotiate);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Negotiate, negotiate_free)

/*
 * There is a ticket (or a keytab to get one): *RET_AS, when not NULL, is whose. FALSE with the
 * reason and the next step (no ticket, expired, not the owner's file): EACCES, SCOPE_SIGN_IN. Reads
 * files; asks no KDC.
 */
gboolean negotiate_ready(Negotiate *negotiate, char **ret_as, GError **error);

/*
 * A fresh header line "Authorization: Negotiate BASE64", to be freed with negotiate_line_free(),
 * which wipes it. May ask the KDC: that happens on a thread of its own, so CANCEL (EINTR) and
 * DEADLINE (monotonic microseconds; ETIMEDOUT) end the wait. EACCES, SCOPE_SIGN_IN: no ticket,
 * expired, clock skew, no such service in the realm, not allowed to act for the user;
 * EHOSTUNREACH: no KDC answers. A ticket renewed or obtained meanwhile is found.
 */
char *negotiate_line(Negotiate *negotiate, Cancel *cancel, gint64 deadline, GError **error);
void negotiate_line_free(char *line);

/*
 * The server refused a line: the next is made with a ticket that the KDC gives anew, once a minute
 * at most, in case the server's key was changed. Does not block.
 */
void negotiate_refused(Negotiate *negotiate);

/*
 * Why a server refused the token, from the value of its WWW-Authenticate header, when that says
 * (clock skew, a key it does not have); else NULL. The caller frees it.
 */
char *negotiate_explain(Negotiate *negotiate, const char *challenge);
