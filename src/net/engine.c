/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the thread, the multi handle and the turn of transfers; leaves what a transfer is to
 * transfer.c. All state but the inbox and the counts belongs to the net thread.
 *
 * Locks: Engine.lock and a transfer's lock are never held together.
 */
#include "net/engine.h"

#include "base/log.h"

#include <pthread.h>
#include <signal.h>

#define IDLE_US ((gint64)60 * G_USEC_PER_SEC)

struct Engine {
  const NetConfig *config;
  GThread *thread;
  CURLM *multi;

  /* the net thread's own */
  GPtrArray *running; /* Transfer, at most config->connections */
  GQueue waiting;     /* Transfer, first come, first served */

  GMutex lock;
  GPtrArray *inbox;  /* lock: Transfer, with a reference each; empty = the thread may sleep */
  gboolean stopping; /* lock: every transfer ends */
  gboolean quit;     /* lock: the thread ends */
  HttpCounts counts; /* lock */
};

void engine_poke(Engine *engine, Transfer *transfer)
{
  g_mutex_lock(&engine->lock);
  gboolean asleep = engine->inbox->len == 0; /* else somebody has woken it already */
  g_ptr_array_add(engine->inbox, transfer_ref(transfer));
  g_mutex_unlock(&engine->lock);
  if (asleep)
    curl_multi_wakeup(engine->multi);
}

/* Takes TRANSFER, which is in no list, out of the world. */
static void finish(Engine *engine, Transfer *transfer, CURLcode code)
{
  HttpCounts used = {0};
  if (transfer_easy(transfer))
    curl_multi_remove_handle(engine->multi, transfer_easy(transfer));
  transfer_end(transfer, code, &used);
  transfer_set_state(transfer, TRANSFER_ENDED);

  g_mutex_lock(&engine->lock);
  engine->counts.requests += used.requests;
  engine->counts.changing_requests += used.changing_requests;
  engine->counts.bytes_in += used.bytes_in;
  engine->counts.bytes_out += used.bytes_out;
  engine->counts.connections += used.connections;
  g_mutex_unlock(&engine->lock);

  transfer_announce(transfer);
  transfer_unref(transfer);
}

static void unlist(Engine *engine, Transfer *transfer)
{
  if (transfer_state(transfer) == TRANSFER_RUNNING)
    g_ptr_array_remove_fast(engine->running, transfer);
  else if (transfer_state(transfer) == TRANSFER_WAITING)
    g_queue_remove(&engine->waiting, transfer);
}

static void drop_stopped(Engine *engine, Transfer *transfer)
{
  unlist(engine, transfer);
  transfer_fail_stopped(transfer);
  finish(engine, transfer, CURLE_ABORTED_BY_CALLBACK);
}

static void start_waiting(Engine *engine)
{
  while (engine->running->len < engine->config->connections && engine->waiting.length > 0) {
    Transfer *transfer = g_queue_pop_head(&engine->waiting);
    transfer_set_state(transfer, TRANSFER_RUNNING);
    g_ptr_array_add(engine->running, transfer);
    curl_multi_add_handle(engine->multi, transfer_begin(transfer));
  }
}

static void handle_poke(Engine *engine, Transfer *transfer, gboolean stopping)
{
  TransferState state = transfer_state(transfer);
  if (state == TRANSFER_ENDED)
    return;
  if (state == TRANSFER_NEW) {
    transfer_set_state(transfer, TRANSFER_WAITING);
    g_queue_push_tail(&engine->waiting, transfer_ref(transfer));
  }
  if (stopping || transfer_is_stopped(transfer))
    drop_stopped(engine, transfer);
  else if (state == TRANSFER_RUNNING)
    transfer_resume(transfer);
}

/* Empties the inbox; FALSE when the thread is to end. */
static gboolean take_inbox(Engine *engine)
{
  g_mutex_lock(&engine->lock);
  g_autoptr(GPtrArray) news = engine->inbox;
  engine->inbox = g_ptr_array_new_with_free_func((GDestroyNotify)transfer_unref);
  gboolean stopping = engine->stopping, quit = engine->quit;
  g_mutex_unlock(&engine->lock);

  for (guint i = 0; i < news->len; i++)
    handle_poke(engine, news->pdata[i], stopping);
  while (stopping && engine->running->len > 0)
    drop_stopped(engine, engine->running->pdata[0]);
  while (stopping && engine->waiting.length > 0)
    drop_stopped(engine, g_queue_peek_head(&engine->waiting));
  return !quit;
}

