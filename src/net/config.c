/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the rules about where requests and passwords may go, and which of several servers is asked;
 * leaves the single request to transfer.c, the sign-in to session.c. Nothing here prints an address
 * before it is known to hold no password.
 */
#include "net/config.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define CONNECTIONS_DEFAULT 8u
#define CONNECTIONS_MAX 64u
#define REST_LEAST_US ((gint64)5 * G_USEC_PER_SEC)
#define REST_DOUBLINGS 6u /* about five minutes at most */

static gint64 time_or(guint ms, gint64 fallback_ms)
{
  return (ms ? (gint64)ms : fallback_ms) * 1000;
}

gboolean config_is_loopback(const char *host)
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

static gboolean is_https(const char *origin)
{
  return g_ascii_strncasecmp(origin, "https:", 6) == 0;
}

/* Schemes that send what can be used again by who reads it. */
#define READABLE (HTTP_AUTH_BASIC | HTTP_AUTH_FORMS | HTTP_AUTH_BEARER)

static gboolean check_sign_in(const HttpOptions *options, gboolean readable, GError **error)
{
  gboolean only = options->schemes && (options->schemes & ~(guint)READABLE) == 0;
  if (only && readable && RULE("net-plain-password"))
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "the password would travel readable to %s: use https, or allow it with the "
                     "option insecure_basic",
                     options->origin);
  return TRUE;
}

static void site_free(gpointer data)
{
  Site *site = data;
  g_free(site->origin);
  session_free(site->session);
  g_free(site);
}

static Site *site_new(const NetConfig *config, const HttpOptions *options, const char *origin,
                      GError **error)
{
  CURLU *url = curl_url();
  gboolean good = check_origin(url, origin, error);
  char *host = good ? url_part(url, CURLUPART_HOST) : NULL;
  curl_url_cleanup(url);
  if (!host)
    return NULL;
  gboolean loopback = config_is_loopback(host);
  gboolean stays = loopback && !proxy_is_elsewhere(config->proxy);
  SessionPlace place = {.origin = origin,
                        .host = host,
                        .readable = !is_https(origin) && !stays && !options->insecure_basic};
  Session *session =
      check_sign_in(options, place.readable, error) ? session_new(options, &place, error) : NULL;
  curl_free(host);
  if (!session)
    return NULL;
  Site *site = g_new0(Site, 1);
  site->origin = g_strdup(origin);
  site->loopback = loopback;
  site->session = session;
  return site;
}

static gboolean add_site(NetConfig *config, const HttpOptions *options, const char *origin,
                         GError **error)
{
  Site *site = site_new(config, options, origin, error);
  if (site)
    g_ptr_array_add(config->sites, site);
  return site != NULL;
}

NetConfig *config_new(const HttpOptions *options, GError **error)
{
  g_autoptr(NetConfig) config = g_new0(NetConfig, 1);
  g_mutex_init(&config->lock);
  config->sites = g_ptr_array_new_with_free_func(site_free);
  config->proxy = proxy_new(&options->proxy, error);
  gboolean good = config->proxy && add_site(config, options, options->origin, error);
  for (const char *const *at = options->servers; good && at && *at; at++)
    good = add_site(config, options, *at, error);
  if (!good || !(config->tls = tls_policy_new(&options->tls, options->origin,
                                              proxy_tls_url(config->proxy), error)))
    return NULL;
  config->connections =
      options->connections ? MIN(options->connections, CONNECTIONS_MAX) : CONNECTIONS_DEFAULT;
  config->connect_us = time_or(options->connect_ms, 10000);
  config->stall_us = time_or(options->stall_ms, 30000);
  config->commit_us = time_or(options->commit_ms, 120000);
  return g_steal_pointer(&config);
}

void config_free(NetConfig *config)
{
  if (!config)
    return;
  g_ptr_array_unref(config->sites);
  tls_policy_free(config->tls);
  proxy_free(config->proxy);
  g_mutex_clear(&config->lock);
  g_free(config);
}

gboolean config_split(const char *text, char **ret_origin, char **ret_path)
{
  CURLU *url = curl_url();
  gboolean good = curl_url_set(url, CURLUPART_URL, text,
                               CURLU_ALLOW_SPACE | CURLU_URLENCODE | CURLU_PATH_AS_IS |
                                   CURLU_DISALLOW_USER) == CURLUE_OK;
  char *scheme = url_part(url, CURLUPART_SCHEME), *host = url_part(url, CURLUPART_HOST);
  char *port = url_part(url, CURLUPART_PORT), *path = url_part(url, CURLUPART_PATH);
  char *query = url_part(url, CURLUPART_QUERY);
  good = good && scheme && host && path && (!strcmp(scheme, "http") || !strcmp(scheme, "https"));
  if (good) {
    gboolean usual = !port || !strcmp(port, !strcmp(scheme, "https") ? "443" : "80");
    *ret_origin = g_strconcat(scheme, "://", host, usual ? NULL : ":", port, NULL);
    *ret_path = g_strconcat(path, query ? "?" : NULL, query, NULL);
  }
  curl_free(scheme);
  curl_free(host);
  curl_free(port);
  curl_free(path);
  curl_free(query);
  curl_url_cleanup(url);
  return good;
}

Site *config_find_site(const NetConfig *config, const char *origin)
{
  for (guint i = 0; i < config->sites->len; i++) {
    Site *site = config->sites->pdata[i];
    if (g_ascii_strcasecmp(site->origin, origin) == 0)
      return site;
  }
  return NULL;
}

/* The longer a server stays away the more seldom somebody waits to see whether it is back. */
static gint64 rest_us(guint failures)
{
  return REST_LEAST_US << MIN(failures - 1, REST_DOUBLINGS);
}

Site *config_pick_site(NetConfig *config)
{
  gint64 now = g_get_monotonic_time();
  g_mutex_lock(&config->lock);
  Site *best = config->sites->pdata[0];
  for (guint i = 0; i < config->sites->len; i++) {
    Site *site = config->sites->pdata[i];
    if (site->away_until <= now) {
      if (site->away_until) /* this caller looks whether it is back */
        site->away_until = now + rest_us(site->failures);
      best = site;
      break;
    }
    if (site->away_until < best->away_until)
      best = site;
  }
  g_mutex_unlock(&config->lock);
  return best;
}

void config_site_is_well(NetConfig *config, Site *site)
{
  g_mutex_lock(&config->lock);
  gboolean was_away = site->away_until != 0;
  site->away_until = 0;
  site->failures = 0;
  g_mutex_unlock(&config->lock);
  if (was_away)
    log_info("net", "%s answers again", site->origin);
}

Site *config_site_is_away(NetConfig *config, Site *site)
{
  if (config->sites->len == 1)
    return NULL;
  g_mutex_lock(&config->lock);
  gboolean was_well = site->away_until == 0;
  site->failures++;
  site->away_until = g_get_monotonic_time() + rest_us(site->failures);
  g_mutex_unlock(&config->lock);
  Site *next = config_pick_site(config);
  if (was_well)
    log_warning("net", "%s does not answer: asking %s", site->origin, next->origin);
  return next == site || !RULE("net-servers") ? NULL : next;
}

void config_apply(const NetConfig *config, const Site *site, CURL *easy, const char *path,
                  TlsSeen *seen)
{
  g_autofree char *url = g_strconcat(site->origin, path, NULL);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L); /* the back-end spells paths, nobody else */
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
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
  tls_apply(config->tls, easy, seen);
  proxy_apply(config->proxy, easy, site->origin, site->loopback);
}
