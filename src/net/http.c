/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the public side: a client's life, the caller's loop over head, pieces and end, and the
 * waiting between attempts. Leaves the wire to engine.c and transfer.c, the decision to try again
 * to retry.c.
 */
#include "net/engine.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"
#include "net/memory.h"

#include <errno.h>
#include <string.h>

/* Of the body of an answer that is not taken: read so much to keep the connection, then cut. */
#define SWALLOW_MAX ((gsize)64 * 1024)

struct HttpClient {
  NetConfig *config;
  Engine *engine;
  GMutex lock;
  GCond changed;    /* callers or closing */
  guint callers;    /* lock: inside http_perform() */
  gboolean closing; /* lock */
};

static gpointer init_curl(gpointer unused)
{
  (void)unused;
  memory_init_curl();
  return NULL;
}

HttpClient *http_client_new(const HttpOptions *options, GError **error)
{
  static GOnce once = G_ONCE_INIT;
  g_once(&once, init_curl, NULL);
  NetConfig *config = config_new(options, error);
  if (!config)
    return NULL;
  HttpClient *client = g_new0(HttpClient, 1);
  g_mutex_init(&client->lock);
  g_cond_init(&client->changed);
  client->config = config;
  client->engine = engine_new(config);
  return client;
}

void http_client_free(HttpClient *client)
{
  if (!client)
    return;
  g_mutex_lock(&client->lock);
  client->closing = TRUE;
  g_cond_broadcast(&client->changed);
  g_mutex_unlock(&client->lock);
  engine_stop_all(client->engine);
  g_mutex_lock(&client->lock);
  while (client->callers > 0)
    g_cond_wait(&client->changed, &client->lock);
  g_mutex_unlock(&client->lock);
  engine_free(client->engine);
  config_free(client->config);
  g_cond_clear(&client->changed);
  g_mutex_clear(&client->lock);
  g_free(client);
}

const char *http_client_origin(const HttpClient *client)
{
  return client->config->origin;
}

void http_client_counts(HttpClient *client, HttpCounts *out)
{
  engine_counts(client->engine, out);
}

/* The state of one http_perform() over its attempts. */
typedef struct {
  HttpClient *client;
  const HttpRequest *request;
  RetryCase tries;
  gboolean again; /* this attempt's answer is not the one to give */
  gint64 wait_ms;
  HttpResponse *response;
  GError *error;
} Call;

static void decide(Call *call, AttemptEnd end, const HttpResponse *response)
{
  RetryCase *tries = &call->tries;
  gint64 now = g_get_monotonic_time();
  tries->end = end;
  tries->status = response ? http_response_status(response) : 0;
  tries->retry_after_ms = -1;
  if (response)
    tries->retry_after_ms = retry_parse_after(http_response_header(response, "Retry-After"),
                                              g_get_real_time() / G_USEC_PER_SEC);
  tries->left_ms = call->request->deadline == G_MAXINT64
                       ? G_MAXINT64
                       : MAX(call->request->deadline - now, 0) / 1000;
  call->wait_ms = retry_wait_ms(tries);
  call->again = call->wait_ms >= 0;
}

static gboolean take_head(Call *call, const HttpResponse *response)
{
  decide(call, END_ANSWERED, response);
  if (call->again || !call->request->on_head)
    return TRUE;
  return call->request->on_head(response, call->request->user, &call->error);
}

static gboolean take_data(Call *call, HttpResponse *response, const void *bytes, gsize len)
{
  if (call->request->on_data)
    return call->request->on_data(bytes, len, call->request->user, &call->error);
  response_add_text(response, bytes, len);
  return TRUE;
}

/* Takes what TRANSFER brings until its end. FALSE when a callback ended it, or it was swallowed. */
static gboolean take_all(Call *call, Transfer *transfer)
{
  const void *bytes = NULL;
  gsize len = 0, swallowed = 0;
  for (;;) {
    gboolean go_on = TRUE;
    switch (transfer_next(transfer, &bytes, &len)) {
    case EVENT_HEAD:
      go_on = take_head(call, transfer_response(transfer));
      break;
    case EVENT_DATA:
      if (call->again)
        go_on = (swallowed += len) <= SWALLOW_MAX;
      else
        go_on = take_data(call, transfer_response(transfer), bytes, len);
      break;
    case EVENT_END:
      return TRUE;
    }
    if (!go_on)
      return FALSE;
  }
}

static void on_cancel(gpointer transfer)
{
  if (RULE("net-cancel"))
    transfer_stop(transfer);
}

