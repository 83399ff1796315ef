/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: what TLS may be (OpenSSL, by way of libcurl) and why it could not be: the
 * sentence names the certificate's subject, issuer and dates.
 */
#pragma once

#include "net/http.h"

#include <curl/curl.h>

typedef struct TlsPolicy TlsPolicy;

/*
 * Copies OPTIONS. EACCES for a file that cannot be read, EINVAL for one that is no PEM, a pin of
 * another form, a min that is none. Under TLS 1.2 one warning goes to the log.
 */
TlsPolicy *tls_policy_new(const HttpTls *options, GError **error);
void tls_policy_free(TlsPolicy *policy); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsPolicy, tls_policy_free)

/* What one connection's handshake showed; zero to begin with. The net thread's own. */
typedef struct {
  char *subject, *issuer, *from, *until; /* of the server's certificate; NULL: none was seen */
  long verify;                           /* X509_V_OK, or what OpenSSL's check of the chain found */
  char *failed_at; /* subject of the certificate in the chain that failed, or NULL */
} TlsSeen;
void tls_seen_clear(TlsSeen *seen);

/* Puts the policy on EASY; SEEN is filled while the handshake runs and must outlive EASY. */
void tls_apply(const TlsPolicy *policy, CURL *easy, TlsSeen *seen);

/*
 * One sentence for a handshake that failed with CODE (DETAIL: libcurl's text) at ORIGIN: cause, and
 * next step (cacert=, the right name, pin=, tls_min=, ...). EPROTO, SCOPE_LINE. NULL when CODE is
 * none of TLS.
 */
GError *tls_explain(const TlsPolicy *policy, const TlsSeen *seen, CURLcode code, const char *detail,
                    const char *origin);
