/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the rules about where requests and passwords may go; leaves the single request to
 * transfer.c. Nothing here prints an address before it is known to hold no password.
 */
#include "net/config.h"

#include "base/error.h"
#include "base/rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define CONNECTIONS_DEFAULT 8u
#define CONNECTIONS_MAX 64u

static gint64 time_or(guint ms, gint64 fallback_ms)
{
  return (ms ? (gint64)ms : fallback_ms) * 1000;
}

static gboolean is_loopback(const char *host)
{
  struct in_addr v4;
  if (inet_pton(AF_INET, host, &v4) == 1)
    return ntohl(v4.s_addr) >> 24 == 127;
  return strcmp(host, "[::1]") == 0 || g_ascii_strcasecmp(host, "localhost") == 0;
}

/* The part WHAT of URL, or NULL. curl_free() it. */
static char *url_part(CURLU *url, CURLUPart what)
{
  char *part = NULL;
  return curl_url_get(url, what, &part, 0) == CURLUE_OK ? part : NULL;
}

/* Reads the origin with libcurl's own parser: what is checked here is what it will connect to. */
static gboolean check_origin(CURLU *url, const char *origin, GError **error)
{
  static const CURLUPart unwanted[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
                                       CURLUPART_FRAGMENT};
  const char *authority = strstr(origin, "://");
  if (!authority || curl_url_set(url, CURLUPART_URL, origin, 0) != CURLUE_OK)
    return error_set(error, EINVAL, SCOPE_STORE,
                     "the server's address is not http://HOST or https://HOST: correct it");
  for (gsize i = 0; i < G_N_ELEMENTS(unwanted); i++) {
    char *part = url_part(url, unwanted[i]);
    curl_free(part);
    if (part)
      return error_set(error, EINVAL, SCOPE_STORE,
                       "the server's address holds a user, password, query or fragment: name the "
                       "user by option");
  }
  if (strpbrk(authority + 3, "/@\\"))
    return error_set(error, EINVAL, SCOPE_STORE, "the server's address holds a path");
  char *scheme = url_part(url, CURLUPART_SCHEME);
  gboolean known = scheme && (!strcmp(scheme, "http") || !strcmp(scheme, "https"));
  curl_free(scheme);
  if (!known)
    return error_set(error, EINVAL, SCOPE_STORE,
                     "the server's address begins with neither http:// nor https://: correct it");
  return TRUE;
}

static gboolean check_sign_in(const HttpOptions *options, gboolean loopback, GError **error)
{
  gboolean readable = g_ascii_strncasecmp(options->origin, "https:", 6) != 0 && !loopback;
  if (options->user && readable && !options->insecure_basic && RULE("net-plain-password"))
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "the password would travel readable to %s: use https, or allow it with the "
                     "option insecure_basic",
                     options->origin);
  return TRUE;
}

/*
 * The header is made here and not by libcurl, which would keep user and password as long as it
 * keeps a connection. No part of it is ever in ordinary memory but this function's own.
 */
static gboolean make_authorization(const HttpOptions *options, Secret **ret, GError **error)
{
  static const char head[] = "Authorization: Basic ";
  const char *parts[] = {options->user, ":",
                         options->password ? secret_peek(options->password) : ""};
  char line[4096] = "";
  gsize len = strlen(head);
  gint state = 0, save = 0;
  if (strchr(options->user, ':'))
    return error_set(error, EINVAL, SCOPE_SIGN_IN,
                     "a user name with ':' cannot be sent: leave the ':' out");
  if (strlen(parts[0]) + strlen(parts[2]) > sizeof line / 2)
    return error_set(error, EINVAL, SCOPE_SIGN_IN,
                     "user name and password are too long: check the password file");
  g_strlcpy(line, head, sizeof line);
  for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
    len += g_base64_encode_step((const guchar *)parts[i], strlen(parts[i]), FALSE, line + len,
                                &state, &save);
  len += g_base64_encode_close(FALSE, line + len, &state, &save);
  *ret = secret_new(line, len);
  secret_wipe(line, sizeof line);
  return TRUE;
}

NetConfig *config_new(const HttpOptions *options, GError **error)
{
  Secret *authorization = NULL;
  CURLU *url = curl_url();
  gboolean good = check_origin(url, options->origin, error);
  char *host = good ? url_part(url, CURLUPART_HOST) : NULL;
  gboolean loopback = host && is_loopback(host);
  curl_free(host);
  curl_url_cleanup(url);
  if (!good || !check_sign_in(options, loopback, error) ||
      (options->user && !make_authorization(options, &authorization, error)))
    return NULL;

  NetConfig *config = g_new0(NetConfig, 1);
  config->origin = g_strdup(options->origin);
  config->loopback = loopback;
  config->authorization = authorization;
  config->connections =
      options->connections ? MIN(options->connections, CONNECTIONS_MAX) : CONNECTIONS_DEFAULT;
  config->connect_us = time_or(options->connect_ms, 10000);
  config->stall_us = time_or(options->stall_ms, 30000);
  config->commit_us = time_or(options->commit_ms, 120000);
  return config;
}

void config_free(NetConfig *config)
{
  if (!config)
    return;
  g_free(config->origin);
  secret_free(config->authorization);
  g_free(config);
}

void config_apply(const NetConfig *config, CURL *easy, const char *path)
{
  g_autofree char *url = g_strconcat(config->origin, path, NULL);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* the back-end spells paths, nobody else */
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  if (config->loopback)
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  /* A redirect is an answer like any other: nothing is sent where a server points (RULE breaks it
   * for the proof). */
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, RULE("net-redirect") ? 0L : 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, "exchangefs/" XFS_VERSION);
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(config->connect_us / 1000));
  /* Signals are other threads' business, and a name server that hangs must not hold a cancelled
   * request: its resolver thread is let go instead of joined. */
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)NET_READ_SIZE);
  curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, (long)NET_READ_SIZE);
}
