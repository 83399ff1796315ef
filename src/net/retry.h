/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether and when a request is sent again, as a pure decision: no clock, no sleeping, no state.
 * Resending after a broken connection is for requests that are safe to repeat; "I am busy, come
 * back later" (429, 503) is for all of them, because the server says that it did nothing.
 */
#pragma once

#include <glib.h>

/* How an attempt ended, as far as trying again goes. */
typedef enum {
  END_ANSWERED, /* status and headers are there */
  END_UNSENT,   /* no connection: the server never saw the request */
  END_SILENT,   /* the connection broke before the first byte of an answer */
  END_FINAL,    /* broken later, out of time, cancelled, not HTTP: nothing to gain */
} AttemptEnd;

typedef struct {
  AttemptEnd end;
  int status;            /* with END_ANSWERED */
  gboolean changes;      /* not safe to repeat */
  guint resent;          /* so often sent again already because the connection broke */
  guint busy;            /* so often waited already because the server was busy */
  gint64 retry_after_ms; /* what the server asked for, -1 nothing */
  gint64 waited_ms;      /* time spent waiting so far */
  gint64 patience_ms;    /* all waits together stay within */
  gint64 left_ms;        /* until the request's deadline; G_MAXINT64 none */
} RetryCase;

/* Milliseconds to wait before sending again, -1 to take the attempt's end as the answer. */
gint64 retry_wait_ms(const RetryCase *attempt);

/*
 * The value of Retry-After (RFC 9110 section 10.2.3: seconds or a date) in milliseconds from NOW
 * (seconds since 1970), -1 when it is NULL or neither. A date in the past is 0. At most a day.
 */
gint64 retry_parse_after(const char *value, gint64 now);
