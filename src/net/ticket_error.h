/* SPDX-License-Identifier: Apache-2.0 */
/* Private to net/: what libkrb5's error codes mean to a user, as one sentence with the next step.
 */
#pragma once

#include "base/error.h"

#include <krb5/krb5.h>

/*
 * WHAT is the cache, keytab or service that the call was about. CONTEXT may be NULL. EACCES,
 * SCOPE_SIGN_IN; EHOSTUNREACH, SCOPE_LINE when no KDC answered.
 */
GError *ticket_error(krb5_context context, krb5_error_code code, const char *what);

/* For KEYTAB that has no key for PRINCIPAL (NULL: for anybody), or cannot be read. */
GError *ticket_keytab_error(krb5_context context, krb5_error_code code, const char *keytab,
                            const char *principal);

/* For the service ACTS that was not given a ticket of USER for SERVICE. */
GError *ticket_s4u_error(krb5_context context, krb5_error_code code, const char *acts,
                         const char *user, const char *service);

/*
 * What the KRB-ERROR in CHALLENGE ("Negotiate BASE64", from a server that refused a token) says, as
 * the rest of a sentence; NULL when there is none. The caller frees it.
 */
char *ticket_challenge_text(const char *challenge);
