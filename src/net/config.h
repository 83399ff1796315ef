/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: what all requests of one client have in common: the origin, who signs in, what
 * TLS and libcurl may do, how long things may take. Read-only once made.
 */
#pragma once

#include "net/http.h"

#include <curl/curl.h>

/* What libcurl reads from a socket at once; a transfer is stopped when less room than this is left.
 */
#define NET_READ_SIZE ((gsize)256 * 1024)

typedef struct {
  char *origin;
  Secret *authorization; /* the header line that signs in; NULL: none */
  gboolean loopback;     /* the origin is this machine */
  guint connections;
  gint64 connect_us, stall_us, commit_us;
} NetConfig;

/*
 * Copies OPTIONS and fills in the defaults. EINVAL for an origin that is not plain
 * scheme://host[:port] with http or https and for a user or password that cannot be sent, EACCES
 * when a password would travel readable.
 */
NetConfig *config_new(const HttpOptions *options, GError **error);
void config_free(NetConfig *config); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NetConfig, config_free)

/* Puts all that on EASY for a request to PATH. */
void config_apply(const NetConfig *config, CURL *easy, const char *path);
