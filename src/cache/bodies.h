/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies on disk: DIR/bodies/ holds whole bodies by (ino, version), bounded, least recently used
 * first out, never one that is leased; DIR/local/ holds the bytes of rows that exist here only,
 * unbounded by it and never evicted; DIR/staging/ is where unnamed files are made. A body file is
 * published when it is whole, or never.
 *
 * Safe from any thread; blocks for disk only.
 */
#pragma once

#include <glib.h>

typedef struct Bodies Bodies;

/*
 * Opens DIR (made 0700) with at most MAX_BYTES of bodies. The set of bodies is found by reading the
 * directory, oldest access first; strays of an earlier crash are removed.
 */
Bodies *bodies_open(const char *dir, gint64 max_bytes, GError **error);
void bodies_close(Bodies *bodies);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Bodies, bodies_close)

/*
 * A lease on the whole body of (INO, VERSION): a read-only descriptor the caller gives back with
 * bodies_release(); -1 when it is not here. *RET_SIZE is its length. Marks it as used now.
 */
int bodies_lease(Bodies *bodies, gint64 ino, guint32 version, gint64 *ret_size);

/* Ends a lease (closes FD). */
void bodies_release(Bodies *bodies, gint64 ino, guint32 version, int fd);

/* TRUE when the whole body is here. */
gboolean bodies_have(Bodies *bodies, gint64 ino, guint32 version);

/* A new unnamed, readable and writable file for a body or a written file; -1 with ERROR (ENOSPC:
 * after evicting what may go, the disk is still full). */
int bodies_new_file(Bodies *bodies, GError **error);

/*
 * Publishes the whole body FD (from bodies_new_file(), SIZE bytes) as (INO, VERSION), replacing
 * other versions of INO, and evicts down to the bound, and further where the disk is nearly full.
 * EFBIG: larger than the bound. FD stays the caller's. A failure only means
 * that it will be fetched again.
 */
gboolean bodies_publish(Bodies *bodies, gint64 ino, guint32 version, int fd, gint64 size,
                        GError **error);

/* Forgets every version of INO (leases stay valid). */
void bodies_drop(Bodies *bodies, gint64 ino);

/*
 * After room ran out while writing LEN more bytes: evicts at least that much of what may go. FALSE
 * when nothing could be evicted.
 */
gboolean bodies_make_room(Bodies *bodies, gint64 len);

/* Bytes and files held; for status. */
void bodies_usage(Bodies *bodies, gint64 *ret_bytes, gint64 *ret_files);

/*
 * The bytes of a local row: keep makes FD (from bodies_new_file()) DIR/local/INO durably, replacing
 * what was there; open answers a descriptor for it (read and write), -1 with ERROR; drop removes
 * it. bodies_local_strays() lists the inode numbers that have a file (GArray of gint64).
 */
gboolean bodies_local_keep(Bodies *bodies, gint64 ino, int fd, gboolean durable, GError **error);
int bodies_local_open(Bodies *bodies, gint64 ino, GError **error);
void bodies_local_drop(Bodies *bodies, gint64 ino);
GArray *bodies_local_list(Bodies *bodies);
