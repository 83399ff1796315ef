/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: the cookies of one session at one server (RFC 6265, as far as a session needs
 * it: no path, no domain, since they go to the origin that set them and nowhere else). Not locked.
 * libcurl's own store is not used: an answer that comes late would take the new session's away.
 */
#pragma once

#include "net/http.h"

typedef struct Cookies Cookies;

Cookies *cookies_new(void);
void cookies_free(Cookies *cookies); /* wipes; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cookies, cookies_free)

/* Takes what RESPONSE sets and drops what it expires. SAFE: a cookie marked secure may be sent
 * back (https, or this machine). Bounded: 32 cookies of 4 KiB. */
void cookies_learn(Cookies *cookies, const HttpResponse *response, gboolean safe);

/* "Cookie: a=1; b=2", or NULL when there is none. The caller wipes and frees it. */
char *cookies_line(const Cookies *cookies);
