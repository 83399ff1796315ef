/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two forms of file that hold a user's name and password. Pure: TEXT is all of the file, in secret
 * memory, and what is secret of it goes to secret memory alone.
 */
#pragma once

#include "base/secret.h"

/*
 * The first entry of a netrc TEXT (machine, default, login, password; values may be in double
 * quotes, where a backslash keeps the character behind it) for the machine HOST, and for USER when
 * that is not NULL. An entry without login is anybody's. *RET_USER (NULL: the entry names none) and
 * *RET_PASSWORD are the caller's. FALSE: none, or none with a password.
 */
gboolean credfile_netrc(const char *text, const char *host, const char *user, char **ret_user,
                        Secret **ret_password);

/*
 * Lines user=, password=, domain= as mount.cifs(8) takes them; others, and those that begin with
 * '#', are passed over. A domain is put before a user that has none: DOMAIN\user. Either result may
 * be NULL.
 */
void credfile_lines(const char *text, char **ret_user, Secret **ret_password);