static void reap(Engine *engine)
{
  int left;
  for (CURLMsg *message; (message = curl_multi_info_read(engine->multi, &left));) {
    if (message->msg != CURLMSG_DONE)
      continue;
    Transfer *transfer = NULL;
    CURLcode code = message->data.result; /* gone with the handle */
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
    unlist(engine, transfer);
    finish(engine, transfer, code);
  }
}

/* Ends TRANSFER when its time is up, else brings *NEXT forward to that time. */
static gboolean is_late(Engine *engine, Transfer *transfer, gint64 now, gint64 *next)
{
  gint64 due = transfer_due(transfer, now);
  if (due > now) {
    *next = MIN(*next, due);
    return FALSE;
  }
  unlist(engine, transfer);
  transfer_fail_timeout(transfer);
  finish(engine, transfer, CURLE_ABORTED_BY_CALLBACK);
  return TRUE;
}

/* Hands on what has arrived and ends what is late. When to look again (monotonic microseconds). */
static gint64 tend(Engine *engine)
{
  gint64 now = g_get_monotonic_time(), next = now + IDLE_US;
  for (guint i = 0; i < engine->running->len;) {
    Transfer *transfer = engine->running->pdata[i];
    if (transfer_publish(transfer))
      next = now;
    if (!is_late(engine, transfer, now, &next))
      i++; /* else the last one has taken its place */
  }
  for (GList *link = engine->waiting.head; link;) {
    GList *after = link->next;
    is_late(engine, link->data, now, &next);
    link = after;
  }
  return next;
}

static gpointer engine_run(gpointer data)
{
  Engine *engine = data;
  while (take_inbox(engine)) {
    int running;
    curl_multi_perform(engine->multi, &running);
    reap(engine);
    gint64 next = tend(engine);
    start_waiting(engine); /* a new handle makes the poll return at once */
    gint64 wait_us = MAX(next - g_get_monotonic_time(), 0);
    curl_multi_poll(engine->multi, NULL, 0, (int)((wait_us + 999) / 1000), NULL);
  }
  return NULL;
}

Engine *engine_new(const NetConfig *config)
{
  Engine *engine = g_new0(Engine, 1);
  engine->config = config;
  g_mutex_init(&engine->lock);
  engine->inbox = g_ptr_array_new_with_free_func((GDestroyNotify)transfer_unref);
  engine->running = g_ptr_array_new();
  g_queue_init(&engine->waiting);
  engine->multi = curl_multi_init();
  if (!engine->multi)
    g_error("out of memory for libcurl");
  long connections = (long)config->connections;
  curl_multi_setopt(engine->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
  curl_multi_setopt(engine->multi, CURLMOPT_MAXCONNECTS, connections);
  curl_multi_setopt(engine->multi, CURLMOPT_MAX_HOST_CONNECTIONS, connections);
  curl_multi_setopt(engine->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);

  /* The thread (and the resolver threads it makes) takes no signals: those are for the thread that
   * waits for them, and SIGPIPE from a TLS write is for nobody. */
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  engine->thread = g_thread_new("net", engine_run, engine);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return engine;
}

static void wake_with(Engine *engine, gboolean *flag)
{
  g_mutex_lock(&engine->lock);
  *flag = TRUE;
  g_mutex_unlock(&engine->lock);
  curl_multi_wakeup(engine->multi);
}

void engine_stop_all(Engine *engine)
{
  wake_with(engine, &engine->stopping);
}

void engine_free(Engine *engine)
{
  wake_with(engine, &engine->quit);
  g_thread_join(engine->thread);
  curl_multi_cleanup(engine->multi);
  g_ptr_array_unref(engine->inbox);
  g_ptr_array_unref(engine->running);
  g_mutex_clear(&engine->lock);
  g_free(engine);
}

void engine_counts(Engine *engine, HttpCounts *out)
{
  g_mutex_lock(&engine->lock);
  *out = engine->counts;
  g_mutex_unlock(&engine->lock);
}
