/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: the one thread that owns libcurl's multi handle. It runs at most
 * config->connections transfers at a time, the rest wait their turn in order: libcurl never sees
 * more than it may start, so its connect timeout does not run while a request merely waits.
 */
#pragma once

#include "net/transfer.h"

/* Starts the thread. CONFIG is borrowed. */
Engine *engine_new(const NetConfig *config);

/* Ends every transfer there is and every one that still comes as cancelled. Does not wait. */
void engine_stop_all(Engine *engine);

/* Ends the thread; no transfer may be left. */
void engine_free(Engine *engine);

/* Any thread: TRANSFER is new, was stopped or has room again. */
void engine_poke(Engine *engine, Transfer *transfer);

void engine_counts(Engine *engine, HttpCounts *out);
