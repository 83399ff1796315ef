/* SPDX-License-Identifier: Apache-2.0 */
/* A command whose output is a secret: secret-tool, pass, systemd-creds, a script. */
#pragma once

#include "base/secret.h"

typedef struct {
  const char *line;   /* for /bin/sh -c */
  const char *option; /* "passwd_cmd", for the sentences */
  const char *what;   /* "password" */
  gint64 limit_ms;    /* how long it may take */
  int stop;           /* a descriptor that can be read from when nobody wants the answer any more */
} Command;

/*
 * Runs COMMAND and answers the first line it prints. It reads nothing, speaks to the terminal where
 * there is one on stderr (else the first such line is told when it fails), is in a process group of
 * its own, which does not outlive the call, and is given none of our descriptors. Blocks; any
 * thread, one command at a time. NULL: EACCES (it failed, printed nothing, too much or no text),
 * ETIMEDOUT, EINTR (stop), all SCOPE_SIGN_IN.
 */
Secret *command_secret(const Command *command, GError **error);
