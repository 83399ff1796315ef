/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the sentences about handshakes that failed: whose certificate, why, what to do. Pure. */
#include "net/tls_private.h"

#include "base/error.h"
#include "base/rule.h"

#include <errno.h>
#include <openssl/err.h>
#include <string.h>
#include <time.h>

/* Fatal alerts of a peer (RFC 8446 section 6.2). */
enum {
  ALERT_HANDSHAKE_FAILURE = 40,
  ALERT_BAD_CERTIFICATE = 42,
  ALERT_UNKNOWN_CA = 48,
  ALERT_ACCESS_DENIED = 49,
  ALERT_DECRYPT_ERROR = 51,
  ALERT_PROTOCOL_VERSION = 70,
  ALERT_INSUFFICIENT_SECURITY = 71,
  ALERT_CERTIFICATE_REQUIRED = 116,
};

/* What is known of one failure. */
typedef struct {
  const TlsPolicy *policy;
  const TlsSeen *seen;
  CURLcode code;
  const char *detail; /* libcurl's, with OpenSSL's words in it; never shown */
  const char *peer;
} Case;

typedef struct {
  long verify;
  const char *cause, *next_step; /* NULL: the clock, told with its time */
} Fault;

#define TRUST_IT "compare it with what the server's operator says, then give it with cacert=FILE"
#define TRUST_CA                                                                                   \
  "give that authority's certificate, which the server's operator has, with cacert=FILE"
#define REPLACE "the server's operator must replace it"
#define TOO_WEAK "the server's operator must replace it; tls_min=1.0 takes it as it is"

static const Fault faults[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, "has expired", NULL},
    {X509_V_ERR_CERT_NOT_YET_VALID, "is not valid yet", NULL},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "is signed by itself and not trusted here", TRUST_IT},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "is of an authority that is not trusted here", TRUST_CA},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "was issued by an authority that is not trusted here",
     TRUST_CA},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
     "was issued by an authority that is not trusted here", TRUST_CA},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
     "was issued by an authority that is not trusted here", TRUST_CA},
    {X509_V_ERR_EE_KEY_TOO_SMALL, "has a key too short to be safe", TOO_WEAK},
    {X509_V_ERR_CA_KEY_TOO_SMALL, "has a key too short to be safe", TOO_WEAK},
    {X509_V_ERR_CA_MD_TOO_WEAK, "is signed in a way no longer safe", TOO_WEAK},
    {X509_V_ERR_CERT_SIGNATURE_FAILURE, "has a wrong signature", REPLACE},
    {X509_V_ERR_CERT_REVOKED, "was revoked", REPLACE},
    {X509_V_ERR_INVALID_PURPOSE, "is not one for servers", REPLACE},
    {X509_V_ERR_INVALID_CA, "is used as an authority's and is none", REPLACE},
};

static char *cert_text(const TlsCert *cert)
{
  if (!cert->subject)
    return g_strdup("the certificate");
  return g_strdup_printf("the certificate of %s, issued by %s, valid from %s until %s,",
                         cert->subject, cert->issuer, cert->from, cert->until);
}

static GError *sentence(const Case *c, const char *subject, const char *cause,
                        const char *next_step)
{
  return error_new(EPROTO, SCOPE_LINE, "%s: %s %s: %s", c->peer, subject, cause, next_step);
}

static GError *explain_verify(const Case *c)
{
  const TlsSeen *seen = c->seen;
  const TlsCert *cert = seen->failed.subject ? &seen->failed : &seen->server;
  Fault fault = {seen->verify, X509_verify_cert_error_string(seen->verify), REPLACE};
  for (gsize i = 0; i < G_N_ELEMENTS(faults); i++)
    if (faults[i].verify == seen->verify)
      fault = faults[i];
  g_autofree char *what = cert_text(cert);
  if (fault.next_step)
    return sentence(c, what, fault.cause, fault.next_step);
  g_autoptr(GDateTime) now = g_date_time_new_now_utc();
  g_autofree char *clock = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
  g_autofree char *next_step = g_strdup_printf("check this machine's clock (it says %s), else "
                                               "the server's operator must renew it",
                                               clock);
  return sentence(c, what, fault.cause, next_step);
}

static GError *explain_name(const Case *c)
{
  const TlsCert *cert = c->seen ? &c->seen->server : &(TlsCert){0};
  g_autofree char *what = cert_text(cert);
  g_autofree char *cause =
      g_strdup_printf("is not for the host of this address but for %s",
                      cert->names && *cert->names ? cert->names : "none that it names");
  return sentence(c, what, cause, "use a name that it has, or correct the address");
}

static GError *explain_pin(const Case *c)
{
  g_autofree char *what = cert_text(c->seen ? &c->seen->server : &(TlsCert){0});
  return sentence(c, what, "has another public key than pin= says",
                  "ask the server's operator whether the key was changed, and give the new pin=; "
                  "if not, somebody is in between");
}

static gboolean says(const Case *c, const char *words)
{
  return c->detail && strstr(c->detail, words);
}

/* The peer wants to see a certificate of ours, or dislikes the one it saw. */
static GError *explain_ours(const Case *c)
{
  if (!c->policy->cert)
    return sentence(c, "the server", "demands a certificate of yours",
                    "give it with cert=FILE and key=FILE");
  return sentence(c, "the server", "does not take the certificate that cert= names",
                  "ask its operator which authority must have issued it, and check its dates");
}

