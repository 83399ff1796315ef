/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The addresses around a logon page, as pure text: is this one, why did it come, where does it
 * lead, is that still the same server (protocol note WebDAV, sections 1.2, 3.3, 3.6).
 */
#pragma once

#include <glib.h>

/* What the address of a logon page says of the attempt before (its query's "reason"). */
typedef enum {
  LOGON_ASKED,   /* not signed in, or expired (reason=0, none) */
  LOGON_REFUSED, /* user name or password wrong (reason=2, 4) */
} LogonReason;
LogonReason logon_reason(const char *location);

/*
 * TRUE when LOCATION (absolute, or a path) leads to a logon page: owalogon.asp, /owa/auth/,
 * CookieAuth.dll, or a page of another maker called login or logon. Nothing below /exchange/ or
 * /public/ is one: folders may have any name.
 */
gboolean logon_is_page(const char *location);

/*
 * Where REFERENCE leads (a Location, a form's action) on the page at PAGE, both as a server wrote
 * them: an absolute URL without fragment whose path and query may stand in a request line. NULL
 * when it is no http or https URL. The caller owns it.
 */
char *logon_resolve(const char *page, const char *reference);

/*
 * The path and query of URL, from logon_resolve(), when its scheme, host and port are ORIGIN's (a
 * port that is the scheme's own may be left out); NULL: it is elsewhere. Borrowed from URL.
 */
const char *logon_path_at(const char *url, const char *origin);
