/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what ThreadSanitizer must be told about GLib; empty in every other build. GLib's locks are
 * futexes and its counts are atomics inside a library that is not instrumented: without this each
 * use of them looks like a race. Every function here calls the real one and says what it orders.
 */
#include <glib.h>

#ifdef __SANITIZE_THREAD__

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#define RW __tsan_mutex_not_static
#define READ (RW | __tsan_mutex_read_lock)

/* The library's own NAME. Not in a constructor: GLib's are run before those of the program. */
#define REAL(name)                                                                                 \
  static void *found;                                                                              \
  if (!__atomic_load_n(&found, __ATOMIC_ACQUIRE))                                                  \
    __atomic_store_n(&found, dlsym(RTLD_NEXT, #name), __ATOMIC_RELEASE);                           \
  __typeof__(&(name)) real =                                                                       \
      (__typeof__(&(name)))(guintptr)__atomic_load_n(&found, __ATOMIC_ACQUIRE)

void g_mutex_lock(GMutex *mutex)
{
  REAL(g_mutex_lock);
  __tsan_mutex_pre_lock(mutex, RW);
  real(mutex);
  __tsan_mutex_post_lock(mutex, RW, 0);
}

gboolean g_mutex_trylock(GMutex *mutex)
{
  REAL(g_mutex_trylock);
  __tsan_mutex_pre_lock(mutex, RW | __tsan_mutex_try_lock);
  gboolean got = real(mutex);
  __tsan_mutex_post_lock(mutex,
                         RW | __tsan_mutex_try_lock | (got ? 0u : __tsan_mutex_try_lock_failed), 0);
  return got;
}

void g_mutex_unlock(GMutex *mutex)
{
  REAL(g_mutex_unlock);
  __tsan_mutex_pre_unlock(mutex, RW);
  real(mutex);
  __tsan_mutex_post_unlock(mutex, RW);
}

void g_mutex_clear(GMutex *mutex)
{
  REAL(g_mutex_clear);
  real(mutex);
  __tsan_mutex_destroy(mutex, RW);
}

void g_cond_wait(GCond *cond, GMutex *mutex)
{
  REAL(g_cond_wait);
  __tsan_mutex_pre_unlock(mutex, RW);
  __tsan_mutex_post_unlock(mutex, RW);
  real(cond, mutex);
  __tsan_mutex_pre_lock(mutex, RW);
  __tsan_mutex_post_lock(mutex, RW, 0);
}

gboolean g_cond_wait_until(GCond *cond, GMutex *mutex, gint64 end_time)
{
  REAL(g_cond_wait_until);
  __tsan_mutex_pre_unlock(mutex, RW);
  __tsan_mutex_post_unlock(mutex, RW);
  gboolean signalled = real(cond, mutex, end_time);
  __tsan_mutex_pre_lock(mutex, RW);
  __tsan_mutex_post_lock(mutex, RW, 0);
  return signalled;
}

void g_rw_lock_writer_lock(GRWLock *lock)
{
  REAL(g_rw_lock_writer_lock);
  __tsan_mutex_pre_lock(lock, RW);
  real(lock);
  __tsan_mutex_post_lock(lock, RW, 0);
}

void g_rw_lock_writer_unlock(GRWLock *lock)
{
  REAL(g_rw_lock_writer_unlock);
  __tsan_mutex_pre_unlock(lock, RW);
  real(lock);
  __tsan_mutex_post_unlock(lock, RW);
}

void g_rw_lock_reader_lock(GRWLock *lock)
{
  REAL(g_rw_lock_reader_lock);
  __tsan_mutex_pre_lock(lock, READ);
  real(lock);
  __tsan_mutex_post_lock(lock, READ, 0);
}

void g_rw_lock_reader_unlock(GRWLock *lock)
{
  REAL(g_rw_lock_reader_unlock);
  __tsan_mutex_pre_unlock(lock, READ);
  real(lock);
  __tsan_mutex_post_unlock(lock, READ);
}

void g_rw_lock_clear(GRWLock *lock)
{
  REAL(g_rw_lock_clear);
  real(lock);
  __tsan_mutex_destroy(lock, RW);
}

/* What was done with a thing before a reference went comes before what its last holder does. */
static void let_go(void *thing)
{
  __tsan_release(thing);
  __tsan_acquire(thing);
}

gboolean(g_atomic_ref_count_dec)(gatomicrefcount *count)
{
  REAL(g_atomic_ref_count_dec);
  let_go(count);
  return real(count);
}

void g_bytes_unref(GBytes *bytes)
{
  REAL(g_bytes_unref);
  if (bytes)
    let_go(bytes);
  real(bytes);
}

gpointer g_once_impl(GOnce *once, GThreadFunc func, gpointer arg)
{
  REAL(g_once_impl);
  gpointer value = real(once, func, arg);
  let_go(once);
  return value;
}

gboolean(g_once_init_enter)(volatile void *location)
{
  REAL(g_once_init_enter);
  gboolean first = real(location);
  __tsan_acquire((void *)(guintptr)location);
  return first;
}

void(g_once_init_leave)(volatile void *location, gsize result)
{
  REAL(g_once_init_leave);
  __tsan_release((void *)(guintptr)location);
  real(location, result);
}

/* The links of a pool's queue are made by one thread and freed by another under a lock unseen here;
 * nothing of ours uses that function. */
const char *__tsan_default_suppressions(void);

__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void)
{
  return "race:g_queue_pop_tail\n";
}

/* A pool hands each piece of work from the thread that pushes it to the one that does it. */
typedef struct {
  GFunc func;
  gpointer user;
} Work;

static void do_work(gpointer data, gpointer user)
{
  const Work *work = user;
  __tsan_acquire(data);
  work->func(data, work->user);
  __tsan_release(user);
}

GThreadPool *g_thread_pool_new(GFunc func, gpointer user, gint most, gboolean own, GError **error)
{
  REAL(g_thread_pool_new);
  Work *work = g_new(Work, 1); /* lives as long as the program: a pool does, nearly */
  *work = (Work){func, user};
  return real(do_work, work, most, own, error);
}

gboolean g_thread_pool_push(GThreadPool *pool, gpointer data, GError **error)
{
  REAL(g_thread_pool_push);
  __tsan_release(data);
  return real(pool, data, error);
}

/* The pool's last thread frees it, in an order that only GLib's own lock, unseen here, tells. */
__attribute__((no_sanitize("thread"))) static gpointer work_of(const GThreadPool *pool)
{
  return pool->user_data;
}

void g_thread_pool_free(GThreadPool *pool, gboolean immediate, gboolean wait)
{
  REAL(g_thread_pool_free);
  gpointer work = work_of(pool);
  real(pool, immediate, wait);
  __tsan_acquire(work);
}

#endif
