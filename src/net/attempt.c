/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns libcurl's handle of an attempt on the net thread: its making, the body it sends, the head it
 * receives, its time limits and what its end means. Leaves received bytes to transfer.c.
 */
#include "net/transfer_private.h"

#include "base/error.h"
#include "base/file.h"
#include "base/rule.h"

#include <errno.h>
#include <string.h>

/* After the first request: two, and one more on a kept connection. For libcurl they are redirects.
 */
#define NTLM_STEPS_MAX 3L

/* The first error is the cause; what libcurl makes of it later is not. */
static void fail(Transfer *transfer, AttemptEnd end, GError *error)
{
  if (transfer->error) {
    g_error_free(error);
    return;
  }
  transfer->end = end;
  transfer->error = error;
}

/* The server's part of NTLM's three steps. */
static gboolean has_ntlm_part(const HttpResponse *response)
{
  guint at = 0;
  for (const char *line; (line = http_response_next(response, "WWW-Authenticate", &at));)
    if (g_ascii_strncasecmp(line, "NTLM ", 5) == 0)
      return http_response_status(response) == 401;
  return FALSE;
}

static gboolean is_new_connection(const Transfer *transfer)
{
  long connects = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
  return connects > 0;
}

/* The request was answered before libcurl sent its body. */
static gboolean is_hollow(const Transfer *transfer)
{
  return transfer->route->grant.scheme == HTTP_AUTH_NTLM && transfer->upload_size > 0 &&
         !transfer->fed && RULE("ntlm-hollow");
}

/*
 * A whole head in the middle of NTLM: libcurl goes on by itself, on the same connection. It begins
 * with a request without its body, and a server that wants no sign-in takes that for the request:
 * libcurl then sends all of it, and only the answer to that counts. The server's part comes once;
 * one that sends it for ever would be given a try at the password each time.
 */
static gboolean is_halfway(Transfer *transfer)
{
  if (transfer->route->grant.scheme != HTTP_AUTH_NTLM)
    return FALSE;
  if (has_ntlm_part(transfer->response)) {
    gboolean first = !transfer->asked || !RULE("ntlm-once");
    transfer->asked = TRUE;
    return first;
  }
  int status = http_response_status(transfer->response);
  if (transfer->asked || status == 401 || !is_new_connection(transfer))
    return FALSE;
  gboolean hollow = is_hollow(transfer);
  response_set_ntlm(transfer->response, hollow ? NTLM_UNASKED_HOLLOW : NTLM_UNASKED);
  return hollow && status < 300;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
  Transfer *transfer = user;
  gsize len = size * count;
  transfer->answered = TRUE;
  transfer->progress_at = g_get_monotonic_time();
  if (transfer->head_done)
    return len; /* a trailer; and the response is the caller's now */
  HeadState state = response_add_line(transfer->response, line, len);
  transfer->halfway = state == HEAD_DONE && is_halfway(transfer);
  if (transfer->halfway)
    return len;
  /* libcurl 7.88 would leave the next request's body out too, if that goes without NTLM. */
  if (state == HEAD_DONE && is_hollow(transfer))
    curl_easy_setopt(transfer->easy, CURLOPT_FORBID_REUSE, 1L);
  if (state == HEAD_TOO_BIG && RULE("net-head-bound")) {
    fail(transfer, END_FINAL,
         error_new(EPROTO, SCOPE_LINE, "%s: the answer has more headers than can be held",
                   transfer->route->site->origin));
    return 0;
  }
  if (state == HEAD_DONE && http_response_status(transfer->response) == 407) {
    fail(transfer, END_FINAL,
         proxy_refusal(transfer->config->proxy, transfer->easy, transfer->route->site->origin));
    return 0;
  }
  transfer->head_done = state == HEAD_DONE;
  if (transfer->head_done)
    transfer->length = http_response_length(transfer->response);
  return len;
}

static size_t on_upload(char *buffer, size_t size, size_t count, void *user)
{
  Transfer *transfer = user;
  gsize want = (gsize)MIN((goffset)(size * count), transfer->upload_size - transfer->upload_at);
  if (transfer->has_fd) {
    GError *error = NULL;
    gssize got =
        file_pread_all(transfer->request->body_fd, buffer, want, transfer->upload_at, &error);
    if (got >= 0 && (gsize)got < want)
      error = error_new(EIO, SCOPE_LOCAL, "the file to send became shorter while it was sent");
    if (error) {
      fail(transfer, END_FINAL, error);
      return CURL_READFUNC_ABORT;
    }
  } else if (want > 0) {
    memcpy(buffer, (const char *)transfer->request->body + transfer->upload_at, want);
  }
  transfer->upload_at += (goffset)want;
  transfer->fed = TRUE;
  return want;
}

static int on_seek(void *user, curl_off_t offset, int origin)
{
  Transfer *transfer = user;
  if (origin != SEEK_SET || offset < 0 || offset > transfer->upload_size)
    return CURL_SEEKFUNC_FAIL;
  transfer->upload_at = offset;
  return CURL_SEEKFUNC_OK;
}

