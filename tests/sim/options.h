/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of exchange-sim. */
#pragma once

#include "switches.h"

typedef struct {
  char *address; /* of --listen */
  guint port;
  char **users;     /* NAME:PASSWORD */
  char **synthetic; /* FOLDER=N */
  char **switches;  /* NAME[=N] */
  char **access;    /* FOLDER=USER:LEVEL */
  char **elsewhere; /* PATH=ORIGIN */
  char *import;     /* or NULL */
  char *profile, *auth, *fault, *access_log, *href_host, *locale;
  gint delay_ms;
  gint64 clock; /* seconds; 0: the real one */
} Options;

/* FALSE and an error in one sentence. --help prints and exits. */
gboolean options_parse(Options *options, int *argc, char ***argv, GError **error);
void options_clear(Options *options);