static gboolean is_about_ours(const Case *c)
{
  int alert = c->seen ? c->seen->alert : 0;
  gboolean disliked = (alert >= ALERT_BAD_CERTIFICATE && alert <= ALERT_ACCESS_DENIED) ||
                      alert == ALERT_HANDSHAKE_FAILURE || alert == ALERT_DECRYPT_ERROR;
  return alert == ALERT_CERTIFICATE_REQUIRED || says(c, "certificate required") ||
         (disliked && c->seen->asked);
}

#define OR_TOO_OLD                                                                                 \
  "; where even that fails, it has nothing but RC4 and 3DES: patch the server, or put a TLS "      \
  "proxy "                                                                                         \
  "in front"

static GError *explain_version(const Case *c)
{
  guint min = c->policy->min;
  g_autofree char *cause =
      g_strdup_printf("does not speak TLS 1.%u%s", min - 10, min < 13 ? " or newer" : "");
  if (min > 12)
    return sentence(c, "the server", cause, "allow older ones with tls_min=1.2");
  if (min > 10)
    return sentence(c, "the server", cause, "allow older ones with tls_min=1.0");
  return sentence(c, "the server", cause, "patch the server, or put a TLS proxy in front");
}

/* Nothing in common, and the peer does not say what was lacking. */
static GError *explain_common(const Case *c)
{
  if (c->policy->min >= 12)
    return sentence(c, "the server", "has no TLS version or cipher in common with us",
                    "an old server may need tls_min=1.0" OR_TOO_OLD);
  return sentence(c, "the server", "has no cipher in common with us",
                  "it has nothing but old ones, such as RC4 and 3DES, which OpenSSL no longer has: "
                  "patch the server, or put a TLS proxy in front");
}

static GError *explain_handshake(const Case *c)
{
  static const char *const old[] = {"unsafe legacy renegotiation", "dh key too small",
                                    "wrong signature type", "no suitable signature algorithm"};
  int alert = c->seen ? c->seen->alert : 0;
  if (alert == ALERT_PROTOCOL_VERSION || says(c, "unsupported protocol") ||
      says(c, "wrong ssl version"))
    return explain_version(c);
  if (alert == ALERT_HANDSHAKE_FAILURE || alert == ALERT_INSUFFICIENT_SECURITY)
    return explain_common(c);
  for (gsize i = 0; i < G_N_ELEMENTS(old); i++)
    if (says(c, old[i]))
      return sentence(c, "the server", "does TLS as it was done before 2010",
                      "patch the server, or take it as it is with tls_min=1.0");
  if (says(c, "wrong version number") || says(c, "packet length too long") ||
      says(c, "unknown protocol") || says(c, "http request"))
    return sentence(c, "the server", "does not speak TLS on this port",
                    "correct the port, or begin the address with http://");
  if (alert || says(c, "SSL routines"))
    return sentence(c, "the server", "and we cannot agree on a secure connection",
                    "check that this port speaks https");
  return sentence(c, "the server", "hung up during the TLS handshake",
                  c->policy->min >= 12
                      ? "check the port and try again; an old server may need "
                        "tls_min=1.0" OR_TOO_OLD
                      : "check the port and try again; a server that has nothing but RC4 and 3DES "
                        "must be patched, or a TLS proxy put in front");
}

static GError *explain_files(const Case *c)
{
  if (c->policy->cacert)
    return error_new(EPROTO, SCOPE_LINE,
                     "%s: the authorities in cacert=%s cannot be read: put the file back", c->peer,
                     c->policy->cacert);
  return error_new(EPROTO, SCOPE_LINE,
                   "%s: this system knows no authority to judge certificates by: install the "
                   "package ca-certificates, or give cacert=FILE",
                   c->peer);
}

GError *tls_explain(const TlsPolicy *policy, const TlsSeen *seen, CURLcode code, const char *detail,
                    const char *origin)
{
  gboolean proxy = seen && seen->policy && tls_seen_is_proxy(seen);
  Case c = {policy, seen, code, detail, proxy ? policy->proxy : origin};
  if (!RULE("tls-explain"))
    return NULL;
  switch (code) {
  case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    return explain_pin(&c);
  case CURLE_SSL_CACERT_BADFILE:
    return explain_files(&c);
  case CURLE_SSL_CLIENTCERT:
  case CURLE_SSL_CERTPROBLEM:
    return explain_ours(&c);
  case CURLE_PEER_FAILED_VERIFICATION:
    return seen && seen->verify != X509_V_OK ? explain_verify(&c) : explain_name(&c);
  case CURLE_SSL_CONNECT_ERROR:
  case CURLE_SSL_CIPHER:
    if (seen && seen->verify != X509_V_OK)
      return explain_verify(&c);
    return is_about_ours(&c) ? explain_ours(&c) : explain_handshake(&c);
  case CURLE_RECV_ERROR: /* TLS 1.3, and any renegotiation: the peer objects after the handshake */
  case CURLE_SEND_ERROR:
    if (is_about_ours(&c))
      return explain_ours(&c);
    return says(&c, " alert ") ? explain_handshake(&c) : NULL;
  default:
    return NULL;
  }
}
