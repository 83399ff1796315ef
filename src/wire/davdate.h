/* SPDX-License-Identifier: Apache-2.0 */
/* The two forms of time a WebDAV server writes, as nanoseconds since 1970 in UTC. */
#pragma once

#include <glib.h>

/*
 * Reads "2004-03-09T06:36:40.125Z" (dateTime.tz: fraction optional, zone Z or +hh:mm; Exchange, and
 * creationdate everywhere) or "Tue, 09 Mar 2004 06:36:40 GMT" (RFC 1123). Nothing else may follow.
 * FALSE, *RET untouched, for any other text, and for a time that nanoseconds in 64 bits cannot hold
 * (Exchange writes the year 4501 for "none").
 */
gboolean davdate_parse(const char *text, gint64 *ret);

/*
 * How a time a user set is kept as a property, "SECONDS.NNNNNNNNN", and back; strict as above.
 * The caller owns the text.
 */
char *davdate_stamp(gint64 ns);
gboolean davdate_parse_stamp(const char *text, gint64 *ret);
