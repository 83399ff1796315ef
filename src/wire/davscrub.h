/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the almost-XML of Exchange well-formed, byte by byte, before a parser sees it: element
 * names that begin with a digit get a '_' in front (quirk 7), control characters in text, raw or
 * as references like "&#1;", are left out (quirk 8). Works across any cut of the stream.
 */
#pragma once

#include <glib.h>

typedef struct {
  int state;
  char quote;    /* the quote an attribute value began with, else 0 */
  char last[2];  /* the two bytes before this one inside <!-- and <![CDATA[ */
  char held[12]; /* the beginning of a reference in text, not yet passed on */
  guint n_held;
} DavScrub; /* all zero at the start of a document */

/* Appends the repaired form of LEN BYTES to OUT. */
void davscrub_feed(DavScrub *scrub, const char *bytes, gsize len, GByteArray *out);

/* NAME without the '_' that davscrub_feed() put in front of a digit. */
const char *davscrub_name(const char *name);
