/* SPDX-License-Identifier: Apache-2.0 */
/* The sign-in by a web page and its sessions: OWA 2003 and 2007 (sections 3.3, 3.4), and ISA in
 * front of either, which has a page and a cookie of its own and answers no 440. */
#pragma once

#include "auth.h"

Forms *forms_new(void);
void forms_free(Forms *forms);

/* Whether this server signs people in so. */
gboolean forms_used(const Sim *sim);
/* As auth_check(). */
gboolean forms_check(Sim *sim, Request *request, Reply *reply);
/* 440 that closes the connection; cancel: the session of the request ends, its cookies are taken
 * back (quirk 15). */
void forms_login_timeout(Sim *sim, const Request *request, gboolean cancel, Reply *reply);

/* For tests. All sessions end now. */
void forms_expire(Forms *forms);
/* The sessions' clock goes ahead. */
void forms_advance(Forms *forms, gint64 seconds);
