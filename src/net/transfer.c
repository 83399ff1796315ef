/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns one attempt: libcurl's callbacks on one side, the waiting caller on the other, between them
 * a ring of bytes that bounds what a slow caller makes us hold. Leaves turns and sockets to
 * engine.c, the making of handles and errors to attempt.c.
 *
 * The ring has one writer and one reader. The net thread copies beyond `shown` without the lock
 * (nobody reads there) and moves `shown` once per batch with it; the caller reads between `taken`
 * and `shown` without the lock. So the caller is woken per batch, not per piece.
 */
#include "net/transfer_private.h"

#include "base/error.h"
#include "base/rule.h"

#include <string.h>

/*
 * Measured with a 1 GiB answer over loopback on two cores: a smaller ring runs full while the
 * caller's thread waits for a core, a smaller batch wakes it more often than it has work.
 */
#define RING_MAX ((gsize)2048 * 1024)
#define RING_MIN ((gsize)16 * 1024) /* libcurl's largest piece (CURL_MAX_WRITE_SIZE) */
#define RING_ROOM (RING_MAX / 2)    /* a stopped transfer goes on when so much is free */
#define BATCH ((gsize)512 * 1024)   /* the caller is woken for so much, or when no more comes */

Transfer *transfer_new(const NetConfig *config, const HttpRequest *request, const Route *route,
                       Engine *engine)
{
  Transfer *transfer = g_new0(Transfer, 1);
  g_atomic_ref_count_init(&transfer->refs);
  g_mutex_init(&transfer->lock);
  g_cond_init(&transfer->news);
  transfer->config = config;
  transfer->request = request;
  transfer->route = route;
  transfer->seen = tls_seen_new();
  transfer->engine = engine;
  transfer->has_fd = request->has_body_fd || (!request->body && request->body_size > 0);
  transfer->upload_size = transfer->has_fd ? request->body_size : (goffset)request->body_len;
  transfer->response = response_new();
  transfer->length = -1;
  return transfer;
}

Transfer *transfer_ref(Transfer *transfer)
{
  g_atomic_ref_count_inc(&transfer->refs);
  return transfer;
}

void transfer_unref(Transfer *transfer)
{
  if (!transfer || !g_atomic_ref_count_dec(&transfer->refs))
    return;
  http_response_free(transfer->response);
  tls_seen_unref(transfer->seen);
  g_clear_error(&transfer->error);
  g_free(transfer->ring);
  g_cond_clear(&transfer->news);
  g_mutex_clear(&transfer->lock);
  g_free(transfer);
}

/* The caller's thread ---------------------------------------------------------------------- */

void transfer_stop(Transfer *transfer)
{
  g_mutex_lock(&transfer->lock);
  transfer->stopped = TRUE;
  g_mutex_unlock(&transfer->lock);
  engine_poke(transfer->engine, transfer);
}

/* Gives back what was lent; TRUE when that makes enough room to read on. */
static gboolean give_back(Transfer *transfer)
{
  transfer->taken += transfer->lent;
  transfer->lent = 0;
  if (!transfer->paused || transfer->done)
    return FALSE;
  return transfer->ring_size - (gsize)(transfer->shown - transfer->taken) >= RING_ROOM;
}

static TransferEvent what_next(Transfer *transfer, const void **bytes, gsize *len)
{
  if (transfer->head_shown && !transfer->head_given && !transfer->stopped) {
    transfer->head_given = TRUE;
    return EVENT_HEAD;
  }
  if (transfer->shown == transfer->taken || transfer->stopped)
    return EVENT_END;
  gsize from = transfer->taken & (transfer->ring_size - 1);
  transfer->lent = MIN(transfer->shown - transfer->taken, transfer->ring_size - from);
  *bytes = transfer->ring + from;
  *len = transfer->lent;
  return EVENT_DATA;
}

TransferEvent transfer_next(Transfer *transfer, const void **bytes, gsize *len)
{
  g_mutex_lock(&transfer->lock);
  if (give_back(transfer)) {
    g_mutex_unlock(&transfer->lock);
    engine_poke(transfer->engine, transfer);
    g_mutex_lock(&transfer->lock);
  }
  TransferEvent event;
  while ((event = what_next(transfer, bytes, len)) == EVENT_END && !transfer->done) {
    transfer->asleep = TRUE;
    g_cond_wait(&transfer->news, &transfer->lock);
    transfer->asleep = FALSE;
  }
  g_mutex_unlock(&transfer->lock);
  return event;
}

HttpResponse *transfer_response(Transfer *transfer)
{
  return transfer->response;
}

