/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks: Basic, or the forms page with its cookies (sections 3.1, 3.3, 3.4). */
#pragma once

#include "sim.h"

Auth *auth_new(void);
void auth_free(Auth *auth);
void auth_add_user(Auth *auth, const char *name, const char *password);

/* Sets request->user, or fills the reply (401, 440, the logon page …) and returns FALSE. */
gboolean auth_check(Sim *sim, Request *request, Reply *reply);
