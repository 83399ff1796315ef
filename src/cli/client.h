/* SPDX-License-Identifier: Apache-2.0 */
/* From options to an HTTP client: who signs in, how, and by which road. */
#pragma once

#include "cli/credentials.h"
#include "cli/source.h"
#include "net/http.h"

/* On whose behalf. */
typedef struct {
  const char *name;         /* of the user, for %u; may be NULL in a mount of one */
  guint uid;                /* for %U */
  gboolean many;            /* one of several in a mount: their own ticket alone speaks for them */
  Credentials *credentials; /* borrowed until http_client_free(); NULL when MANY */
} ClientWho;

/*
 * A client for SOURCE. Does not connect. EINVAL, EACCES with a sentence for the user: as
 * http_client_new(), and for files with passwords that cannot be used.
 */
HttpClient *client_make(const Options *options, const Source *source, const ClientWho *who,
                        GError **error);