HttpResponse *transfer_take_response(Transfer *transfer)
{
  return transfer->head_shown ? g_steal_pointer(&transfer->response) : NULL;
}

AttemptEnd transfer_take_end(Transfer *transfer, GError **error)
{
  if (transfer->error)
    g_propagate_error(error, g_steal_pointer(&transfer->error));
  return transfer->end;
}

/* The net thread --------------------------------------------------------------------------- */

TransferState transfer_state(const Transfer *transfer)
{
  return transfer->state;
}

void transfer_set_state(Transfer *transfer, TransferState state)
{
  transfer->state = state;
}

CURL *transfer_easy(const Transfer *transfer)
{
  return transfer->easy;
}

gboolean transfer_is_stopped(Transfer *transfer)
{
  g_mutex_lock(&transfer->lock);
  gboolean stopped = transfer->stopped;
  g_mutex_unlock(&transfer->lock);
  return stopped;
}

static void make_ring(Transfer *transfer)
{
  gint64 length = transfer->length;
  transfer->ring_size = RING_MAX;
  while (length >= 0 && transfer->ring_size > RING_MIN &&
         (gint64)(transfer->ring_size / 2) >= length)
    transfer->ring_size /= 2;
  transfer->ring = g_malloc(transfer->ring_size);
}

/* Called with the lock: moves on what the caller may see. Room left in the ring. */
static gsize show(Transfer *transfer)
{
  transfer->shown = transfer->filled;
  transfer->head_shown = transfer->head_done;
  return transfer->ring_size - (gsize)(transfer->shown - transfer->taken);
}

static void wake(Transfer *transfer)
{
  if (transfer->asleep)
    g_cond_signal(&transfer->news);
}

gboolean transfer_publish(Transfer *transfer)
{
  /* `shown`, `head_shown` and `paused` are written by this thread only: no lock to read them. */
  gboolean quiet = transfer->filled == transfer->filled_before;
  transfer->filled_before = transfer->filled;
  if (transfer->filled == transfer->shown && transfer->head_done == transfer->head_shown)
    return FALSE;
  if (!quiet && !transfer->paused && transfer->filled - transfer->shown < BATCH)
    return TRUE;
  g_mutex_lock(&transfer->lock);
  gsize room = show(transfer);
  /* A short ring holds all that is said to come: only a full-size one can run over. */
  gboolean full = transfer->ring_size == RING_MAX && room < NET_READ_SIZE && !transfer->paused;
  if (full)
    transfer->paused = TRUE;
  wake(transfer);
  g_mutex_unlock(&transfer->lock);
  if (full)
    curl_easy_pause(transfer->easy, CURLPAUSE_RECV);
  return FALSE;
}

void transfer_resume(Transfer *transfer)
{
  g_mutex_lock(&transfer->lock);
  gsize room = transfer->ring_size - (gsize)(transfer->filled - transfer->taken);
  gboolean resume = transfer->paused && room >= RING_ROOM;
  if (resume)
    transfer->paused = FALSE;
  g_mutex_unlock(&transfer->lock);
  if (!resume)
    return;
  transfer->progress_at = g_get_monotonic_time();  /* the wait was the caller's, no stall */
  curl_easy_pause(transfer->easy, CURLPAUSE_CONT); /* may call transfer_on_bytes() */
}

/* TRUE when LEN more bytes fit; else the transfer counts as paused from now on. */
static gboolean make_room(Transfer *transfer, gsize len)
{
  if (transfer->ring_size - (gsize)(transfer->filled - transfer->taken_seen) >= len)
    return TRUE;
  g_mutex_lock(&transfer->lock);
  transfer->taken_seen = transfer->taken;
  gboolean fits = show(transfer) >= len;
  if (!fits) {
    transfer->paused = TRUE;
    wake(transfer);
  }
  g_mutex_unlock(&transfer->lock);
  return fits;
}

size_t transfer_on_bytes(char *bytes, size_t size, size_t count, void *user)
{
  Transfer *transfer = user;
  gsize len = size * count;
  if (!transfer->ring)
    make_ring(transfer);
  if (!make_room(transfer, len))
    return CURL_WRITEFUNC_PAUSE;
  gsize at = transfer->filled & (transfer->ring_size - 1);
  gsize first = MIN(len, transfer->ring_size - at);
  memcpy(transfer->ring + at, bytes, first);
  memcpy(transfer->ring, bytes + first, len - first);
  transfer->filled += len;
  transfer->progress_at = g_get_monotonic_time();
  return len;
}

void transfer_announce(Transfer *transfer)
{
  g_mutex_lock(&transfer->lock);
  show(transfer);
  transfer->done = TRUE;
  wake(transfer);
  g_mutex_unlock(&transfer->lock);
}
