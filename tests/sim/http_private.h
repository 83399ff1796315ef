/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its answer on a connection, between http.c and http_send.c. */
#pragma once

#include "dav_url.h"
#include "fault.h"

#include <microhttpd.h>

typedef struct {
  Request request;
  Reply reply;
  Spool *spool;
  Fault *fault; /* or NULL */
  int socket;
  guint turn; /* the first request of its connection is 1 */
  gboolean failed, control;
  guint64 bytes_in, bytes_out;
  gint64 sent_limit; /* stall or cut: body bytes until then; -1: none */
  gint64 started;    /* of sending, monotonic; for slow */
  guint chunk_seed;
  Sim *sim;
} Exchange;

/* Queues the reply, faults applied; MHD_NO closes the connection at once. */
enum MHD_Result exchange_send(Sim *sim, Exchange *exchange, struct MHD_Connection *connection);
void exchange_free(Exchange *exchange);
