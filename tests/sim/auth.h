/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: the list of users and Basic (section 3.1); forms.h has the sign-in by a page. */
#pragma once

#include "sim.h"

typedef struct Forms Forms;

Auth *auth_new(void);
void auth_free(Auth *auth);
/* Thread-safe; a known user gets another password. */
void auth_add_user(Auth *auth, const char *name, const char *password);
/* The user of "name", "DOMAIN\name" or "name@domain" if the password is theirs, else NULL. Valid as
 * long as auth is. */
const char *auth_verified(Auth *auth, const char *login, const char *password);
Forms *auth_forms(Auth *auth);

/* Sets request->user, or fills the reply (401, 403, 440, the logon page …) and returns FALSE. */
gboolean auth_check(Sim *sim, Request *request, Reply *reply);
/* 401 with what may be signed in with; that is nothing under forms. */
void auth_challenge(const Sim *sim, Reply *reply);
/* Signed in, but without a right to it: 401, or under forms 440 and the end of the session (quirks
 * 15 and 18). */
void auth_forbid(Sim *sim, const Request *request, Reply *reply);
