/* SPDX-License-Identifier: Apache-2.0 */
/* What must be put right when a signal ends the process while a password is being asked for. */
#pragma once

/*
 * CLEAN runs (as a signal handler) when SIGINT, SIGTERM, SIGHUP or SIGQUIT is about to end the
 * process; signals that somebody handles already are left to them. One holds it at a time: another
 * thread waits. quit_release() ends it.
 */
void quit_guard(void (*clean)(void));
void quit_release(void);
