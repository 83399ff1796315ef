/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of an item: in memory when small, in an unlinked temporary file when large, or made
 * from an index (synthetic messages). Immutable and counted, so a GET needs no lock to send it. */
#pragma once

#include <glib.h>

typedef struct Body Body;

/* Takes a reference of its own. */
Body *body_new_bytes(GBytes *bytes);
/* Message number index of synth.h; size is learned at once, bytes are made when read. */
Body *body_new_synthetic(guint index);
Body *body_ref(Body *body);
void body_unref(Body *body);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Body, body_unref)

guint64 body_size(const Body *body);
/* The index of a synthetic body, or -1. */
gint64 body_synthetic_index(const Body *body);
/* The file behind it, or -1. Owned by the body. */
int body_fd(const Body *body);
/* Reads up to len bytes at offset; 0 at the end, -1 when the file fails. */
gssize body_read(const Body *body, guint64 offset, char *buffer, gsize len);
/* All of it: shares memory, maps a file, makes a synthetic message. NULL when mapping fails. */
GBytes *body_bytes(const Body *body);
/* The first bytes, at most limit: for header parsing without touching a large file. */
GBytes *body_head(const Body *body, gsize limit);

/* Collects bytes that arrive in pieces; moves to a file beyond 1 MiB. */
typedef struct Spool Spool;

Spool *spool_new(void);
/* FALSE when the temporary file cannot be written (disk full). */
gboolean spool_append(Spool *spool, const char *data, gsize len);
guint64 spool_size(const Spool *spool);
/* Ends collecting and frees the spool. */
Body *spool_finish(Spool *spool);
void spool_free(Spool *spool);