/*
 * The connection stands, the request is about to go out. libcurl sends again by itself when a kept
 * connection turns out dead before a byte of an answer. The server may have acted before it hung
 * up, so that is not for a request that changes something.
 */
static int on_issue(void *user, char *remote, char *local, int remote_port, int local_port)
{
  (void)remote, (void)local, (void)remote_port, (void)local_port;
  Transfer *transfer = user;
  if (transfer->issued > 0 && !transfer->answered && transfer->request->changes &&
      RULE("net-change-once")) {
    fail(transfer, END_SILENT,
         error_new(EIO, SCOPE_LINE,
                   "%s: the connection closed without an answer: look whether the change was made "
                   "before trying again",
                   transfer->route->site->origin));
    return CURL_PREREQFUNC_ABORT;
  }
  transfer->issued++;
  transfer->fed = FALSE;
  transfer->answered = FALSE;
  transfer->progress_at = g_get_monotonic_time();
  return CURL_PREREQFUNC_OK;
}

static void set_headers(Transfer *transfer)
{
  const Route *route = transfer->route;
  const char *destination = transfer->request->destination;
  struct curl_slist *list = NULL;
  for (const char *const *at = transfer->request->headers; at && *at; at++)
    list = curl_slist_append(list, *at);
  if (destination) { /* quirk 45: absolute, at the server that is asked */
    g_autofree char *line = g_strdup_printf(
        "Destination: %s%s", RULE("dav-destination") ? route->site->origin : "", destination);
    list = curl_slist_append(list, line);
  }
  if (route->grant.line) /* at once: without it the first answer would be a 401 */
    list = curl_slist_append(list, route->grant.line);
  if (route->grant.cookies)
    list = curl_slist_append(list, route->grant.cookies);
  list = curl_slist_append(list, "Expect:"); /* no 100-continue: IIS answers it late or never */
  /* Quirk 19: a mailbox never used before answers 401 without it. */
  if (RULE("q19-accept-language"))
    list = curl_slist_append(list, "Accept-Language: en");
  transfer->headers = list;
  curl_easy_setopt(transfer->easy, CURLOPT_HTTPHEADER, list);
}

static void set_body(Transfer *transfer)
{
  const HttpRequest *request = transfer->request;
  CURL *easy = transfer->easy;
  gboolean bodied = request->body || transfer->has_fd || !strcmp(request->method, "PUT") ||
                    !strcmp(request->method, "POST"); /* those say "Content-Length: 0" */
  if (bodied) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)transfer->upload_size);
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, on_upload);
    curl_easy_setopt(easy, CURLOPT_READDATA, transfer);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, transfer);
  }
  if (!strcmp(request->method, "HEAD"))
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  else
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method);
}

/* NTLM is libcurl's to speak: it knows which connection has come how far. */
static void set_sign_in(const Transfer *transfer)
{
  const Grant *grant = &transfer->route->grant;
  if (grant->scheme != HTTP_AUTH_NTLM)
    return;
  curl_easy_setopt(transfer->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_NTLM);
  curl_easy_setopt(transfer->easy, CURLOPT_MAXREDIRS, NTLM_STEPS_MAX);
  curl_easy_setopt(transfer->easy, CURLOPT_USERNAME, grant->user);
  curl_easy_setopt(transfer->easy, CURLOPT_PASSWORD, secret_peek(grant->password));
}

CURL *transfer_begin(Transfer *transfer)
{
  CURL *easy = curl_easy_init();
  if (!easy)
    g_error("out of memory for libcurl");
  transfer->easy = easy;
  config_apply(transfer->config, transfer->route->site, easy, transfer->route->path,
               transfer->seen);
  curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, transfer->route->fresh ? 1L : 0L);
  set_sign_in(transfer);
  set_headers(transfer);
  set_body(transfer);
  curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->curl_text);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, transfer_on_bytes);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
  curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_issue);
  curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer);
  return easy;
}

/*
 * How long the attempt may go without a byte. A server that has the whole body of a request, or an
 * order to change something, may think about it for longer than a line may be silent.
 */
static gint64 patience(Transfer *transfer, gint64 now)
{
  gboolean sent = TRUE;
  if (transfer->upload_size > 0 && !transfer->head_done) {
    curl_off_t uploaded = 0;
    curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &uploaded);
    if (uploaded != transfer->upload_seen)
      transfer->progress_at = now;
    transfer->upload_seen = uploaded;
    sent = uploaded >= transfer->upload_size;
  }
  gboolean thinks =
      sent && !transfer->head_done && (transfer->upload_size > 0 || transfer->request->changes);
  return thinks ? transfer->config->commit_us : transfer->config->stall_us;
}

gint64 transfer_due(Transfer *transfer, gint64 now)
{
  gint64 due = transfer->request->deadline;
  /* Before it is issued libcurl's connect timeout holds. `paused` is this thread's to write. */
  if (transfer->easy && transfer->issued > 0 && !transfer->paused && RULE("net-stall")) {
    gint64 most = patience(transfer, now); /* first: it may move progress_at */
    due = MIN(due, transfer->progress_at + most);
  }
  return due;
}

