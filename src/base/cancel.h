/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A cancel token: set once (Ctrl-C, a kill, unmounting), seen by whoever waits on behalf of it.
 * Every wait of the daemon goes through cancel_wait() or cancel_connect(), and every wait has a
 * deadline.
 */
#pragma once

#include <glib.h>

typedef struct Cancel Cancel;

/* A new token with one reference. */
Cancel *cancel_new(void);
Cancel *cancel_ref(Cancel *cancel);
void cancel_unref(Cancel *cancel); /* NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Cancel, cancel_unref)

/*
 * Sets the token and runs what is connected to it, on this thread. A second call does nothing.
 * Must not be called with a lock held that a connected function takes.
 */
void cancel_trigger(Cancel *cancel);

/* TRUE once set. NULL is never set. Does not block. */
gboolean cancel_is_set(Cancel *cancel);

/*
 * Runs FUNC(USER) when the token is set, on the thread that sets it; at once, on this thread, when
 * it is set already. CANCEL may be NULL. cancel_disconnect() returns only when FUNC is not running
 * and will not run any more, so it must not be called with a lock held that FUNC takes.
 */
typedef void (*CancelFunc)(gpointer user);
gulong cancel_connect(Cancel *cancel, CancelFunc func, gpointer user);
void cancel_disconnect(Cancel *cancel, gulong id);

/*
 * Waits for COND (with LOCK held, as g_cond_wait_until) until it is signalled, DEADLINE (monotonic
 * microseconds; G_MAXINT64: none) has passed or CANCEL is set; the caller checks its predicate
 * again. 0, or ETIMEDOUT, or EINTR. Spurious wake-ups happen.
 */
int cancel_wait(Cancel *cancel, GCond *cond, GMutex *lock, gint64 deadline);
