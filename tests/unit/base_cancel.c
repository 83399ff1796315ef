/* SPDX-License-Identifier: Apache-2.0 */
/* Cancel tokens: who is woken, when, and that a disconnected listener is never called. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cancel.h"

#include <errno.h>
#include <pthread.h>

#define MS G_GINT64_CONSTANT(1000)

/* What every waiter does, on a predicate that never comes true. */
static int sleep_until(Cancel *cancel, gint64 deadline)
{
  GMutex lock;
  GCond cond;
  g_mutex_init(&lock);
  g_cond_init(&cond);
  int result = 0;
  g_mutex_lock(&lock);
  while (result == 0 && g_get_monotonic_time() < deadline)
    result = cancel_wait(cancel, &cond, &lock, deadline);
  g_mutex_unlock(&lock);
  g_cond_clear(&cond);
  g_mutex_clear(&lock);
  return result == EINTR ? EINTR : 0;
}

static void count(gpointer user)
{
  g_atomic_int_inc((gint *)user);
}

static void *trigger_later(void *cancel)
{
  g_usleep(50 * MS);
  cancel_trigger(cancel);
  return NULL;
}

static void *trigger_now(void *cancel)
{
  cancel_trigger(cancel);
  return NULL;
}

static void test_listeners(void **state)
{
  (void)state;
  g_autoptr(Cancel) cancel = cancel_new();
  gint first = 0, second = 0, late = 0;
  gulong id = cancel_connect(cancel, count, &first);
  gulong other = cancel_connect(cancel, count, &second);
  assert_true(id != 0 && other != 0 && id != other);
  cancel_disconnect(cancel, id);
  assert_false(cancel_is_set(cancel));
  cancel_trigger(cancel);
  cancel_trigger(cancel);
  assert_true(cancel_is_set(cancel));
  assert_int_equal(first, 0);
  assert_int_equal(second, 1);
  cancel_disconnect(cancel, other);
  cancel_disconnect(cancel, cancel_connect(cancel, count, &late)); /* set already: at once */
  assert_int_equal(late, 1);
}

static void test_null(void **state)
{
  (void)state;
  gint calls = 0;
  assert_false(cancel_is_set(NULL));
  assert_int_equal(cancel_connect(NULL, count, &calls), 0);
  cancel_disconnect(NULL, 0);
  cancel_unref(NULL);
  assert_int_equal(sleep_until(NULL, g_get_monotonic_time() + 10 * MS), 0);
  assert_int_equal(calls, 0);
}

static void test_sleep(void **state)
{
  (void)state;
  g_autoptr(Cancel) cancel = cancel_new();
  pthread_t thread;
  gint64 start = g_get_monotonic_time();
  assert_int_equal(sleep_until(cancel, start - 1), 0);
  assert_int_equal(sleep_until(cancel, start + 30 * MS), 0);
  assert_true(g_get_monotonic_time() >= start + 30 * MS);
  pthread_create(&thread, NULL, trigger_later, cancel);
  assert_int_equal(sleep_until(cancel, start + 60 * G_USEC_PER_SEC), EINTR);
  assert_true(g_get_monotonic_time() < start + 5 * G_USEC_PER_SEC);
  pthread_join(thread, NULL);
  assert_int_equal(sleep_until(cancel, start + 60 * G_USEC_PER_SEC), EINTR);
}

typedef struct {
  GMutex lock;
  GCond cond;
  gboolean ready;
} Box;

static void *fill_box(void *data)
{
  Box *box = data;
  g_usleep(30 * MS);
  g_mutex_lock(&box->lock);
  box->ready = TRUE;
  g_cond_signal(&box->cond);
  g_mutex_unlock(&box->lock);
  return NULL;
}

static int wait_for_box(Box *box, Cancel *cancel, gint64 deadline)
{
  int result = 0;
  g_mutex_lock(&box->lock);
  while (!box->ready && result == 0)
    result = cancel_wait(cancel, &box->cond, &box->lock, deadline);
  g_mutex_unlock(&box->lock);
  return result;
}

static void test_wait(void **state)
{
  (void)state;
  for (int with_cancel = 0; with_cancel < 2; with_cancel++) {
    Box box = {.ready = FALSE};
    g_autoptr(Cancel) cancel = with_cancel ? cancel_new() : NULL;
    pthread_t thread;
    assert_int_equal(wait_for_box(&box, cancel, g_get_monotonic_time() + 10 * MS), ETIMEDOUT);
    pthread_create(&thread, NULL, fill_box, &box);
    assert_int_equal(wait_for_box(&box, cancel, G_MAXINT64), 0);
    pthread_join(thread, NULL);
    if (cancel) {
      box.ready = FALSE;
      pthread_create(&thread, NULL, trigger_later, cancel);
      assert_int_equal(wait_for_box(&box, cancel, G_MAXINT64), EINTR);
      pthread_join(thread, NULL);
    }
    g_cond_clear(&box.cond);
    g_mutex_clear(&box.lock);
  }
}

typedef struct {
  gint alive, wrong;
} Guarded;

static void touch(gpointer user)
{
  Guarded *guarded = user;
  for (guint i = 0; i < 50; i++) {
    if (!g_atomic_int_get(&guarded->alive))
      g_atomic_int_inc(&guarded->wrong);
    g_thread_yield();
  }
}

/* After cancel_disconnect() nothing runs, however close the trigger was. */
static void test_race(void **state)
{
  (void)state;
  for (guint i = 0; i < 300; i++) {
    g_autoptr(Cancel) cancel = cancel_new();
    Guarded guarded = {.alive = 1};
    pthread_t thread;
    gulong id = cancel_connect(cancel, touch, &guarded);
    pthread_create(&thread, NULL, trigger_now, cancel);
    if (i % 3)
      g_usleep(i % 50);
    cancel_disconnect(cancel, id);
    g_atomic_int_set(&guarded.alive, 0);
    pthread_join(thread, NULL);
    assert_int_equal(guarded.wrong, 0);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_listeners), cmocka_unit_test(test_null), cmocka_unit_test(test_sleep),
      cmocka_unit_test(test_wait),      cmocka_unit_test(test_race),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
