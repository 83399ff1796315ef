/* SPDX-License-Identifier: Apache-2.0 */
/* What forms.c (sessions) and forms_page.c (the page, and what a POST of it says) share. */
#pragma once

#include "forms.h"

/* The logon page itself, or the form sent from it. FALSE: the request is for neither. */
gboolean forms_answer(Sim *sim, const Request *request, Reply *reply);
/* 302 to the logon page. */
void forms_redirect(const Sim *sim, const Request *request, int reason, Reply *reply);

/* A new session; its cookies go into the reply. */
void forms_begin(Sim *sim, const Request *request, const char *user, gboolean trusted,
                 Reply *reply);
/* The cookies of a session, which need not exist. */
void forms_set_cookies(const Sim *sim, const Request *request, const char *id, Reply *reply);
