/* SPDX-License-Identifier: Apache-2.0 */
/* The SOURCE word of the command line: a URL, checked and brought into one form. Pure. */
#pragma once

#include <glib.h>

typedef struct {
  char *origin; /* "https://mail.example.org", "http://127.0.0.1:8025": lower case, no path */
  char *path;   /* percent-encoded, begins and ends with '/', no "." or ".." or empty segment */
} Source;

/*
 * Reads TEXT. One URL written in two ways gives one Source, since the cache is found by it. FALSE
 * with a sentence that holds no part of a user name or password in TEXT.
 */
gboolean source_parse(const char *text, Source *ret, GError **error);

void source_clear(Source *source);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Source, source_clear)

/* The server's name alone, without port and brackets. The caller frees it. */
char *source_host(const Source *source);

/* Names the cache of SOURCE as seen by USER (NULL: not signed in). The caller frees it. */
char *source_identity(const Source *source, const char *user);
