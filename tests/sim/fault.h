/* SPDX-License-Identifier: Apache-2.0 */
/* Scripted faults. The file has a rule a line, the first that matches wins:
 *
 *     METHOD PATH-GLOB WHEN ACTION...        # '*' any method; the glob is matched on the decoded
 * path
 *
 * WHEN:   always | nth=N (only the N-th match) | times=N (the first N) | after=N (from the N+1-th
 * on) ACTION: status=CODE [retry-after=SECS] [body=TEXT] [type=CONTENT-TYPE] body-file=PATH
 * [type=CONTENT-TYPE] [status=CODE] stall=BYTES     that many body bytes, then nothing until the
 * client goes away cut=BYTES       the connection closes after that many body bytes; the header
 * promised all length=DELTA    a Content-Length that is wrong by DELTA slow=BYTES      bytes a
 * second drop            close before any answer; nothing is done drop-after      do it, then close
 * without an answer delay=MS        and then as usual; goes with any other action In a glob, '*'
 * crosses '/'. A blank in a path or text is written %20. */
#pragma once

#include "sim.h"

typedef struct {
  gboolean drop, drop_after;
  int status;        /* 0: the real one */
  int retry_after;   /* -1: none */
  char *text, *type; /* body to send instead; NULL: none */
  char *body_file;
  gint64 stall, cut, slow; /* -1: none */
  gint64 length;           /* 0: right */
  guint delay_ms;
} Fault;

/* Reads the file; NULL and an error that names the line. */
Faults *faults_new(const char *path, GError **error);
void faults_free(Faults *faults);
/* Reads it again and forgets what was counted. Keeps the old rules when the new file is bad. */
gboolean faults_reload(Faults *faults, GError **error);
/* The fault for this request, or NULL. Free with fault_free. Thread-safe. */
Fault *faults_match(Faults *faults, const char *method, const char *decoded_path);
void fault_free(Fault *fault);
/* An answer that replaces the real one. FALSE: this fault leaves the answer to the handler. */
gboolean fault_reply(const Fault *fault, Reply *reply);
