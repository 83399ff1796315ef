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
typedef struct HttpRequest HttpRequest;
typedef struct HttpResponse HttpResponse;

/* Ways to sign in, as a set. */
typedef enum {
  HTTP_AUTH_BASIC = 1 << 0,
  HTTP_AUTH_NTLM = 1 << 1,
  HTTP_AUTH_FORMS = 1 << 2, /* a logon page and cookies; needs http_client_set_forms() */
  HTTP_AUTH_NEGOTIATE = 1 << 3,
  HTTP_AUTH_BEARER = 1 << 4,
} HttpAuth;
#define HTTP_AUTH_ALL 0x1fu

/* Where secrets come from, asked for when a scheme needs them. May block; any thread. */
typedef struct {
  /* The user's password; asked for again, some time after the server refused the one before. NULL
   * with ERROR: there is none to be had. */
  Secret *(*password)(gpointer data, GError **error);
  /* A bearer token; asked for again when the server refuses the one before. */
  Secret *(*token)(gpointer data, GError **error);
  gpointer data;
} HttpCredentials;

/* Which ticket speaks for us (sec=negotiate). All may be NULL. */
typedef struct {
  const char *ccache;      /* "FILE:/tmp/krb5cc_1000"; NULL: the system's default */
  const char *keytab;      /* get tickets with this one's keys */
  const char *principal;   /* of CCACHE or KEYTAB; NULL: its default */
  const char *impersonate; /* with KEYTAB: act for this user (S4U2Self, S4U2Proxy) */
  gboolean check_owner;    /* CCACHE must be OWNER's file */
  guint owner;             /* uid */
} HttpKerberos;

typedef struct {
  const char *cacert;   /* PEM file that is trusted instead of the system's authorities */
  const char *pin;      /* "sha256//BASE64[;sha256//BASE64]", of the server's public key */
  const char *cert;     /* our own certificate, PEM */
  const char *key;      /* its key; NULL: in CERT */
  Secret *key_password; /* borrowed until http_client_free() */
  guint min;            /* 10, 11, 12, 13: oldest TLS taken; 0: 12. Under 12: old ciphers too */
} HttpTls;

typedef struct {
  const char *url;  /* "http://proxy:3128"; NULL: as http_proxy, https_proxy say */
  const char *user; /* NULL: no sign-in there */
  Secret *password; /* borrowed until http_client_free() */
} HttpProxy;

typedef struct {
  const char *origin;         /* "http://127.0.0.1:8025": scheme, host, port; no path, no user */
  const char *const *servers; /* more origins of the same store, NULL-terminated, or NULL */
  guint schemes;              /* HttpAuth that may be used; 0: no sign-in at all */
  const char *user;           /* NULL: nobody by name; a ':' in it is EINVAL */
  Secret *password;           /* NULL: CREDENTIALS are asked; only read by http_client_new() */
  HttpCredentials credentials;
  HttpKerberos kerberos;
  HttpTls tls;
  HttpProxy proxy;
  guint connections; /* at most so many at once (0: 8) */
  guint connect_ms;  /* 0: 10,000 */
  guint stall_ms;    /* no byte either way for so long: ETIMEDOUT (0: 30,000) */
  guint commit_ms;   /* body sent, no answer yet: ETIMEDOUT after (0: 120,000) */
  guint hold_ms;     /* nobody tries a refused sign-in again for so long, then twice (0: 30,000) */
  gboolean insecure_basic; /* send a password over plain http to another machine */
} HttpOptions;

/*
 * A client with its thread. Does not connect, asks for no secret. EINVAL for an address or option
 * that cannot be, EACCES for files that cannot be read, and when the only allowed schemes would
 * send a password readable to another machine.
 */
HttpClient *http_client_new(const HttpOptions *options, GError **error);

/*
 * How to sign in by a web form, which the back-end knows. IS_LOGON: this answer asks for it (440,
 * a redirect to a logon page). SIGN_IN: gets the session's cookies with requests of its own, which
 * must be `anonymous`; ASKED is the answer that demanded it, PATH what had been asked for. FALSE
 * with EACCES: refused, with the reason. One sign-in runs at a time.
 */
typedef struct {
  gboolean (*is_logon)(const HttpResponse *response);
  gboolean (*sign_in)(HttpClient *client, const HttpRequest *request, const HttpResponse *asked,
                      const char *user, const Secret *password, GError **error);
} HttpForms;
/* Once, before the first request. FORMS is static. */
void http_client_set_forms(HttpClient *client, const HttpForms *forms);

/* Cancels what is under way, waits for it, ends the thread. NULL is fine. */
void http_client_free(HttpClient *client);

/* "http://host:port", as given: to make absolute Destination headers. Borrowed. */
const char *http_client_origin(const HttpClient *client);

/*
 * On the caller's thread: HEAD once, when the final status and headers are there; DATA for each
 * piece of the body. FALSE with ERROR ends the transfer with that error.
 */
typedef gboolean (*HttpHeadFunc)(const HttpResponse *response, gpointer user, GError **error);
typedef gboolean (*HttpDataFunc)(const void *bytes, gsize len, gpointer user, GError **error);

struct HttpRequest {
  const char *method;
  const char *path;           /* percent-encoded, begins with '/'; may hold a query */
  const char *const *headers; /* "Name: value", NULL-terminated, or NULL */
  const char *destination;    /* a path: sent as a Destination header at the server asked */
  const char *origin;         /* NULL: the server in use; else one of the client's */
  gboolean anonymous;         /* no sign-in: any answer is taken as it is */
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
};

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
/* The header NAME that comes at or after *AT (0 to begin with), which moves behind it; or NULL. */
const char *http_response_next(const HttpResponse *response, const char *name, guint *at);
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

/* The way in, for status and probe: what is used (0: not known yet) and as whom (NULL: nobody). */
void http_client_signed(HttpClient *client, HttpAuth *ret_scheme, char **ret_as);
