/* SPDX-License-Identifier: Apache-2.0 */
/* The person at the terminal. */
#pragma once

#include "base/secret.h"

/* There is a terminal to ask at. */
gboolean prompt_can(void);

/*
 * Asks for the password of USER with echo off. Blocks for the person. NULL with a sentence (EACCES,
 * SCOPE_SIGN_IN), also when there is nobody to ask.
 */
Secret *prompt_password(const char *user, GError **error);
