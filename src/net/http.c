/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns a client's life, the caller's loop over head, pieces and end, and what comes between two
 * attempts at one request: a wait, a sign-in, another server. Leaves the wire to engine.c and
 * transfer.c, whether to try again to retry.c, signing in to session.c.
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
#define HOPS_MAX 10u
/* After a kept connection turned out dead, changes go on new ones for so long: the others that were
 * kept may be dying as well, and a change cannot just be sent twice. */
#define DISTRUST_US ((gint64)10 * G_USEC_PER_SEC)

struct HttpClient {
  NetConfig *config;
  Engine *engine;
  GMutex lock;
  GCond changed;         /* callers or closing */
  guint callers;         /* lock: inside http_perform() */
  gboolean closing;      /* lock */
  gint64 distrust_until; /* lock; monotonic microseconds */
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

void http_client_set_forms(HttpClient *client, const HttpForms *forms)
{
  for (guint i = 0; i < client->config->sites->len; i++)
    session_set_forms(((Site *)client->config->sites->pdata[i])->session, forms);
}

static Site *first_site(const HttpClient *client)
{
  return client->config->sites->pdata[0];
}

const char *http_client_origin(const HttpClient *client)
{
  return first_site(client)->origin;
}

NetConfig *http_client_config(const HttpClient *client)
{
  return client->config;
}

void http_client_signed(HttpClient *client, HttpAuth *ret_scheme, char **ret_as)
{
  session_signed(first_site(client)->session, ret_scheme, ret_as);
}

void http_client_counts(HttpClient *client, HttpCounts *out)
{
  engine_counts(client->engine, out);
}

/* The state of one http_perform() over its attempts. */
typedef struct {
  HttpClient *client;
  const HttpRequest *request;
  Site *site;
  char *path;        /* as asked, or where a server sent us */
  HttpRequest there; /* REQUEST with that path, for the session */
  Grant grant;
  RetryCase tries;
  guint challenges, hops, moves; /* so often challenged, sent elsewhere, gone to another server */
  enum {
    ANSWER_MINE,      /* the caller's */
    ANSWER_WAIT,      /* not now: wait_ms, then again */
    ANSWER_CHALLENGE, /* sign in */
    ANSWER_ELSEWHERE, /* ask `next` for `next_path` */
  } meaning;
  gboolean cut; /* enough of the answer is there */
  gint64 wait_ms;
  Site *next;
  char *next_path;
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
  call->meaning = call->wait_ms >= 0 ? ANSWER_WAIT : ANSWER_MINE;
}

/*
 * A redirect to another server of the same store (a replica of a public folder): the same request
 * goes there. Nothing ever goes to a server that was not named by an option.
 */
static gboolean leads_elsewhere(Call *call, const HttpResponse *response)
{
  const char *location = http_response_header(response, "Location");
  if (http_response_status(response) / 100 != 3 || !location ||
      call->client->config->sites->len < 2)
    return FALSE;
  g_autofree char *origin = NULL, *path = NULL;
  if (!config_split(location, &origin, &path))
    return FALSE;
  Site *site = config_find_site(call->client->config, origin);
  if (!site || site == call->site || !RULE("net-follow"))
    return FALSE;
  call->next = site;
  g_free(call->next_path);
  call->next_path = g_steal_pointer(&path);
  return TRUE;
}

static void judge(Call *call, const HttpResponse *response)
{
  gboolean anonymous = call->request->anonymous;
  config_site_is_well(call->client->config, call->site);
  if (!anonymous && (session_is_challenge(call->site->session, response) ||
                     session_unwanted(call->site->session, &call->grant, response))) {
    call->meaning = ANSWER_CHALLENGE;
    return;
  }
  session_accepted(call->site->session, &call->grant, &call->there, response);
  if (!anonymous && leads_elsewhere(call, response))
    call->meaning = ANSWER_ELSEWHERE;
  else
    decide(call, END_ANSWERED, response);
}

static gboolean take_head(Call *call, const HttpResponse *response)
{
  judge(call, response);
  if (call->meaning != ANSWER_MINE || !call->request->on_head)
    return TRUE;
  return call->request->on_head(response, call->request->user, &call->error);
}

static gboolean take_data(Call *call, HttpResponse *response, const void *bytes, gsize len)
{
  if (call->request->on_data && call->meaning == ANSWER_MINE)
    return call->request->on_data(bytes, len, call->request->user, &call->error);
  response_add_text(response, bytes, len);
  return TRUE;
}

/* Nobody takes the body's pieces: what is kept of it is enough (a page may have no end). */
static gboolean is_swallowed(const Call *call)
{
  return call->meaning != ANSWER_MINE || (!call->request->on_data && RULE("net-endless"));
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
      if (is_swallowed(call) && (swallowed += len) > SWALLOW_MAX) {
        call->cut = TRUE;
        return FALSE;
      }
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

static gboolean is_distrusted(HttpClient *client, gboolean because_silent)
{
  gint64 now = g_get_monotonic_time();
  g_mutex_lock(&client->lock);
  if (because_silent)
    client->distrust_until = now + DISTRUST_US;
  gboolean distrusted = now < client->distrust_until && RULE("net-distrust");
  g_mutex_unlock(&client->lock);
  return distrusted;
}

/* One attempt. Leaves in CALL: what the answer means, and an error or the response. */
static void attempt(Call *call)
{
  HttpClient *client = call->client;
  const HttpRequest *request = call->request;
  const Route route = {.site = call->site,
                       .path = call->path,
                       .grant = call->grant, /* lent */
                       .fresh = request->changes && is_distrusted(client, FALSE)};
  g_autoptr(Transfer) transfer = transfer_new(client->config, request, &route, client->engine);
  const void *bytes;
  gsize len;
  call->meaning = ANSWER_MINE;
  call->cut = FALSE;
  gulong id = cancel_connect(request->cancel, on_cancel, transfer);
  engine_poke(client->engine, transfer); /* stopped already: it ends without being sent */
  gboolean whole = take_all(call, transfer);
  if (!whole) {
    transfer_stop(transfer);
    while (transfer_next(transfer, &bytes, &len) != EVENT_END)
      ;
  }
  cancel_disconnect(request->cancel, id);

  if (!whole && call->error)
    return; /* the callback's own */
  GError *error = NULL;
  AttemptEnd end = transfer_take_end(transfer, &error);
  call->response = transfer_take_response(transfer);
  if (call->meaning != ANSWER_MINE || call->cut) { /* how the text ended does not count */
    g_clear_error(&error);
    return;
  }
  call->error = error;
  if (end == END_SILENT)
    is_distrusted(client, TRUE);
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
  if (!over)
    call->error =
        error_new(EINTR, SCOPE_ITEM, "the request to %s was interrupted", call->site->origin);
  return over;
}

/* Gives an answer that was held back because it looked like a challenge. */
static void give_late(Call *call)
{
  const HttpRequest *request = call->request;
  const char *text = http_response_text(call->response);
  call->meaning = ANSWER_MINE;
  if (request->on_head && !request->on_head(call->response, request->user, &call->error))
    return;
  if (request->on_data && *text)
    request->on_data(text, strlen(text), request->user, &call->error);
}

/* TRUE: send the request again. */
static gboolean answer_challenge(Call *call)
{
  ChallengeEnd end =
      session_challenged(call->site->session, call->client, &call->there, &call->grant,
                         call->response, call->challenges++, &call->error);
  if (end == CHALLENGE_TAKE)
    give_late(call);
  return end == CHALLENGE_AGAIN;
}

static gboolean go_elsewhere(Call *call)
{
  if (++call->hops > HOPS_MAX && RULE("net-hops")) {
    call->error = error_new(
        ELOOP, SCOPE_ITEM, "%s and %s send each other the request in a circle: tell their operator",
        call->site->origin, call->next->origin);
    return FALSE;
  }
  call->site = call->next;
  g_free(call->path);
  call->path = g_steal_pointer(&call->next_path);
  call->challenges = 0;
  return TRUE;
}

/*
 * The server was not reached, or was silent about something that is safe to ask twice: with
 * another one for the same store, that is asked.
 */
static gboolean change_server(Call *call)
{
  int code = error_errno(call->error);
  gboolean unsent = call->tries.end == END_UNSENT;
  gboolean silent = code == ETIMEDOUT && !call->request->changes && !call->response;
  if (error_scope(call->error) != SCOPE_LINE || call->request->origin || !(unsent || silent) ||
      ++call->moves >= call->client->config->sites->len)
    return FALSE;
  Site *next = config_site_is_away(call->client->config, call->site);
  if (!next)
    return FALSE;
  call->site = next;
  call->challenges = 0;
  return TRUE;
}

/* After an attempt: TRUE when there is to be another. */
static gboolean goes_on(Call *call)
{
  switch (call->meaning) {
  case ANSWER_WAIT:
    log_debug("net", "%s %s%s again in %" G_GINT64_FORMAT " ms", call->request->method,
              call->site->origin, call->path, call->wait_ms);
    g_clear_error(&call->error);
    return wait_for_next(call);
  case ANSWER_CHALLENGE:
    return answer_challenge(call);
  case ANSWER_ELSEWHERE:
    return go_elsewhere(call);
  case ANSWER_MINE:
    break;
  }
  return call->error && change_server(call);
}

static void perform(Call *call)
{
  for (;;) {
    call->there = *call->request;
    call->there.path = call->path;
    if (!session_grant(call->site->session, call->client, &call->there, &call->grant, &call->error))
      return;
    attempt(call);
    if (call->error)
      session_gave_up(call->site->session);
    gboolean again = goes_on(call);
    grant_clear(&call->grant);
    if (!again)
      return;
    g_clear_error(&call->error);
    g_clear_pointer(&call->response, http_response_free);
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
  good = good && (!request->destination || is_clean(request->destination, " #"));
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
                           http_client_origin(client));
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
  Call call = {.client = client, .request = request, .path = g_strdup(request->path)};
  call.tries.changes = request->changes;
  call.tries.patience_ms = client->config->stall_us / 1000;
  call.site = request->origin ? config_find_site(client->config, request->origin)
                              : config_pick_site(client->config);
  if (call.site)
    perform(&call);
  else
    call.error =
        error_new(EINVAL, SCOPE_STORE, "no server of this mount is called %s", request->origin);
  grant_clear(&call.grant);
  leave(client);
  g_free(call.path);
  g_free(call.next_path);

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
