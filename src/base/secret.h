/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for a password: locked against swapping, left out of core dumps, wiped when freed. It has
 * no conversion to a printable string but secret_peek(), which only net/ calls.
 */
#pragma once

#include <glib.h>

typedef struct Secret Secret;

#define SECRET_LINE_MAX (16u * 1024)  /* bytes: a bearer token is longer than any password */
#define SECRET_WHOLE_MAX (64u * 1024) /* bytes of a file, or of what a command prints */

/* Takes a copy of LEN bytes of TEXT; the caller wipes its own with secret_wipe(). */
Secret *secret_new(const char *text, gsize len);
Secret *secret_ref(Secret *secret); /* to read: who shares one does not change it */
void secret_free(Secret *secret);   /* lets go of one reference; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Secret, secret_free)

/* The bytes, NUL-terminated, valid until SECRET is changed or freed. */
const char *secret_peek(const Secret *secret);

/* Puts LEN bytes of TEXT behind what SECRET holds; what is over SECRET_WHOLE_MAX is left out. */
void secret_append(Secret *secret, const char *text, gsize len);

/*
 * One read(2) from FD, put behind what SECRET holds: no byte goes through other memory. Answers as
 * read(2), with EFBIG when SECRET holds SECRET_WHOLE_MAX bytes already.
 */
gssize secret_take(Secret *secret, int fd);

/*
 * Leaves SECRET its first line without the line end. EINVAL when that is empty, over
 * SECRET_LINE_MAX or no text; WHAT ("password") is for the sentence.
 */
gboolean secret_first_line(Secret *secret, const char *what, GError **error);

/* Overwrites LEN bytes so that no compiler leaves it out. */
void secret_wipe(void *bytes, gsize len);

/*
 * The first line of FD, read as far as its end. Blocks. NULL as secret_first_line(), or with the
 * errno of the read.
 */
Secret *secret_read_fd(int fd, GError **error);

/*
 * The first line of the file PATH, which must be a regular file of this user (or root) that nobody
 * else can read (0600 or less): EACCES with the cause otherwise.
 */
Secret *secret_read_file(const char *path, GError **error);

/*
 * All of the file PATH, which must be as private; WHAT ("netrc file") is for the sentences. EINVAL
 * when that is not under SECRET_WHOLE_MAX.
 */
Secret *secret_read_whole(const char *path, const char *what, GError **error);
