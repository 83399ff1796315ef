/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a 207 Multi-Status answer as it arrives, one response at a time, in bounded memory whatever
 * its size (protocol note WebDAV, section 4.4). Server input is hostile: no DTD and no entity is
 * taken, depth, text and count are bounded, a document that does not end is an error. What
 * Exchange really sends is taken: digit-leading names, control characters, status before or
 * after prop or missing, properties outside of propstat.
 */
#pragma once

#include "wire/davbody.h"

typedef struct Multistatus Multistatus;

/* One response. Everything is borrowed, for the time of the call. */
typedef struct {
  const char *href;          /* as the server wrote it; never NULL */
  int status;                /* of the response as a whole; 0 when none was said */
  int failed;                /* the status of its first propstat that is not 2xx; 0: all are */
  const char *const *values; /* by index of the table: the text of a property that was told with a
                                2xx status; of one with elements inside, their local names joined
                                by blanks; NULL when it was not told */
} DavResponse;

/* FALSE with ERROR stops the reading. */
typedef gboolean (*MultistatusFunc)(const DavResponse *response, gpointer user, GError **error);

/*
 * A reader that looks for the N properties of TABLE (borrowed; namespaces and names are compared
 * without case) and calls FUNC for each response.
 */
Multistatus *multistatus_new(const DavName *table, guint n, MultistatusFunc func, gpointer user);

/* Takes the next LEN bytes; FALSE with EIO (SCOPE_LINE), or what FUNC set. */
gboolean multistatus_feed(Multistatus *reader, const void *bytes, gsize len, GError **error);

/* Ends the document: EIO unless it was whole. */
gboolean multistatus_finish(Multistatus *reader, GError **error);

void multistatus_free(Multistatus *reader); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Multistatus, multistatus_free)
