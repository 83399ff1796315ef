/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How one may sign in, as pure decisions: what a server offers, what we may use, which of it is
 * taken. No state, no I/O (protocol note WebDAV, section 3).
 */
#pragma once

#include "net/http.h"

/* What there is to sign in with. */
typedef struct {
  const char *user;      /* named, or NULL */
  gboolean password;     /* a user name, and a password that can be had */
  gboolean ticket;       /* a Kerberos ticket, or a keytab to get one with */
  gboolean token;        /* a command that prints a bearer token */
  gboolean readable;     /* what is sent can be read on its way, and that was not allowed */
  const char *no_ticket; /* why there is no ticket, with the next step, or NULL */
} AuthMeans;

/* The schemes that RESPONSE, a 401, names (RFC 9110 section 11.6.1); those we do not know are 0. */
guint auth_offered(const HttpResponse *response);

/*
 * The strongest of OFFERED that is in ALLOWED and for which there are MEANS: bearer, negotiate,
 * forms, ntlm, basic, in this order. 0: none.
 */
HttpAuth auth_choose(guint offered, guint allowed, const AuthMeans *means);

/*
 * Why auth_choose() found nothing, with the next step: what ORIGIN offers, what is allowed, what is
 * missing. EACCES.
 */
GError *auth_refusal(const char *origin, guint offered, guint allowed, const AuthMeans *means);

/* "Negotiate, NTLM", for a sentence; "nothing" for 0. The caller frees it. */
char *auth_names(guint schemes);
