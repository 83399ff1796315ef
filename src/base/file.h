/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of the cache directory: private by mode, whole or absent by construction.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

/* Makes PATH (and its parents) a directory of mode 0700 owned by this user, or says why not. */
gboolean file_make_private_dir(const char *path, GError **error);

/*
 * A new unnamed file (O_TMPFILE, 0600) in directory DIR, open for reading and writing: nothing is
 * left behind whatever happens. -1 with ERROR.
 */
int file_open_unnamed(const char *dir, GError **error);

/*
 * Gives the unnamed file FD the name PATH, which must be in the same filesystem, replacing what was
 * there; fsyncs the file before and the directory after when DURABLE.
 */
gboolean file_publish(int fd, const char *path, gboolean durable, GError **error);

/* Writes all LEN bytes at OFFSET; short writes are continued. */
gboolean file_pwrite_all(int fd, const void *bytes, gsize len, goffset offset, GError **error);

/* Reads up to LEN bytes at OFFSET; fewer only at the end of the file. -1 with ERROR. */
gssize file_pread_all(int fd, void *bytes, gsize len, goffset offset, GError **error);

/* Copies the LEN bytes of IN from offset 0 to offset 0 of OUT (copy_file_range, else read/write).
 */
gboolean file_copy(int in, int out, goffset len, GError **error);
