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
 * Copies OPTIONS; the client's certificate and key are read now, so that the key's password is not
 * needed again. ORIGIN is for the sentences; PROXY is the URL of a proxy that is spoken to by TLS,
 * or NULL. EACCES for a file that cannot be read and a key that cannot be opened, EINVAL for one
 * that is no PEM, a key of another certificate, a pin of another form, a min that is none, a pin or
 * certificate where ORIGIN is not https. Under TLS 1.2 one warning goes to the log. Reads files.
 */
TlsPolicy *tls_policy_new(const HttpTls *options, const char *origin, const char *proxy,
                          GError **error);
void tls_policy_free(TlsPolicy *policy); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsPolicy, tls_policy_free)

/*
 * What a connection's handshake showed. The connection holds a reference of its own, because a
 * server may renegotiate when the request that opened the connection is long over. Written on the
 * net thread.
 */
typedef struct TlsSeen TlsSeen;
TlsSeen *tls_seen_new(void);
void tls_seen_unref(TlsSeen *seen); /* NULL is fine; any thread */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(TlsSeen, tls_seen_unref)

/*
 * Puts the policy on EASY; SEEN is filled while the handshake runs. Both must outlive EASY, POLICY
 * its connections too.
 */
void tls_apply(const TlsPolicy *policy, CURL *easy, TlsSeen *seen);

/*
 * One sentence for a handshake that failed with CODE (DETAIL: libcurl's text) at ORIGIN: cause, and
 * next step (cacert=, the right name, pin=, tls_min=, ...). EPROTO, SCOPE_LINE. NULL when neither
 * CODE nor SEEN tells of trouble with TLS. SEEN may be NULL.
 */
GError *tls_explain(const TlsPolicy *policy, const TlsSeen *seen, CURLcode code, const char *detail,
                    const char *origin);
