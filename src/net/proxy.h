/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: the way by an HTTP proxy, and signing in there. Server and proxy are two
 * parties: the password of one is never sent to the other. Read-only once made.
 */
#pragma once

#include "net/http.h"

#include <curl/curl.h>

typedef struct Proxy Proxy;

/*
 * Copies OPTIONS. EINVAL for an address that is not http[s]://HOST[:PORT], or that holds a user or
 * password (it is not repeated then), and for a sign-in without an address.
 */
Proxy *proxy_new(const HttpProxy *options, GError **error);
void proxy_free(Proxy *proxy); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Proxy, proxy_free)

/* Its URL when it is spoken to by TLS, else NULL. Borrowed. */
const char *proxy_tls_url(const Proxy *proxy);

/*
 * TRUE when what is sent to an address of this machine leaves it all the same: a proxy elsewhere
 * was named, which is asked for each and every address.
 */
gboolean proxy_is_elsewhere(const Proxy *proxy);

/*
 * Puts the way to ORIGIN on EASY. LOOPBACK, an origin on this machine, is gone to directly unless
 * the options named a proxy; other ways are as http_proxy, https_proxy and no_proxy say. By plain
 * http a user signs in by Basic, at once, because a challenge would cost sending the body twice; by
 * https, where a body comes only after the tunnel stands, by the strongest of NTLM, Digest, Basic
 * that the proxy offers. PROXY must outlive EASY.
 */
void proxy_apply(const Proxy *proxy, CURL *easy, const char *origin, gboolean loopback);

/*
 * After EASY failed with CODE (DETAIL: libcurl's text) before it was ISSUED, or an answer with
 * status 407 came: EACCES (the proxy demands another sign-in), EHOSTUNREACH (it does not answer, or
 * does not connect to ORIGIN), in one sentence that names it. NULL when it is not the proxy's
 * doing.
 */
GError *proxy_explain(const Proxy *proxy, CURL *easy, CURLcode code, const char *detail,
                      gboolean issued, const char *origin);

/* The sentence for an answer with status 407. */
GError *proxy_refusal(const Proxy *proxy, CURL *easy, const char *origin);
