/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process: a child that serves and a parent that waits until the mount answers. fork(2) comes
 * before any thread and any secret.
 */
#pragma once

#include <glib.h>

typedef struct Daemon Daemon;

/*
 * Without FOREGROUND, forks: the parent never returns from this, it exits with what the child
 * reports (0 when mounted; the child's code and sentence on stderr when not).
 */
Daemon *daemon_start(gboolean foreground);

/* The mount answers: lets the parent exit 0 and leaves its terminal and directory. */
void daemon_ready(Daemon *daemon);

/*
 * Tells the user SENTENCE (through the parent while it waits, by the log when it has gone) and
 * answers CODE, for `return`.
 */
int daemon_fail(Daemon *daemon, int code, const char *sentence);

/* NULL is fine. */
void daemon_free(Daemon *daemon);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Daemon, daemon_free)
