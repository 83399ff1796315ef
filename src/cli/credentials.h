/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who signs in, and where the password or token comes from: a file, a command, netrc, a credentials
 * file, the terminal. Which of them it is, the options say; nothing else is ever looked at but
 * /etc/exchangefs/ by root's mount.exchangefs.
 */
#pragma once

#include "base/secret.h"
#include "cli/opts.h"

typedef struct Credentials Credentials;

/*
 * FALSE with a sentence when the options contradict each other: two sources of one password, or one
 * that names no user. Pure; for the exit code of a wrong command line.
 */
gboolean credentials_check(const Options *options, GError **error);

/*
 * OPTIONS, whose credentials_check() held, is borrowed until credentials_free(). HOST is the
 * server's name, for netrc and /etc/exchangefs/HOST.credentials. Files are read at once (EACCES,
 * ENOENT, EINVAL with the cause); commands and the person are asked when the first password is
 * wanted. Call after daemon_start(): a secret does not survive fork(2).
 */
Credentials *credentials_new(const Options *options, const char *host, GError **error);

/* No call may be under way. NULL is fine. */
void credentials_free(Credentials *credentials);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Credentials, credentials_free)

/* The user's name, by option or from the file that has the password; NULL: nobody by name. */
const char *credentials_user(const Credentials *credentials);

/* A password can be had: there is a source for it, or a terminal to ask at. */
gboolean credentials_can(const Credentials *credentials);

/*
 * The password, owned by the caller: what file or command say now, or what was typed once. For
 * HttpCredentials, so CREDENTIALS is a gpointer; any thread, any number at once (the others wait).
 * Blocks for a command (30 s at most) or the person. EACCES, SCOPE_SIGN_IN: no source, nobody to
 * ask, the command failed (then it is not run again for some seconds); ETIMEDOUT; EINTR after
 * credentials_stop().
 */
Secret *credentials_password(gpointer credentials, GError **error);

/* A fresh token: runs token_cmd= each time. Otherwise as credentials_password(). */
Secret *credentials_token(gpointer credentials, GError **error);

/*
 * Ends a command that is under way, and every later one at once (EINTR), so that unmounting waits
 * for none. Any thread; before http_client_free().
 */
void credentials_stop(Credentials *credentials);
