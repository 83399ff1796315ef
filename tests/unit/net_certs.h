/* SPDX-License-Identifier: Apache-2.0 */
/* Certificates made on the fly, and a handshake in memory, for the tests of TLS. */
#pragma once

#include <glib.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <string.h>

#define DAY 86400L

typedef struct {
  X509 *x509;
  EVP_PKEY *key;
} Pair;

typedef struct {
  const char *name; /* CN; bytes, NAME_LEN of them, 0: a string */
  int name_len;
  const char *hosts;  /* "DNS:localhost,IP:127.0.0.1", or NULL */
  const Pair *issuer; /* NULL: signed by itself */
  long from, until;   /* seconds from now; both 0: from yesterday until tomorrow */
  gboolean is_authority;
} Wish;

static inline void add_extension(X509 *x509, int kind, const char *value)
{
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);
  X509_add_ext(x509, extension, -1);
  X509_EXTENSION_free(extension);
}

static inline Pair pair_new(Wish wish)
{
  static long serial = 1;
  Pair pair = {X509_new(), EVP_EC_gen("P-256")};
  X509_set_version(pair.x509, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(pair.x509), serial++);
  gboolean plain = wish.from == 0 && wish.until == 0;
  X509_gmtime_adj(X509_getm_notBefore(pair.x509), plain ? -DAY : wish.from);
  X509_gmtime_adj(X509_getm_notAfter(pair.x509), plain ? DAY : wish.until);
  X509_set_pubkey(pair.x509, pair.key);
  X509_NAME_add_entry_by_NID(X509_get_subject_name(pair.x509), NID_commonName, MBSTRING_UTF8,
                             (const guchar *)wish.name, wish.name_len ? wish.name_len : -1, -1, 0);
  X509_set_issuer_name(pair.x509,
                       X509_get_subject_name(wish.issuer ? wish.issuer->x509 : pair.x509));
  if (wish.is_authority)
    add_extension(pair.x509, NID_basic_constraints, "critical,CA:TRUE");
  if (wish.hosts)
    add_extension(pair.x509, NID_subject_alt_name, wish.hosts);
  X509_sign(pair.x509, wish.issuer ? wish.issuer->key : pair.key, EVP_sha256());
  return pair;
}

static inline void pair_free(Pair pair)
{
  X509_free(pair.x509);
  EVP_PKEY_free(pair.key);
}

/* PEM files; the key is encrypted with PASSWORD unless that is NULL. */
static inline void write_cert(const char *path, const Pair *pair)
{
  FILE *file = fopen(path, "w");
  PEM_write_X509(file, pair->x509);
  fclose(file);
}

static inline void write_key(const char *path, const Pair *pair, const char *password)
{
  FILE *file = fopen(path, "w");
  PEM_write_PrivateKey(file, pair->key, password ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
                       (void *)password);
  fclose(file);
}

/* Two ends that talk to each other in memory; each end's SSL is freed with it. */
typedef struct {
  SSL *client, *server;
} Wire;

static inline Wire wire_new(SSL_CTX *client, SSL_CTX *server)
{
  Wire wire = {SSL_new(client), SSL_new(server)};
  BIO *left, *right;
  BIO_new_bio_pair(&left, 0, &right, 0);
  SSL_set_bio(wire.client, left, left);
  SSL_set_bio(wire.server, right, right);
  SSL_set_connect_state(wire.client);
  SSL_set_accept_state(wire.server);
  return wire;
}

/* Lets both go on until neither moves; TRUE when the client is through. */
static inline gboolean wire_run(Wire wire)
{
  for (int i = 0; i < 20; i++) {
    char byte;
    SSL_do_handshake(wire.client);
    SSL_do_handshake(wire.server);
    SSL_read(wire.server, &byte, 1);
    SSL_read(wire.client, &byte, 1);
  }
  return SSL_is_init_finished(wire.client);
}

static inline void wire_free(Wire wire)
{
  SSL_free(wire.client);
  SSL_free(wire.server);
}
