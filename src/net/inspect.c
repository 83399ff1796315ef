/* SPDX-License-Identifier: Apache-2.0 */
/* Owns looking at a handshake and a ticket for a report; leaves requests and sign-in to others. */
#include "net/inspect.h"

#include "base/error.h"
#include "net/engine.h"
#include "net/session_private.h"
#include "net/tls_private.h"

#include <errno.h>

void http_tls_facts_clear(HttpTlsFacts *facts)
{
  g_free(facts->version);
  g_free(facts->cipher);
  g_free(facts->subject);
  g_free(facts->issuer);
  g_free(facts->from);
  g_free(facts->until);
  g_free(facts->names);
  *facts = (HttpTlsFacts){0};
}

typedef struct {
  CURL *easy;
  HttpTlsFacts *facts;
} Look;

/* The handshake is over and the request not yet sent: it never is. */
static int on_ready(void *data, char *ip, char *own_ip, int port, int own_port)
{
  (void)ip, (void)own_ip, (void)port, (void)own_port;
  Look *look = data;
  const struct curl_tlssessioninfo *info = NULL;
  if (curl_easy_getinfo(look->easy, CURLINFO_TLS_SSL_PTR, &info) == CURLE_OK && info &&
      info->backend == CURLSSLBACKEND_OPENSSL && info->internals) {
    const SSL *ssl = info->internals;
    look->facts->version = g_strdup(SSL_get_version(ssl));
    look->facts->cipher = g_strdup(SSL_get_cipher_name(ssl));
  }
  return CURL_PREREQFUNC_ABORT;
}

gboolean http_inspect_tls(HttpClient *client, HttpTlsFacts *out, GError **error)
{
  const NetConfig *config = http_client_config(client);
  const Site *site = config->sites->pdata[0];
  char detail[CURL_ERROR_SIZE] = "";
  g_autoptr(TlsSeen) seen = tls_seen_new();
  CURL *easy = curl_easy_init();
  Look look = {easy, out};
  config_apply(config, site, easy, "/", seen);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)(config->connect_us / 1000));
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_ready);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, &look);
  CURLcode code = curl_easy_perform(easy);
  curl_easy_cleanup(easy);

  gboolean theirs = !tls_seen_is_proxy(seen);
  out->subject = g_strdup(theirs ? seen->server.subject : NULL);
  out->issuer = g_strdup(theirs ? seen->server.issuer : NULL);
  out->from = g_strdup(theirs ? seen->server.from : NULL);
  out->until = g_strdup(theirs ? seen->server.until : NULL);
  out->names = g_strdup(theirs ? seen->server.names : NULL);
  if (out->version)
    return TRUE;
  GError *why = tls_explain(config->tls, seen, code, detail, site->origin);
  if (!why)
    why = error_new(EHOSTUNREACH, SCOPE_LINE, "%s cannot be reached by TLS: %s: check the address",
                    site->origin, curl_easy_strerror(code));
  g_propagate_error(error, why);
  return FALSE;
}

gboolean http_inspect_ticket(HttpClient *client, char **ret_as, GError **error)
{
  const Site *site = http_client_config(client)->sites->pdata[0];
  if (!site->session->negotiate)
    return error_set(error, EACCES, SCOPE_SIGN_IN, "not looked for: sec= leaves Kerberos out");
  return negotiate_ready(site->session->negotiate, ret_as, error);
}
