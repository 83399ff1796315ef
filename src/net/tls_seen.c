/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the watching of a handshake: which certificates came, which of them failed, whether ours was
 * asked for, what the peer complained of. All of it is hostile input: bounded, and printable.
 */
#include "net/tls_private.h"

#include "base/rule.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>

#define TEXT_MAX 100 /* characters of a subject, an issuer, a host name */
#define NAMES_MAX 8
#define NAMES_LOOKED_AT 1000

static void cert_clear(TlsCert *cert)
{
  g_free(cert->subject);
  g_free(cert->issuer);
  g_free(cert->from);
  g_free(cert->until);
  g_free(cert->names);
  *cert = (TlsCert){0};
}

/* LEN bytes as text: what is not printable (or turns the direction of writing) becomes '?'. */
static char *plain(const void *bytes, gsize len)
{
  g_autofree char *valid = g_utf8_make_valid(bytes, (gssize)MIN(len, 4 * TEXT_MAX));
  GString *out = g_string_new(NULL);
  guint count = 0;
  for (const char *at = valid; *at && count < TEXT_MAX; at = g_utf8_next_char(at), count++) {
    gunichar c = g_utf8_get_char(at);
    g_string_append_unichar(out, g_unichar_isprint(c) || !RULE("tls-hostile") ? c : '?');
  }
  if (count == TEXT_MAX)
    g_string_append(out, "...");
  return g_string_free(out, FALSE);
}

static char *name_text(const X509_NAME *name)
{
  char *bytes = NULL;
  BIO *bio = BIO_new(BIO_s_mem());
  X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253 & ~(unsigned long)ASN1_STRFLGS_ESC_MSB);
  long len = BIO_get_mem_data(bio, &bytes);
  char *text = plain(bytes ? bytes : "", (gsize)MAX(len, 0));
  BIO_free(bio);
  if (*text)
    return text;
  g_free(text);
  return g_strdup("nobody");
}

static char *date_text(const ASN1_TIME *date)
{
  struct tm utc = {0};
  char text[32] = "";
  if (ASN1_TIME_to_tm(date, &utc) != 1 || !strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc))
    return g_strdup("a date that is none");
  return g_strdup(text);
}

static char *host_text(const GENERAL_NAME *name)
{
  int type;
  const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
  if (type == GEN_DNS)
    return plain(ASN1_STRING_get0_data(value), (gsize)ASN1_STRING_length(value));
  if (type != GEN_IPADD)
    return NULL;
  char text[INET6_ADDRSTRLEN] = "";
  int len = ASN1_STRING_length(value);
  if (len == 4 || len == 16)
    inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(value), text, sizeof text);
  return *text ? g_strdup(text) : NULL;
}

static char *names_text(const X509 *x509)
{
  GString *out = g_string_new(NULL);
  GENERAL_NAMES *names = X509_get_ext_d2i(x509, NID_subject_alt_name, NULL, NULL);
  int count = names ? MIN(sk_GENERAL_NAME_num(names), NAMES_LOOKED_AT) : 0, told = 0;
  for (int i = 0; i < count && told <= NAMES_MAX; i++) {
    g_autofree char *host = host_text(sk_GENERAL_NAME_value(names, i));
    if (!host)
      continue;
    if (told++ == NAMES_MAX)
      g_string_append(out, " and more");
    else
      g_string_append_printf(out, "%s%s", out->len ? ", " : "", host);
  }
  GENERAL_NAMES_free(names);
  return g_string_free(out, FALSE);
}

static void cert_read(TlsCert *cert, const X509 *x509)
{
  cert_clear(cert);
  cert->subject = name_text(X509_get_subject_name(x509));
  cert->issuer = name_text(X509_get_issuer_name(x509));
  cert->from = date_text(X509_get0_notBefore(x509));
  cert->until = date_text(X509_get0_notAfter(x509));
  cert->names = names_text(x509);
}

TlsSeen *tls_seen_new(void)
{
  return g_atomic_rc_box_new0(TlsSeen);
}

static void seen_clear(gpointer data)
{
  TlsSeen *seen = data;
  cert_clear(&seen->server);
  cert_clear(&seen->failed);
}

void tls_seen_unref(TlsSeen *seen)
{
  if (seen)
    g_atomic_rc_box_release_full(seen, seen_clear);
}

gboolean tls_seen_is_proxy(const TlsSeen *seen)
{
  return seen->policy->proxy && seen->contexts % 2 == 1;
}

static void on_context_free(void *parent, void *seen, CRYPTO_EX_DATA *data, int index, long argl,
                            void *argp)
{
  (void)parent, (void)data, (void)index, (void)argl, (void)argp;
  tls_seen_unref(seen);
}

/* Where a context keeps the one that watches it. */
static int seen_index(void)
{
  static gsize once;
  static int number;
  if (g_once_init_enter(&once)) {
    number = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_context_free);
    g_once_init_leave(&once, 1);
  }
  return number;
}

static TlsSeen *seen_of(const SSL *ssl)
{
  return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), seen_index());
}

/* For each certificate of the chain, and for each fault: what is said here of the first fault. */
static int on_verify(int good, X509_STORE_CTX *chain)
{
  const SSL *ssl = X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx());
  TlsSeen *seen = seen_of(ssl);
  const X509 *leaf = X509_STORE_CTX_get0_cert(chain);
  if (leaf && !seen->server.subject)
    cert_read(&seen->server, leaf);
  if (good || seen->verify != X509_V_OK)
    return good;
  const X509 *at = X509_STORE_CTX_get_current_cert(chain);
  seen->verify = X509_STORE_CTX_get_error(chain);
  if (at)
    cert_read(&seen->failed, at);
  seen->is_leaf = !at || X509_STORE_CTX_get_error_depth(chain) == 0;
  return good;
}

static int on_asked(SSL *ssl, void *unused)
{
  (void)unused;
  seen_of(ssl)->asked = TRUE;
  return 1;
}

static void on_info(const SSL *ssl, int where, int what)
{
  TlsSeen *seen = seen_of(ssl);
  if (where & SSL_CB_HANDSHAKE_START) { /* TLS 1.3 calls each later message one */
    seen->verify = X509_V_OK;
    cert_clear(&seen->failed);
  }
  if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && what >> 8 == SSL3_AL_FATAL)
    seen->alert = what & 0xff;
}

void tls_seen_watch(TlsSeen *seen, SSL_CTX *context)
{
  seen->alert = 0;
  seen->asked = FALSE;
  seen->verify = X509_V_OK;
  seen->is_leaf = FALSE;
  seen_clear(seen);
  SSL_CTX_set_ex_data(context, seen_index(), g_atomic_rc_box_acquire(seen));
  SSL_CTX_set_verify(context, SSL_CTX_get_verify_mode(context), on_verify);
  SSL_CTX_set_cert_cb(context, on_asked, NULL);
  SSL_CTX_set_info_callback(context, on_info);
}
