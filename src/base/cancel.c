/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the cancel token. A token wakes a waiter through that waiter's own condition variable, which
 * it may only signal with the waiter's lock held: so the list of listeners has a lock of its own,
 * and a listener's function runs outside it.
 *
 * Lock order: a waiter's lock, then Cancel.lock. cancel_trigger() holds none while it calls out.
 */
#include "base/cancel.h"

#include <errno.h>

typedef struct {
  gulong id;
  CancelFunc func;
  gpointer user;
} Listener;

struct Cancel {
  gatomicrefcount refs;
  GMutex lock;
  GCond idle;        /* running became 0 */
  gint set;          /* atomic; written under lock */
  gulong last_id;    /* lock */
  gulong running;    /* lock: id of the listener that runs now, 0 none */
  GThread *runner;   /* lock: the thread it runs on */
  GArray *listeners; /* lock: Listener */
};

Cancel *cancel_new(void)
{
  Cancel *cancel = g_new0(Cancel, 1);
  g_atomic_ref_count_init(&cancel->refs);
  g_mutex_init(&cancel->lock);
  g_cond_init(&cancel->idle);
  cancel->listeners = g_array_new(FALSE, FALSE, sizeof(Listener));
  return cancel;
}

Cancel *cancel_ref(Cancel *cancel)
{
  g_atomic_ref_count_inc(&cancel->refs);
  return cancel;
}

void cancel_unref(Cancel *cancel)
{
  if (!cancel || !g_atomic_ref_count_dec(&cancel->refs))
    return;
  g_array_unref(cancel->listeners);
  g_cond_clear(&cancel->idle);
  g_mutex_clear(&cancel->lock);
  g_free(cancel);
}

void cancel_trigger(Cancel *cancel)
{
  g_mutex_lock(&cancel->lock);
  if (g_atomic_int_get(&cancel->set)) {
    g_mutex_unlock(&cancel->lock);
    return;
  }
  g_atomic_int_set(&cancel->set, 1);
  while (cancel->listeners->len > 0) {
    Listener listener = g_array_index(cancel->listeners, Listener, 0);
    g_array_remove_index_fast(cancel->listeners, 0);
    cancel->running = listener.id;
    cancel->runner = g_thread_self();
    g_mutex_unlock(&cancel->lock);
    listener.func(listener.user);
    g_mutex_lock(&cancel->lock);
    cancel->running = 0;
    g_cond_broadcast(&cancel->idle);
  }
  g_mutex_unlock(&cancel->lock);
}

gboolean cancel_is_set(Cancel *cancel)
{
  return cancel && g_atomic_int_get(&cancel->set);
}

gulong cancel_connect(Cancel *cancel, CancelFunc func, gpointer user)
{
  if (!cancel)
    return 0;
  g_mutex_lock(&cancel->lock);
  gulong id = ++cancel->last_id;
  gboolean now = g_atomic_int_get(&cancel->set) != 0;
  if (!now) {
    Listener listener = {id, func, user};
    g_array_append_val(cancel->listeners, listener);
  }
  g_mutex_unlock(&cancel->lock);
  if (now)
    func(user);
  return id;
}

void cancel_disconnect(Cancel *cancel, gulong id)
{
  if (!cancel || !id)
    return;
  g_mutex_lock(&cancel->lock);
  for (guint i = 0; i < cancel->listeners->len; i++)
    if (g_array_index(cancel->listeners, Listener, i).id == id) {
      g_array_remove_index_fast(cancel->listeners, i);
      break;
    }
  while (cancel->running == id && cancel->runner != g_thread_self())
    g_cond_wait(&cancel->idle, &cancel->lock);
  g_mutex_unlock(&cancel->lock);
}

typedef struct {
  GCond *cond;
  GMutex *lock;
} Waiter;

static void wake_waiter(gpointer user)
{
  Waiter *waiter = user;
  g_mutex_lock(waiter->lock);
  g_cond_broadcast(waiter->cond);
  g_mutex_unlock(waiter->lock);
}

static gboolean wait_once(GCond *cond, GMutex *lock, gint64 deadline)
{
  if (deadline == G_MAXINT64) {
    g_cond_wait(cond, lock);
    return TRUE;
  }
  return g_cond_wait_until(cond, lock, deadline);
}

int cancel_wait(Cancel *cancel, GCond *cond, GMutex *lock, gint64 deadline)
{
  if (!cancel)
    return wait_once(cond, lock, deadline) ? 0 : ETIMEDOUT;

  /* Not cancel_connect(): it would call wake_waiter() here, with LOCK held. */
  Waiter waiter = {cond, lock};
  g_mutex_lock(&cancel->lock);
  if (g_atomic_int_get(&cancel->set)) {
    g_mutex_unlock(&cancel->lock);
    return EINTR;
  }
  Listener listener = {++cancel->last_id, wake_waiter, &waiter};
  g_array_append_val(cancel->listeners, listener);
  g_mutex_unlock(&cancel->lock);

  gboolean signalled = wait_once(cond, lock, deadline);

  /* The listener takes LOCK, so it must be let go before waiting for it to have run. */
  g_mutex_unlock(lock);
  cancel_disconnect(cancel, listener.id);
  g_mutex_lock(lock);
  if (cancel_is_set(cancel))
    return EINTR;
  return signalled ? 0 : ETIMEDOUT;
}
