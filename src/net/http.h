/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP for the back-ends: one thread owns libcurl's multi handle; callers block in http_perform()
 * and get the answer's pieces on their own thread, through a bounded buffer that stops the
 * transfer when they are slow. Requests go to the configured origin only, whatever a server says.
 */
#pragma once

#include "base/cancel.h"
#include "base/secret.h"

typedef struct HttpClient HttpClient;

typedef struct {
  const char *origin;      /* "http://127.0.0.1:8025": scheme, host, port; no path, no user */
  const char *user;        /* NULL: no sign-in; a ':' in it is EINVAL */
  Secret *password;        /* NULL: empty; only read by http_client_new() */
  guint connections;       /* at most so many at once (0: 8) */
  guint connect_ms;        /* 0: 10,000 */
  guint stall_ms;          /* no byte either way for so long: ETIMEDOUT (0: 30,000) */
  guint commit_ms;         /* body sent, no answer yet: ETIMEDOUT after (0: 120,000) */
  gboolean insecure_basic; /* send a password over plain http to another machine */
} HttpOptions;

/*
 * A client with its thread. EACCES when a password would go over plain http to another machine
 * without insecure_basic. Does not connect.
 */
HttpClient *http_client_new(const HttpOptions *options, GError **error);

/* Cancels what is under way, waits for it, ends the thread. NULL is fine. */
void http_client_free(HttpClient *client);

/* "http://host:port", as given: to make absolute Destination headers. Borrowed. */
const char *http_client_origin(const HttpClient *client);

typedef struct HttpResponse HttpResponse;

/*
 * On the caller's thread: HEAD once, when the final status and headers are there; DATA for each
 * piece of the body. FALSE with ERROR ends the transfer with that error.
 */
typedef gboolean (*HttpHeadFunc)(const HttpResponse *response, gpointer user, GError **error);
typedef gboolean (*HttpDataFunc)(const void *bytes, gsize len, gpointer user, GError **error);

typedef struct {
  const char *method;
  const char *path;           /* percent-encoded, begins with '/'; may hold a query */
  const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
  const void *body;           /* body_len bytes in memory, or NULL */
  gsize body_len;
  int body_fd; /* with body_size > 0 or has_body_fd: body_size bytes from offset 0, by pread */
  gboolean has_body_fd;
  goffset body_size;
  Cancel *cancel;   /* borrowed, may be NULL */
  gint64 deadline;  /* monotonic microseconds, G_MAXINT64 none */
  gboolean changes; /* not safe to repeat: a lost answer sets error_maybe_applied() */
  HttpHeadFunc on_head;
  HttpDataFunc on_data; /* NULL: up to 64 KiB are kept for http_response_text() */
  gpointer user;
} HttpRequest;

/*
 * Sends REQUEST and waits for the end of the answer. Any HTTP status is a success here: judging it
 * is the back-end's. *RET (owned by the caller) holds status and headers. 503 and 429 are waited
 * out (Retry-After, else 1, 2, 4 s) while the deadline and `stall_ms` allow, then answered as they
 * are. A request that is safe to repeat is sent again, twice at most, when the connection broke
 * before the first byte of an answer. Errors: EINTR, ETIMEDOUT, EHOSTUNREACH (name, connect), EIO
 * (broken in the middle, wrong length), EPROTO (TLS, not HTTP, a head out of bounds), scope
 * SCOPE_LINE; EIO with SCOPE_LOCAL when body_fd holds less than body_size; EINVAL when method, path
 * or a header holds a character that would break the request; what on_head or on_data set.
 */
gboolean http_perform(HttpClient *client, const HttpRequest *request, HttpResponse **ret,
                      GError **error);

int http_response_status(const HttpResponse *response);
/* The last header NAME (any case), or NULL. Borrowed. */
const char *http_response_header(const HttpResponse *response, const char *name);
/* Content-Length, -1 when none was said. */
gint64 http_response_length(const HttpResponse *response);
/* The kept start of a body that no on_data took; never NULL; NUL-terminated. Borrowed. */
const char *http_response_text(const HttpResponse *response);
void http_response_free(HttpResponse *response);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HttpResponse, http_response_free)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(HttpClient, http_client_free)

/* Counts since the start, for status and tests. */
typedef struct {
  guint64 requests, changing_requests, bytes_in, bytes_out, connections;
} HttpCounts;
void http_client_counts(HttpClient *client, HttpCounts *out);
