/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules for file names, as pure functions: what a server's name looks like in a directory, what a
 * user may create, and which names are an editor's or a desktop's own and stay on this machine.
 */
#pragma once

#include <glib.h>

#define NAME_MAX_BYTES 255u

/*
 * The visible form of a server's NAME: '/' becomes _xF8FF_, control characters and bytes that are
 * not UTF-8 are replaced by U+FFFD, longer than NAME_MAX_BYTES is cut before its extension at a
 * character. NULL when nothing can be shown: empty, "." or "..", or a NUL inside (LEN counts it).
 */
char *name_to_visible(const char *name, gsize len);

/*
 * NAME with " (N)" before its extension (the part from the last dot, if that is not the first
 * character), cut so that it fits NAME_MAX_BYTES. N > 1. For the second item of one name.
 */
char *name_twin(const char *name, guint n);

/*
 * 0 when a user may create NAME; else EINVAL (control character, or a token like _x003F_ that the
 * server would read as another character), EILSEQ (not UTF-8), ENAMETOOLONG (over 255 bytes).
 */
int name_check_new(const char *name);

/*
 * TRUE for the names editors and rsync write first and rename later, and for what desktops drop
 * about (design section 4, "Writing" and "The rest of POSIX"): they are never sent.
 */
gboolean name_is_local(const char *name);

/* TRUE for names a desktop must not create at all (.Trash, .Trash-1000): EPERM. */
gboolean name_is_refused(const char *name);
