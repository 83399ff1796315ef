/* SPDX-License-Identifier: Apache-2.0 */
/* The small helpers of sim.h: reading a request, filling a reply. */
#include "sim.h"

#include <string.h>

const char *request_header(const Request *request, const char *name)
{
  return g_hash_table_lookup(request->headers, name);
}

gboolean request_header_is(const Request *request, const char *name, const char *value)
{
  const char *got = request_header(request, name);
  return got && g_ascii_strcasecmp(got, value) == 0;
}

char *request_text(const Request *request, gsize limit, gsize *ret_len)
{
  guint64 size = body_size(request->body);
  if (size > limit) {
    return NULL;
  }
  char *text = g_malloc((gsize)size + 1);
  gsize len = 0;
  while (len < size) {
    gssize got = body_read(request->body, len, text + len, (gsize)size - len);
    if (got <= 0) {
      break;
    }
    len += (gsize)got;
  }
  text[len] = '\0';
  *ret_len = len;
  return text;
}

gboolean request_is_https(const Request *request)
{
  return request_header_is(request, "front-end-https", "on");
}

void request_append_origin(const Sim *sim, const Request *request, GString *out)
{
  const char *host = request_header(request, "host");
  if (sim->href_host && strstr(sim->href_host, "://")) {
    g_string_append(out, sim->href_host);
    return;
  }
  g_string_append(out, request_is_https(request) ? "https://" : "http://");
  g_string_append(out, sim->href_host ? sim->href_host : host ? host : "localhost");
}

void reply_header(Reply *reply, const char *name, const char *value)
{
  if (!reply->headers) {
    reply->headers = g_ptr_array_new_with_free_func(g_free);
  }
  g_ptr_array_add(reply->headers, g_strdup(name));
  g_ptr_array_add(reply->headers, g_strdup(value));
}

void reply_headerf(Reply *reply, const char *name, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *value = g_strdup_vprintf(format, args);
  va_end(args);
  reply_header(reply, name, value);
}

void reply_status(Reply *reply, int status)
{
  reply->status = status;
}

void reply_text(Reply *reply, int status, const char *type, const char *text)
{
  reply->status = status;
  reply_header(reply, "Content-Type", type ? type : "text/html");
  if (reply->text) {
    g_string_free(reply->text, TRUE);
  }
  reply->text = g_string_new(text);
}

void reply_multistatus(Reply *reply, GString *text)
{
  reply->status = 207;
  reply->text = text;
  reply->chunked = TRUE;
}

void reply_clear(Reply *reply)
{
  if (reply->text) {
    g_string_free(reply->text, TRUE);
  }
  g_clear_pointer(&reply->headers, g_ptr_array_unref);
  g_clear_pointer(&reply->body, body_unref);
  *reply = (Reply){0};
}
