/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: one attempt at one request, shared by two threads. The caller's thread takes
 * head, pieces and end with transfer_next(); the net thread fills them in. What the request borrows
 * (body, callbacks, cancel token) is not touched any more once EVENT_END was given.
 *
 *   caller:  transfer_new  engine_poke  transfer_next...  [transfer_stop]  transfer_take_*  unref
 *   net:     transfer_begin  (libcurl's callbacks)  transfer_publish...  transfer_end  unref
 */
#pragma once

#include "net/config.h"
#include "net/response.h"
#include "net/retry.h"

typedef struct Engine Engine;
typedef struct Transfer Transfer;

typedef enum { EVENT_HEAD, EVENT_DATA, EVENT_END } TransferEvent;

/* Where an attempt goes and what it signs in with; belongs to who waits for its end. */
typedef struct {
  const Site *site;
  const char *path; /* request->path, or where a server sent us */
  Grant grant;
  gboolean fresh; /* on a connection of its own: a kept one may be dying */
} Route;

/*
 * A new attempt with one reference; CONFIG, REQUEST and ROUTE are borrowed, ENGINE is told of news.
 */
Transfer *transfer_new(const NetConfig *config, const HttpRequest *request, const Route *route,
                       Engine *engine);
Transfer *transfer_ref(Transfer *transfer);
void transfer_unref(Transfer *transfer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Transfer, transfer_unref)

/* Any thread: the attempt is to end as cancelled, at once. Wakes the net thread. */
void transfer_stop(Transfer *transfer);

/* The caller's thread ---------------------------------------------------------------------- */

/*
 * Waits for what comes next. EVENT_DATA lends *LEN bytes at *BYTES until the next call. After a
 * break all bytes that arrived are given first, after a stop none. EVENT_HEAD comes at most once.
 */
TransferEvent transfer_next(Transfer *transfer, const void **bytes, gsize *len);

/* After EVENT_HEAD; borrowed. */
HttpResponse *transfer_response(Transfer *transfer);

/* After EVENT_END: the response becomes the caller's, or NULL when there was no head. */
HttpResponse *transfer_take_response(Transfer *transfer);

/* After EVENT_END: how it ended, and why (owned by the caller; NULL for END_ANSWERED). */
AttemptEnd transfer_take_end(Transfer *transfer, GError **error);

/* The net thread --------------------------------------------------------------------------- */

typedef enum { TRANSFER_NEW, TRANSFER_WAITING, TRANSFER_RUNNING, TRANSFER_ENDED } TransferState;

/* Where the engine keeps the attempt; the net thread's own note. */
TransferState transfer_state(const Transfer *transfer);
void transfer_set_state(Transfer *transfer, TransferState state);

/* TRUE once transfer_stop() was called. */
gboolean transfer_is_stopped(Transfer *transfer);

/* Makes the handle to add to the multi handle; transfer_end() frees it. */
CURL *transfer_begin(Transfer *transfer);
CURL *transfer_easy(const Transfer *transfer);

/*
 * Once per round: shows the caller what has arrived, as soon as it is a batch or nothing more came
 * in this round; stops reading when the buffer is full. TRUE when something is held back for the
 * batch, so that the next round must follow at once.
 */
gboolean transfer_publish(Transfer *transfer);

/* Reads on when the caller has made room. */
void transfer_resume(Transfer *transfer);

/*
 * When the attempt is out of time if nothing happens (monotonic microseconds, G_MAXINT64 never).
 * Time in which the caller keeps the transfer stopped does not count as a stall.
 */
gint64 transfer_due(Transfer *transfer, gint64 now);

/* Ends the attempt because its time is up, or because it was stopped. */
void transfer_fail_timeout(Transfer *transfer);
void transfer_fail_stopped(Transfer *transfer);

/*
 * The attempt has ended with CODE (or as one of the two above set); its handle is out of the multi
 * handle. Adds what it used to COUNTS. The caller is woken by transfer_announce() after that.
 */
void transfer_end(Transfer *transfer, CURLcode code, HttpCounts *counts);
void transfer_announce(Transfer *transfer);
