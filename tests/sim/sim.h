/* SPDX-License-Identifier: Apache-2.0 */
/* One running simulator: its settings, its store, and one request and its reply as every handler
 * sees them. Handlers turn a Request into a Reply and know no socket; http.c does the rest. */
#pragma once

#include "model.h"
#include "switches.h"

#include <stdio.h>

typedef struct Faults Faults;
typedef struct Auth Auth;
typedef struct Access Access;
typedef struct Views Views;

typedef struct {
  Switches switches;
  Model *model;
  Faults *faults; /* NULL: none */
  Auth *auth;     /* NULL: no sign-in */
  Access *access; /* NULL: owners in their own mailboxes, all in /public */
  Views *views;   /* results of SEARCH, kept between pages */
  const char *first_user;
  const char *href_host; /* NULL: what the request's Host says */
  guint delay_ms;
  FILE *access_log; /* NULL: none */
  gint stopping;    /* atomic; ends every wait */
} Sim;

static inline gint64 sim_switch(const Sim *sim, SwitchId id)
{
  return sim->switches.value[id];
}

static inline gboolean sim_exchange(const Sim *sim)
{
  return sim->switches.value[SWITCH_EXCHANGE] != 0;
}

typedef struct {
  const char *method;
  char *path;          /* as sent, still escaped, without the query */
  char *query;         /* or NULL */
  GHashTable *headers; /* lower-case name -> value */
  Body *body;          /* never NULL in a handler */
  const char *user;    /* signed in as, or NULL; owned by the Auth */
} Request;

/* The value of a header (lower-case name), or NULL. */
const char *request_header(const Request *request, const char *name);
gboolean request_header_is(const Request *request, const char *name, const char *value);
/* The body as text, NUL-terminated, at most limit bytes; NULL when longer. Free with g_free. */
char *request_text(const Request *request, gsize limit, gsize *ret_len);
/* Whether the proxy in front was reached by https, as it says itself (Front-End-Https: on). */
gboolean request_is_https(const Request *request);
/* "http://host:port", of this request or of --href-host. Appends to out. */
void request_append_origin(const Sim *sim, const Request *request, GString *out);

typedef struct {
  int status;
  GPtrArray *headers;     /* name, value, name, value …; owned strings */
  GString *text;          /* the body, or NULL */
  Body *body;             /* the body, if text is NULL */
  guint64 offset, length; /* the part of body to send */
  gboolean chunked;
  gboolean close;
} Reply;

void reply_header(Reply *reply, const char *name, const char *value);
void reply_headerf(Reply *reply, const char *name, const char *format, ...) G_GNUC_PRINTF(3, 4);
/* Status alone, with an empty body. */
void reply_status(Reply *reply, int status);
/* Status with a short text; type NULL: text/html. */
void reply_text(Reply *reply, int status, const char *type, const char *text);
/* A 207 whose document is text (taken). */
void reply_multistatus(Reply *reply, GString *text);
/* Frees what the reply holds. */
void reply_clear(Reply *reply);
