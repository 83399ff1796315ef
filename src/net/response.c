/* SPDX-License-Identifier: Apache-2.0 */
/* Owns status and headers of an answer and their bounds; leaves meaning to the back-ends. */
#include "net/response.h"

#include "base/secret.h"

#include <string.h>

typedef struct {
  char *name;
  char *value;
} Header;

struct HttpResponse {
  int status;
  NtlmTurn ntlm;
  GArray *headers;    /* Header */
  gsize lines, bytes; /* of all heads together, interim ones too */
  GString *text;
};

static void clear_header(gpointer data)
{
  Header *header = data;
  secret_wipe(header->value, strlen(header->value)); /* it may be a session's cookie */
  g_free(header->name);
  g_free(header->value);
}

HttpResponse *response_new(void)
{
  HttpResponse *response = g_new0(HttpResponse, 1);
  response->headers = g_array_new(FALSE, FALSE, sizeof(Header));
  g_array_set_clear_func(response->headers, clear_header);
  response->text = g_string_new(NULL);
  return response;
}

void http_response_free(HttpResponse *response)
{
  if (!response)
    return;
  g_array_unref(response->headers);
  g_string_free(response->text, TRUE);
  g_free(response);
}

/* "HTTP/1.1 207 Multi-Status": libcurl has checked the form; only the number is of interest. */
static void start_over(HttpResponse *response, const char *line)
{
  const char *space = strchr(line, ' ');
  response->status = space ? (int)g_ascii_strtoull(space + 1, NULL, 10) : 0;
  g_array_set_size(response->headers, 0);
}

HeadState response_add_line(HttpResponse *response, const char *line, gsize len)
{
  response->lines++;
  response->bytes += len;
  if (response->lines > HEAD_LINES_MAX || response->bytes > HEAD_BYTES_MAX)
    return HEAD_TOO_BIG;

  g_autofree char *copy = g_strndup(line, len); /* ends at a NUL, should there be one */
  g_strchomp(copy);
  if (copy[0] == '\0')
    return response->status >= 200 ? HEAD_DONE : HEAD_MORE;
  if (g_str_has_prefix(copy, "HTTP/")) {
    start_over(response, copy);
    return HEAD_MORE;
  }
  char *colon = strchr(copy, ':');
  if (!colon)
    return HEAD_MORE;
  *colon = '\0';
  Header header = {g_strdup(g_strchomp(copy)), g_strdup(g_strchug(colon + 1))};
  g_array_append_val(response->headers, header);
  secret_wipe(copy, len); /* g_strndup() made room for all of it */
  return HEAD_MORE;
}

void response_add_text(HttpResponse *response, const void *bytes, gsize len)
{
  gsize room = RESPONSE_TEXT_MAX - response->text->len;
  g_string_append_len(response->text, bytes, (gssize)MIN(len, room));
}

void response_set_ntlm(HttpResponse *response, NtlmTurn turn)
{
  response->ntlm = turn;
}

NtlmTurn response_ntlm(const HttpResponse *response)
{
  return response->ntlm;
}

int http_response_status(const HttpResponse *response)
{
  return response->status;
}

const char *http_response_header(const HttpResponse *response, const char *name)
{
  for (guint i = response->headers->len; i-- > 0;) {
    const Header *header = &g_array_index(response->headers, Header, i);
    if (g_ascii_strcasecmp(header->name, name) == 0)
      return header->value;
  }
  return NULL;
}

const char *http_response_next(const HttpResponse *response, const char *name, guint *at)
{
  while (*at < response->headers->len) {
    const Header *header = &g_array_index(response->headers, Header, (*at)++);
    if (g_ascii_strcasecmp(header->name, name) == 0)
      return header->value;
  }
  return NULL;
}

gint64 http_response_length(const HttpResponse *response)
{
  const char *value = http_response_header(response, "Content-Length");
  guint64 length;
  /* With chunks a length means nothing (RFC 9112 section 6.3). */
  if (!value || http_response_header(response, "Transfer-Encoding") ||
      !g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT64, &length, NULL))
    return -1;
  return (gint64)length;
}

const char *http_response_text(const HttpResponse *response)
{
  return response->text->str;
}
