/* SPDX-License-Identifier: Apache-2.0 */
/* What tests ask the simulator itself, under /.sim/ and never signed in: GET mutations, requests,
 * submissions, log (the last requests with headers and text bodies); POST reset, expire (all
 * sessions of the forms), advance (their clock, by the seconds in the body), password ("name:new"),
 * access (a line as --access). Also the access log, since both count the same requests. */
#pragma once

#include "sim.h"

typedef struct Control Control;

Control *control_new(void);
void control_free(Control *control);
/* TRUE when the request was for /.sim/. */
gboolean control_handle(Control *control, Sim *sim, const Request *request, Reply *reply);
/* Counts and logs one finished request. */
void control_count(Control *control, Sim *sim, const Request *request, int status, guint64 bytes_in,
                   guint64 bytes_out);
