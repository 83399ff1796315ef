/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: what all requests of one client have in common: the servers it may ask, what TLS
 * and libcurl may do, how long things may take. Read-only once made, but for the sites' health.
 */
#pragma once

#include "net/proxy.h"
#include "net/session.h"
#include "net/tls.h"

/* What libcurl reads from a socket at once; a transfer is stopped when less room than this is left.
 */
#define NET_READ_SIZE ((gsize)256 * 1024)

/* One server that requests may go to. */
typedef struct {
  char *origin;
  gboolean loopback; /* it is this machine */
  Session *session;
  gint64 away_until; /* NetConfig.lock: not asked until then, monotonic microseconds; 0: is well */
  guint failures;    /* NetConfig.lock: in a row */
} Site;

typedef struct {
  GPtrArray *sites; /* Site; the first is the one that was asked for */
  GMutex lock;
  TlsPolicy *tls;
  Proxy *proxy;
  guint connections;
  gint64 connect_us, stall_us, commit_us;
} NetConfig;

/*
 * Copies OPTIONS and fills in the defaults. EINVAL for an origin that is not plain
 * scheme://host[:port] with http or https and for a user or password that cannot be sent, EACCES
 * when a password could only travel readable; what tls_policy_new() says.
 */
NetConfig *config_new(const HttpOptions *options, GError **error);
void config_free(NetConfig *config); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetConfig, config_free)

/* Puts all that on EASY for a request to PATH at SITE; SEEN as for tls_apply(). */
void config_apply(const NetConfig *config, const Site *site, CURL *easy, const char *path,
                  TlsSeen *seen);

/*
 * Reads URL, which a server wrote and may not have escaped, with libcurl's parser: *RET_ORIGIN as
 * in HttpOptions, *RET_PATH with the query. FALSE for what is no http or https URL or names a user.
 */
gboolean config_split(const char *url, char **ret_origin, char **ret_path);

/* TRUE for a name or address of this machine, as libcurl's parser gives it. */
gboolean config_is_loopback(const char *host);

/* The site with ORIGIN (any case), or NULL. */
Site *config_find_site(const NetConfig *config, const char *origin);

/*
 * The first site that is well, else the one whose rest ends first. One that has rested is tried
 * again by one caller alone: the others stay where they are until it has answered.
 */
Site *config_pick_site(NetConfig *config);

/* SITE answered; or did not: then what to ask instead, NULL when there is nothing better. */
void config_site_is_well(NetConfig *config, Site *site);
Site *config_site_is_away(NetConfig *config, Site *site);

/* Of CLIENT; borrowed. */
NetConfig *http_client_config(const HttpClient *client);
