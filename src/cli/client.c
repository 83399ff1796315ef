/* SPDX-License-Identifier: Apache-2.0 */
/* Owns which options mean what to net/; leaves secrets to credentials.c. */
#include "cli/client.h"

#include "base/error.h"
#include "cli/expand.h"

#include <errno.h>
#include <string.h>

#define CONNECT_MS 10000

/* What -o sec= allows, in the order of SecKind. */
static const guint schemes[] = {
    [SEC_AUTO] = HTTP_AUTH_ALL,
    [SEC_NEGOTIATE] = HTTP_AUTH_NEGOTIATE,
    [SEC_NTLM] = HTTP_AUTH_NTLM,
    [SEC_BASIC] = HTTP_AUTH_BASIC,
    [SEC_FORMS] = HTTP_AUTH_FORMS,
    [SEC_BEARER] = HTTP_AUTH_BEARER,
    [SEC_NONE] = 0,
};

static guint find_schemes(const Options *options, const ClientWho *who)
{
  guint allowed = schemes[options->sec];
  return who->many ? allowed & HTTP_AUTH_NEGOTIATE : allowed; /* nothing else tells users apart */
}

/* The origins of servers=, each a URL without a path or a bare host. */
static gboolean find_servers(const Options *options, const Source *source, GPtrArray *out,
                             GError **error)
{
  g_autofree char *scheme = g_uri_parse_scheme(source->origin);
  for (guint i = 0; options->servers && i < options->servers->len; i++) {
    const char *given = options->servers->pdata[i];
    g_autofree char *url =
        strstr(given, "://") ? g_strdup(given) : g_strconcat(scheme, "://", given, NULL);
    g_auto(Source) server = {0};
    if (!source_parse(url, &server, error))
      return FALSE;
    if (strcmp(server.path, "/") != 0)
      return error_set(error, EINVAL, SCOPE_LOCAL,
                       "servers=%s holds a path: name the server alone, it has the same folders",
                       given);
    if (strcmp(server.origin, source->origin) != 0)
      g_ptr_array_add(out, g_steal_pointer(&server.origin));
  }
  g_ptr_array_add(out, NULL);
  return TRUE;
}

static gboolean read_password(const char *file, Secret **ret, GError **error)
{
  if (!file)
    return TRUE;
  *ret = secret_read_file(file, error);
  return *ret != NULL;
}

HttpClient *client_make(const Options *options, const Source *source, const ClientWho *who,
                        GError **error)
{
  g_autoptr(GPtrArray) servers = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(Secret) key_password = NULL, proxy_password = NULL;
  if (!find_servers(options, source, servers, error) ||
      !read_password(options->key_passwd_file, &key_password, error) ||
      !read_password(options->proxy_passwd_file, &proxy_password, error))
    return NULL;
  g_autofree char *ccache = expand_user(options->ccache, who->name, who->uid);
  g_autofree char *keytab = expand_user(options->keytab, who->name, who->uid);
  g_autofree char *principal = expand_user(options->principal, who->name, who->uid);
  HttpOptions http = {
      .origin = source->origin,
      .servers = (const char *const *)servers->pdata,
      .schemes = find_schemes(options, who),
      .kerberos = {.ccache = ccache,
                   .keytab = keytab,
                   .principal = principal,
                   .impersonate = who->many && keytab ? who->name : NULL,
                   .check_owner = who->many,
                   .owner = who->uid},
      .tls = {.cacert = options->cacert,
              .pin = options->pin,
              .cert = options->cert,
              .key = options->key,
              .key_password = key_password,
              .min = (guint)(10 + options->tls_min)},
      .proxy = {options->proxy, options->proxy_user, proxy_password},
      .connections = (guint)options->connections,
      .connect_ms = (guint)MIN(options->timeo_ms, CONNECT_MS),
      .stall_ms = (guint)options->timeo_ms,
      .insecure_basic = options->insecure_basic,
  };
  if (who->credentials) {
    http.user = credentials_user(who->credentials);
    if (credentials_can(who->credentials))
      http.credentials.password = credentials_password;
    if (options->token_cmd)
      http.credentials.token = credentials_token;
    http.credentials.data = who->credentials;
  }
  return http_client_new(&http, error);
}
