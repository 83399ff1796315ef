/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for a password: locked against swapping, left out of core dumps, wiped when freed. It has
 * no conversion to a printable string but secret_peek(), which only net/ calls.
 */
#pragma once

#include <glib.h>

typedef struct Secret Secret;

/* Takes a copy of LEN bytes of TEXT; the caller wipes its own with secret_wipe(). */
Secret *secret_new(const char *text, gsize len);
void secret_free(Secret *secret); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Secret, secret_free)

/* The bytes, NUL-terminated, valid while SECRET is held. */
const char *secret_peek(const Secret *secret);

/* Overwrites LEN bytes so that no compiler leaves it out. */
void secret_wipe(void *bytes, gsize len);

/*
 * Reads the first line of FD (at most 4 KiB, without its line end) into a secret without leaving a
 * copy in ordinary memory. NULL with ERROR when nothing could be read or the line is empty.
 */
Secret *secret_read_fd(int fd, GError **error);

/*
 * Reads the password from the file PATH, which must be a regular file of this user (or root) that
 * nobody else can read (0600 or less): EACCES with the cause otherwise.
 */
Secret *secret_read_file(const char *path, GError **error);
