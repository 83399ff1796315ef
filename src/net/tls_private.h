/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to tls.c (the policy), tls_seen.c (watching a handshake) and tls_explain.c (the
 * sentences): what they share.
 */
#pragma once

#include "net/tls.h"

#include <openssl/ssl.h>

struct TlsPolicy {
  char *cacert, *pin;
  char *proxy;            /* is spoken to by TLS; NULL: there is none such */
  X509 *cert;             /* ours, or NULL */
  STACK_OF(X509) * chain; /* what stands behind it in its file */
  EVP_PKEY *key;
  guint min; /* 10 ... 13 */
};

/* A certificate as a person is told of it: cut to size, nothing in it that is not printable. */
typedef struct {
  char *subject, *issuer; /* RFC 4514; NULL: no certificate was seen */
  char *from, *until;     /* "2026-11-24T10:15:00Z" */
  char *names;            /* of hosts, "a.example, 127.0.0.1" */
} TlsCert;

struct TlsSeen {
  const TlsPolicy *policy;
  guint contexts;   /* peers spoken to: the proxy, then the server */
  gboolean asked;   /* the peer wants a certificate of ours */
  int alert;        /* the last fatal alert (RFC 8446 section 6) the peer sent; 0: none */
  long verify;      /* X509_V_OK, or what was found first */
  TlsCert server;   /* the peer's own */
  TlsCert failed;   /* the one of its chain that `verify` speaks of */
  gboolean is_leaf; /* both are the same */
};

/* TRUE while SEEN speaks of the proxy, not of the server: it comes first on each connection. */
gboolean tls_seen_is_proxy(const TlsSeen *seen);

/* Lets SEEN, with a reference, watch the handshakes of CONTEXT. */
void tls_seen_watch(TlsSeen *seen, SSL_CTX *context);
