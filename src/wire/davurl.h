/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names and URLs of a WebDAV store, as pure text (protocol note WebDAV, section 2). A segment is
 * one piece of a path as it stands in a request line: percent-encoded, on Exchange with tokens like
 * _x003F_ inside. A name is what a person reads. Paths are compared decoded, never as text: a
 * server answers in another spelling, host or scheme than it was asked in (2.5, quirks 2 and 3).
 */
#pragma once

#include <glib.h>

/* How a server spells names in segments. */
typedef enum {
  SPELL_PLAIN,    /* RFC 3986: percent-encoding alone */
  SPELL_EXCHANGE, /* also tokens for ? \ ~; the ones for / and CRLF stay as they are in the name */
} DavSpelling;

/* The longest segment and path that are accepted, in bytes. */
#define DAVURL_SEGMENT_MAX 4096u
#define DAVURL_PATH_MAX 32768u

/*
 * The name that SEGMENT (no '/' inside, one at its end is ignored) stands for; a decoded '/' is
 * kept. NULL when it names nothing below a folder: empty, "." or "..", a NUL inside, too long. The
 * caller owns it; UTF-8 is not guaranteed.
 */
char *davurl_name(const char *segment, DavSpelling spelling);

/* The segment for NAME, which must not hold '/'. The caller owns it. */
char *davurl_segment(const char *name, DavSpelling spelling);

/* NAME as Exchange stores it in PR_URL_COMP_NAME (2.4), to be searched for. The caller owns it. */
char *davurl_stored_name(const char *name);

/*
 * What HREF (an absolute URL of any host, or an absolute path) is below the path BASE, which ends
 * in '/': "" for BASE itself, "a.eml", "Sub/", "Sub/a.eml". The server's own spelling is kept, but
 * bytes that must not stand in a request line are encoded. NULL when HREF is not below BASE, or has
 * a segment that davurl_name() refuses. FOLD_CASE: the server does not tell cases apart.
 */
char *davurl_below(const char *base, const char *href, gboolean fold_case);

/*
 * The path of HREF, made safe for a request line and ending as HREF does. NULL when it has no
 * absolute path or a segment that davurl_name() refuses. The caller owns it.
 */
char *davurl_path(const char *href);

/* The scheme, host and port of the absolute URL HREF ("http://a:8025"), or NULL: it has none. */
char *davurl_origin(const char *href);
