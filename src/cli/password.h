/* SPDX-License-Identifier: Apache-2.0 */
/* Where the password comes from. */
#pragma once

#include "base/secret.h"

/*
 * The password of USER: the first line of FILE, else (FILE NULL) what is typed at the terminal with
 * echo off. Blocks for the person. NULL with a sentence, also when there is nobody to ask.
 */
Secret *password_get(const char *user, const char *file, GError **error);
