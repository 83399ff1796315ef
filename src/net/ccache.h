/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: which credential cache is a user's, and whether it is really theirs. A daemon
 * that may read every file must not be led to another user's ticket by a name that user chose.
 */
#pragma once

#include "net/http.h"

#include <krb5/krb5.h>

typedef struct {
  krb5_ccache cache;
  char *name; /* as the user knows it: "FILE:/tmp/krb5cc_1000" */
  int fd;     /* what CACHE reads from, -1 for other kinds */
} CcacheSource;

/*
 * Opens the cache that OPTIONS name, for reading, into *RET (untouched on failure). With
 * `check_owner` it must be a regular file of `owner`, not reached by a link, or that user's
 * persistent keyring; without a name it is then what the configuration gives that user, not the
 * daemon's own. EACCES, SCOPE_SIGN_IN: there is none, it is not theirs, it cannot be read. Reads
 * files, asks no KDC.
 */
gboolean ccache_open(krb5_context context, const HttpKerberos *options, CcacheSource *ret,
                     GError **error);
void ccache_close(krb5_context context, CcacheSource *source);
