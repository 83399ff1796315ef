/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One kind of error for all layers: a GError of domain XFS_ERROR whose code is a positive errno and
 * which carries what a caller needs to decide: how much is affected, whether to try again, whether
 * the change may have been done although no answer came. The text is one sentence for a user: the
 * cause, then the next step.
 */
#pragma once

#include <glib.h>

#define XFS_ERROR (error_quark())
GQuark error_quark(void);

/* How far the trouble reaches, so that a caller knows what is still worth trying. */
typedef enum {
  SCOPE_ITEM,    /* this item or name only */
  SCOPE_FOLDER,  /* everything in this folder */
  SCOPE_STORE,   /* the whole mailbox */
  SCOPE_SIGN_IN, /* the credentials */
  SCOPE_LINE,    /* the connection: the server did not answer, or not to the end */
  SCOPE_LOCAL,   /* this machine: cache disk, memory, a bug */
} ErrorScope;

/* A new error; ERRNUM > 0. The caller owns it. */
GError *error_new(int errnum, ErrorScope scope, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Sets *ERROR (which may be NULL) to error_new() and answers FALSE, for `return error_set(...)`. */
gboolean error_set(GError **error, int errnum, ErrorScope scope, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

/* The errno of ERROR; EIO for an error of a foreign domain; 0 for NULL. */
int error_errno(const GError *error);

/* The scope of ERROR; SCOPE_LOCAL for a foreign domain. */
ErrorScope error_scope(const GError *error);

/* Milliseconds after which trying again makes sense, -1 when the server named none. */
gint64 error_retry_after_ms(const GError *error);
void error_set_retry_after_ms(GError *error, gint64 ms);

/*
 * TRUE when a change may have been applied although it is reported as failed (the answer was
 * lost): the caller looks before it repeats.
 */
gboolean error_maybe_applied(const GError *error);
void error_set_maybe_applied(GError *error, gboolean maybe);
