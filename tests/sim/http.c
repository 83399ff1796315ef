/* SPDX-License-Identifier: Apache-2.0 */
/* libmicrohttpd to Request and Reply. Sending is in http_send.c. */
#include "http.h"

#include "auth.h"
#include "control.h"
#include "dav.h"
#include "http_private.h"

#include <arpa/inet.h>
#include <string.h>

struct Http {
  struct MHD_Daemon *daemon;
  Sim *sim;
  Control *control;
};

static gsize keep_escapes(void *data, struct MHD_Connection *connection, char *text)
{
  (void)data;
  (void)connection;
  return strlen(text); /* the escapes of a path mean something here (section 2) */
}

static enum MHD_Result take_header(void *data, enum MHD_ValueKind kind, const char *name,
                                   const char *value)
{
  (void)kind;
  GHashTable *headers = data;
  g_hash_table_insert(headers, g_ascii_strdown(name, -1), g_strdup(value ? value : ""));
  return MHD_YES;
}

/* How many answers a connection has had: the context libmicrohttpd keeps with it. */
static void count_connection(void *data, struct MHD_Connection *connection, void **context,
                             enum MHD_ConnectionNotificationCode code)
{
  (void)data;
  (void)connection;
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    *context = g_new0(guint, 1);
  } else {
    g_clear_pointer(context, g_free);
  }
}

/* Called by libmicrohttpd for the request line; the result becomes the request's state. */
static void *take_uri(void *data, const char *uri, struct MHD_Connection *connection)
{
  (void)data;
  (void)connection;
  Exchange *exchange = g_new0(Exchange, 1);
  const char *question = strchr(uri, '?');
  const char *path = uri;
  if (g_ascii_strncasecmp(uri, "http://", 7) == 0) {
    path = strchr(uri + 7, '/');
    path = path ? path : "/";
  }
  exchange->request.path = question ? g_strndup(path, (gsize)(question - path)) : g_strdup(path);
  exchange->request.query = question ? g_strdup(question + 1) : NULL;
  exchange->sent_limit = -1;
  return exchange;
}

/* The whole request is there: decide on the answer. */
static void answer(Http *http, Exchange *exchange)
{
  Request *request = &exchange->request;
  Reply *reply = &exchange->reply;
  request->body = spool_finish(g_steal_pointer(&exchange->spool));
  if (exchange->failed) {
    reply_text(reply, 507, "text/plain", "no room for the request body");
    return;
  }
  if (control_handle(http->control, http->sim, request, reply)) {
    exchange->control = TRUE;
    return;
  }
  g_autofree char *decoded = url_decode(request->path);
  exchange->fault =
      http->sim->faults ? faults_match(http->sim->faults, request->method, decoded) : NULL;
  const Fault *fault = exchange->fault;
  if (fault && (fault->drop || fault_reply(fault, reply))) {
    return;
  }
  if (auth_check(http->sim, request, reply)) {
    dav_handle(http->sim, request, reply);
  }
}

static void begin(Exchange *exchange, struct MHD_Connection *connection, const char *method)
{
  exchange->request.method = g_intern_string(method);
  exchange->request.headers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  MHD_get_connection_values(connection, MHD_HEADER_KIND, take_header, exchange->request.headers);
  exchange->spool = spool_new();
  guint *answers =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
  exchange->turn = ++*answers;
  exchange->socket =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* A server may say no to a request before it has read the body. */
static gboolean refused_early(Http *http, Exchange *exchange)
{
  Request *request = &exchange->request;
  if (!sim_switch(http->sim, SWITCH_EARLY_440) || strcmp(request->method, "PUT") != 0) {
    return FALSE;
  }
  g_autoptr(GBytes) nothing = g_bytes_new(NULL, 0);
  request->body = body_new_bytes(nothing);
  if (!auth_check(http->sim, request, &exchange->reply)) {
    return TRUE;
  }
  g_clear_pointer(&request->body, body_unref);
  reply_clear(&exchange->reply);
  return FALSE;
}

static enum MHD_Result handle(void *data, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_len, void **state)
{
  (void)url;
  (void)version;
  Http *http = data;
  Exchange *exchange = *state;
  if (!exchange->spool) {
    begin(exchange, connection, method);
    return refused_early(http, exchange) ? exchange_send(http->sim, exchange, connection) : MHD_YES;
  }
  if (*upload_len > 0) {
    exchange->bytes_in += *upload_len;
    exchange->failed = exchange->failed || !spool_append(exchange->spool, upload, *upload_len);
    *upload_len = 0;
    return MHD_YES;
  }
  answer(http, exchange);
  return exchange_send(http->sim, exchange, connection);
}

static void completed(void *data, struct MHD_Connection *connection, void **state,
                      enum MHD_RequestTerminationCode code)
{
  (void)connection;
  (void)code;
  Http *http = data;
  Exchange *exchange = *state;
  if (!exchange) {
    return;
  }
  if (exchange->request.method && !exchange->control) {
    control_count(http->control, http->sim, &exchange->request, exchange->reply.status,
                  exchange->bytes_in, exchange->bytes_out);
  }
  exchange_free(exchange);
  *state = NULL;
}

Http *http_start(Sim *sim, const char *address, guint port, GError **error)
{
  struct sockaddr_in where = {.sin_family = AF_INET, .sin_port = htons((guint16)port)};
  if (inet_pton(AF_INET, address, &where.sin_addr) != 1) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s is not an IPv4 address", address);
    return NULL;
  }
  Http *http = g_new0(Http, 1);
  http->sim = sim;
  http->control = control_new();
  http->daemon = MHD_start_daemon(
      MHD_USE_THREAD_PER_CONNECTION | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_POLL, 0, NULL, NULL,
      handle, http, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&where, MHD_OPTION_CONNECTION_LIMIT,
      1024u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)256 * 1024, MHD_OPTION_THREAD_STACK_SIZE,
      (size_t)1024 * 1024, MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL,
      MHD_OPTION_URI_LOG_CALLBACK, take_uri, NULL, MHD_OPTION_NOTIFY_CONNECTION, count_connection,
      NULL, MHD_OPTION_NOTIFY_COMPLETED, completed, http, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1u,
      MHD_OPTION_LISTEN_BACKLOG_SIZE, 256u, MHD_OPTION_END);
  if (!http->daemon) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "cannot listen on %s:%u", address, port);
    control_free(http->control);
    g_free(http);
    return NULL;
  }
  return http;
}

guint http_port(const Http *http)
{
  const union MHD_DaemonInfo *info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_BIND_PORT);
  return info ? info->port : 0;
}

void http_stop(Http *http)
{
  g_atomic_int_set(&http->sim->stopping, 1);
  MHD_stop_daemon(http->daemon);
  control_free(http->control);
  g_free(http);
}