void transfer_fail_timeout(Transfer *transfer)
{
  const char *what = !transfer->easy       ? "no connection was free in time"
                     : !transfer->issued   ? "the connection was not accepted in time"
                     : transfer->head_done ? "the answer stopped in the middle"
                                           : "no answer came in time";
  fail(transfer, END_FINAL,
       error_new(ETIMEDOUT, SCOPE_LINE, "%s: %s: check the network, then try again",
                 transfer->route->site->origin, what));
}

void transfer_fail_stopped(Transfer *transfer)
{
  fail(transfer, END_FINAL,
       error_new(EINTR, SCOPE_ITEM, "the request to %s was interrupted",
                 transfer->route->site->origin));
}

typedef struct {
  CURLcode code;
  int errnum;
  AttemptEnd end;
  const char *cause, *next_step;
} Meaning;

/* What neither TLS nor a proxy explains. */
static const Meaning meanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, EHOSTUNREACH, END_UNSENT, "there is no such host",
     "check the address and the network"},
    {CURLE_COULDNT_CONNECT, EHOSTUNREACH, END_UNSENT, "cannot connect",
     "check the address and the network"},
    {CURLE_OPERATION_TIMEDOUT, ETIMEDOUT, END_UNSENT, "the connection was not accepted in time",
     "check the address and the network"},
    {CURLE_WEIRD_SERVER_REPLY, EPROTO, END_FINAL, "the server does not speak HTTP",
     "check the port"},
    {CURLE_UNSUPPORTED_PROTOCOL, EPROTO, END_FINAL, "the server does not speak HTTP",
     "check the port"},
};

static const Meaning silent = {CURLE_GOT_NOTHING, EIO, END_SILENT,
                               "the connection closed without an answer",
                               "try again, or check the port and whether it is for http or https"};
static const Meaning broken = {CURLE_PARTIAL_FILE, EIO, END_FINAL,
                               "the answer broke off before its end", "try again"};
static const Meaning too_long = {CURLE_OUT_OF_MEMORY, EPROTO, END_FINAL,
                                 "the answer has a header too long to hold", "tell its operator"};

static void judge(Transfer *transfer, CURLcode code)
{
  const Meaning *meaning = transfer->answered ? &broken : &silent;
  for (gsize i = 0; i < G_N_ELEMENTS(meanings); i++)
    if (meanings[i].code == code)
      meaning = &meanings[i];
  /* libcurl reports a header line that outgrows its own bound this way. */
  if (code == CURLE_OUT_OF_MEMORY && !transfer->head_done)
    meaning = &too_long;
  const char *detail = transfer->curl_text[0] ? transfer->curl_text : curl_easy_strerror(code);
  const char *origin = transfer->route->site->origin;
  GError *known = proxy_explain(transfer->config->proxy, transfer->easy, code, detail,
                                transfer->issued > 0, origin);
  if (!known)
    known = tls_explain(transfer->config->tls, transfer->seen, code, detail, origin);
  fail(transfer, known ? END_UNSENT : meaning->end,
       known ? known
             : error_new(meaning->errnum, SCOPE_LINE, "%s: %s (%s): %s", origin, meaning->cause,
                         detail, meaning->next_step));
}

static void count(Transfer *transfer, HttpCounts *counts)
{
  curl_off_t body_in = 0, body_out = 0;
  long head_in = 0, head_out = 0, connects = 0;
  curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_DOWNLOAD_T, &body_in);
  curl_easy_getinfo(transfer->easy, CURLINFO_SIZE_UPLOAD_T, &body_out);
  curl_easy_getinfo(transfer->easy, CURLINFO_HEADER_SIZE, &head_in);
  curl_easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &head_out);
  curl_easy_getinfo(transfer->easy, CURLINFO_NUM_CONNECTS, &connects);
  counts->requests = transfer->issued;
  /* A form that signs in goes once, as a change does, and changes nothing. */
  gboolean changes = transfer->request->changes && !transfer->request->anonymous;
  counts->changing_requests = changes ? transfer->issued : 0;
  counts->bytes_in = (guint64)body_in + (guint64)head_in;
  counts->bytes_out = (guint64)body_out + (guint64)head_out;
  counts->connections = (guint64)connects;
}

void transfer_end(Transfer *transfer, CURLcode code, HttpCounts *counts)
{
  if (code == CURLE_PARTIAL_FILE && !RULE("net-whole-body"))
    code = CURLE_OK;
  /* The server's part made no sense to libcurl: then that 401 is the answer. */
  if (code == CURLE_OK && transfer->halfway && http_response_status(transfer->response) == 401)
    transfer->head_done = TRUE;
  if (code != CURLE_OK)
    judge(transfer, code);
  else if (!transfer->head_done) /* libcurl takes a head cut between two lines for a whole one */
    judge(transfer, CURLE_PARTIAL_FILE);
  if (transfer->error && transfer->request->changes && transfer->issued > 0)
    error_set_maybe_applied(transfer->error, TRUE);
  if (!transfer->easy)
    return;
  count(transfer, counts);
  curl_easy_cleanup(transfer->easy);
  curl_slist_free_all(transfer->headers);
  transfer->easy = NULL;
  transfer->headers = NULL;
}
