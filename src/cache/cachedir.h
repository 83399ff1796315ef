/* SPDX-License-Identifier: Apache-2.0 */
/* The cache directory itself: private, and one mount's alone. */
#pragma once

#include <glib.h>

/*
 * Makes DIR private and takes its lock file for this process (flock), waiting up to 3 s for one
 * that is ending: EBUSY names the pid of the mount that has it. Answers a descriptor that holds the
 * lock until closed; -1 with ERROR. The lock outlives fork(2); the pid written down is that of the
 * caller.
 */
int cachedir_lock(const char *dir, GError **error);

/* TRUE when a journal or local files are in DIR: they may name rows of an index that is gone. */
gboolean cachedir_was_used(const char *dir);

/* Removes what is below DIR/bodies. Called before bodies_open(). */
void cachedir_forget_bodies(const char *dir);