/* One attempt. Leaves in CALL: again and wait_ms, or an error, or the response. */
static void attempt(Call *call)
{
  HttpClient *client = call->client;
  const HttpRequest *request = call->request;
  g_autoptr(Transfer) transfer = transfer_new(client->config, request, client->engine);
  const void *bytes;
  gsize len;
  call->again = FALSE;
  gulong id = cancel_connect(request->cancel, on_cancel, transfer);
  engine_poke(client->engine, transfer); /* stopped already: it ends without being sent */
  gboolean whole = take_all(call, transfer);
  if (!whole) {
    transfer_stop(transfer);
    while (transfer_next(transfer, &bytes, &len) != EVENT_END)
      ;
  }
  cancel_disconnect(request->cancel, id);

  if (call->again)
    return; /* the status is known; how its text ended is of no interest */
  if (!whole && call->error)
    return; /* the callback's own */
  AttemptEnd end = transfer_take_end(transfer, &call->error);
  call->response = transfer_take_response(transfer);
  if (end != END_ANSWERED)
    decide(call, end, NULL);
}

/* FALSE when CALL was cancelled, or the client is being closed, before the time was over. */
static gboolean wait_for_next(Call *call)
{
  HttpClient *client = call->client;
  gint64 until = g_get_monotonic_time() + call->wait_ms * 1000;
  int result = 0;
  g_mutex_lock(&client->lock);
  while (result == 0 && !client->closing && g_get_monotonic_time() < until)
    result = cancel_wait(call->request->cancel, &client->changed, &client->lock, until);
  gboolean over = result != EINTR && !client->closing;
  g_mutex_unlock(&client->lock);

  call->tries.waited_ms += call->wait_ms;
  if (call->tries.end == END_SILENT)
    call->tries.resent++;
  else
    call->tries.busy++;
  return over;
}

static void perform(Call *call)
{
  const char *origin = call->client->config->origin;
  for (;;) {
    attempt(call);
    if (!call->again)
      return;
    log_debug("net", "%s %s%s again in %" G_GINT64_FORMAT " ms", call->request->method, origin,
              call->request->path, call->wait_ms);
    g_clear_error(&call->error);
    g_clear_pointer(&call->response, http_response_free);
    if (!wait_for_next(call)) {
      call->error = error_new(EINTR, SCOPE_ITEM, "the request to %s was interrupted", origin);
      return;
    }
  }
}

/* Nothing that could end a line, or the path, gets into the head of a request. */
static gboolean is_clean(const char *text, const char *unwanted)
{
  for (; *text; text++)
    if ((guchar)*text < 0x20 || *text == 0x7f || strchr(unwanted, *text))
      return FALSE;
  return TRUE;
}

static gboolean check_request(const HttpRequest *request, GError **error)
{
  gboolean good = request->method[0] && is_clean(request->method, " :/");
  good = good && request->path[0] == '/' && is_clean(request->path, " #");
  for (const char *const *at = request->headers; good && at && *at; at++)
    good = strchr(*at, ':') && is_clean(*at, "");
  if (!good)
    return error_set(error, EINVAL, SCOPE_ITEM,
                     "the request has a character in its address or headers that cannot be sent");
  return TRUE;
}

static gboolean enter(HttpClient *client, GError **error)
{
  g_mutex_lock(&client->lock);
  gboolean open = !client->closing;
  client->callers += open ? 1 : 0;
  g_mutex_unlock(&client->lock);
  return open || error_set(error, EINTR, SCOPE_STORE, "the connection to %s is being closed",
                           client->config->origin);
}

static void leave(HttpClient *client)
{
  g_mutex_lock(&client->lock);
  client->callers--;
  g_cond_broadcast(&client->changed);
  g_mutex_unlock(&client->lock);
}

gboolean http_perform(HttpClient *client, const HttpRequest *request, HttpResponse **ret,
                      GError **error)
{
  if (!check_request(request, error) || !enter(client, error))
    return FALSE;
  Call call = {.client = client, .request = request};
  call.tries.changes = request->changes;
  call.tries.patience_ms = client->config->stall_us / 1000;
  perform(&call);
  leave(client);

  if (call.error) {
    log_debug("net", "%s %s: %s", request->method, request->path, call.error->message);
    http_response_free(call.response);
    g_propagate_error(error, call.error);
    return FALSE;
  }
  log_debug("net", "%s %s: %d", request->method, request->path,
            http_response_status(call.response));
  if (ret)
    *ret = call.response;
  else
    http_response_free(call.response);
  return TRUE;
}
