/* SPDX-License-Identifier: Apache-2.0 */
/* Sends a Reply: plain answers as libmicrohttpd likes them best (a buffer, or a file by sendfile),
 * all that is slow, cut, stalled or oddly chunked through a reader of our own. Waits end when the
 * client goes away or the simulator stops. */
#include "http_private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define BLOCK (128 * 1024)

void exchange_free(Exchange *exchange)
{
  g_free(exchange->request.path);
  g_free(exchange->request.query);
  g_clear_pointer(&exchange->request.headers, g_hash_table_unref);
  g_clear_pointer(&exchange->request.body, body_unref);
  spool_free(exchange->spool);
  fault_free(exchange->fault);
  reply_clear(&exchange->reply);
  g_free(exchange);
}

/* Waits so long, or until the client is gone (FALSE). ms < 0: for ever. */
static gboolean wait_for(const Exchange *exchange, gint64 ms)
{
  gint64 end = ms < 0 ? G_MAXINT64 : g_get_monotonic_time() + ms * 1000;
  while (!g_atomic_int_get(&exchange->sim->stopping)) {
    gint64 left = (end - g_get_monotonic_time()) / 1000;
    if (left <= 0) {
      return TRUE;
    }
    struct pollfd fd = {.fd = exchange->socket, .events = POLLRDHUP};
    if (poll(&fd, 1, (int)MIN(left, 100)) > 0) {
      return FALSE;
    }
  }
  return FALSE;
}

static guint64 reply_size(const Reply *reply)
{
  return reply->text ? reply->text->len : reply->body ? reply->length : 0;
}

static gssize read_reply(const Reply *reply, guint64 pos, char *buffer, gsize len)
{
  if (!reply->text) {
    return reply->body ? body_read(reply->body, reply->offset + pos, buffer, len) : 0;
  }
  memcpy(buffer, reply->text->str + pos, len);
  return (gssize)len;
}

/* How much may go now: one chunk of odd size, or what the rate allows. */
static gsize paced(Exchange *exchange, guint64 pos, gsize len)
{
  if (sim_switch(exchange->sim, SWITCH_RANDOM_CHUNKS) && exchange->reply.chunked) {
    exchange->chunk_seed = exchange->chunk_seed * 1103515245u + 12345u;
    len = MIN(len, 1 + (exchange->chunk_seed >> 16) % 200);
  }
  gint64 rate = exchange->fault ? exchange->fault->slow : -1;
  if (rate > 0) {
    gint64 due = exchange->started + (gint64)pos * G_USEC_PER_SEC / rate;
    wait_for(exchange, MAX(0, (due - g_get_monotonic_time()) / 1000));
    len = MIN(len, (gsize)MAX(1, rate / 10));
  }
  return len;
}

static ssize_t reader(void *data, uint64_t pos, char *buffer, size_t max)
{
  Exchange *exchange = data;
  guint64 size = reply_size(&exchange->reply);
  if (exchange->sent_limit >= 0 && pos >= (guint64)exchange->sent_limit) {
    if (exchange->fault->stall >= 0) {
      wait_for(exchange, -1);
    }
    return MHD_CONTENT_READER_END_WITH_ERROR;
  }
  if (pos >= size) {
    gboolean promised_more = exchange->fault && exchange->fault->length > 0;
    return promised_more ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
  }
  gsize len = (gsize)MIN(max, size - pos);
  if (exchange->sent_limit >= 0) {
    len = (gsize)MIN(len, (guint64)exchange->sent_limit - pos);
  }
  gssize got = read_reply(&exchange->reply, pos, buffer, paced(exchange, pos, len));
  if (got <= 0) {
    return MHD_CONTENT_READER_END_WITH_ERROR;
  }
  exchange->bytes_out = pos + (guint64)got;
  return got;
}

static void plan_fault(Exchange *exchange)
{
  const Fault *fault = exchange->fault;
  if (fault && fault->stall >= 0) {
    exchange->sent_limit = fault->stall;
  } else if (fault && fault->cut >= 0) {
    exchange->sent_limit = fault->cut;
  }
}

static struct MHD_Response *response_for(Exchange *exchange)
{
  Reply *reply = &exchange->reply;
  const Fault *fault = exchange->fault;
  guint64 size = reply_size(reply);
  gboolean odd = fault && (fault->slow > 0 || fault->length || exchange->sent_limit >= 0);
  if (reply->chunked || odd) {
    guint64 told = fault ? (guint64)MAX(0, (gint64)size + fault->length) : size;
    return MHD_create_response_from_callback(reply->chunked ? MHD_SIZE_UNKNOWN : told, BLOCK,
                                             reader, exchange, NULL);
  }
  exchange->bytes_out = size;
  if (reply->text || !reply->body) {
    return MHD_create_response_from_buffer(reply->text ? reply->text->len : 0,
                                           reply->text ? reply->text->str : (void *)"",
                                           MHD_RESPMEM_PERSISTENT);
  }
  int fd = body_fd(reply->body);
  if (fd >= 0) {
    return MHD_create_response_from_fd_at_offset64(size, dup(fd), reply->offset);
  }
  g_autoptr(GBytes) bytes = body_bytes(reply->body);
  const char *data = g_bytes_get_data(bytes, NULL);
  return MHD_create_response_from_buffer(
      size, (char *)(data ? data : "") + reply->offset,
      body_synthetic_index(reply->body) >= 0 ? MHD_RESPMEM_MUST_COPY : MHD_RESPMEM_PERSISTENT);
}

enum MHD_Result exchange_send(Sim *sim, Exchange *exchange, struct MHD_Connection *connection)
{
  Reply *reply = &exchange->reply;
  const Fault *fault = exchange->fault;
  exchange->sim = sim;
  exchange->started = g_get_monotonic_time();
  exchange->chunk_seed = 20030602;
  guint delay = sim->delay_ms + (fault ? fault->delay_ms : 0);
  if (exchange->control) {
    delay = 0;
  }
  if ((delay && !wait_for(exchange, delay)) || (fault && (fault->drop || fault->drop_after))) {
    return MHD_NO;
  }
  plan_fault(exchange);
  struct MHD_Response *response = response_for(exchange);
  if (!response) {
    return MHD_NO;
  }
  for (guint i = 0; reply->headers && i + 1 < reply->headers->len; i += 2) {
    MHD_add_response_header(response, reply->headers->pdata[i], reply->headers->pdata[i + 1]);
  }
  gint64 close_after = sim_switch(sim, SWITCH_CLOSE_AFTER);
  if (reply->close || (close_after && exchange->turn >= close_after)) {
    MHD_add_response_header(response, "Connection", "close");
  }
  if (strcmp(exchange->request.method, "HEAD") == 0) {
    exchange->bytes_out = 0;
  }
  enum MHD_Result queued = MHD_queue_response(connection, (guint)reply->status, response);
  MHD_destroy_response(response);
  return queued;
}
