/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP side: a thread per connection (so that a stalled or delayed answer holds up nobody),
 * bodies spooled in, replies streamed out with the faults of the script, the access log, the
 * control resource. */
#pragma once

#include "sim.h"

typedef struct Http Http;

/* Listens on address:port (port 0 picks one). sim outlives it. */
Http *http_start(Sim *sim, const char *address, guint port, GError **error);
guint http_port(const Http *http);
/* Ends all connections, waits for their threads. */
void http_stop(Http *http);
