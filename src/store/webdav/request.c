/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns how a WebDAV request looks on the line and how a 207 is read while it arrives; leaves what a
 * status means to status.c.
 */
#include "store/webdav/private.h"

#include "base/error.h"
#include "base/rule.h"

#include <errno.h>
#include <string.h>

/* A body that is no multistatus is only read for its error text. */
#define TEXT_KEPT (16u * 1024u)
#define TEXT_MAX (4u * 1024u * 1024u)

void dav_answer_clear(DavAnswer *answer)
{
  g_clear_pointer(&answer->http, http_response_free);
  g_clear_pointer(&answer->text, g_free);
}

static GPtrArray *build_headers(const Webdav *w, const DavRequest *request)
{
  GPtrArray *lines = g_ptr_array_new_with_free_func(g_free);
  if (RULE("dav-translate")) /* quirk 1: else Exchange answers a page of its web client */
    g_ptr_array_add(lines, g_strdup("Translate: f"));
  if (request->depth && RULE("dav-depth")) /* quirk 23: none means infinity */
    g_ptr_array_add(lines, g_strdup_printf("Depth: %s", request->depth));
  if (w->exchange && request->body && strcmp(request->method, "SEARCH") != 0)
    g_ptr_array_add(lines, g_strdup("Brief: t"));
  if (request->type)
    g_ptr_array_add(lines, g_strdup_printf("Content-Type: %s", request->type));
  for (gsize i = 0; i < G_N_ELEMENTS(request->headers) && request->headers[i]; i++)
    g_ptr_array_add(lines, g_strdup(request->headers[i]));
  g_ptr_array_add(lines, NULL);
  return lines;
}

gboolean dav_perform(Webdav *w, const StoreCall *call, const DavRequest *request,
                     HttpHeadFunc on_head, HttpDataFunc on_data, gpointer user, HttpResponse **ret,
                     GError **error)
{
  g_autoptr(GPtrArray) headers = build_headers(w, request);
  HttpRequest http = {.method = request->method,
                      .path = request->path,
                      .headers = (const char *const *)headers->pdata,
                      .destination = request->destination,
                      .body = request->body,
                      .body_len = request->body ? strlen(request->body) : 0,
                      .cancel = call->cancel,
                      .deadline = call->deadline,
                      .changes = request->changes,
                      .on_head = on_head,
                      .on_data = on_data,
                      .user = user};
  if (request->source) {
    http.body_fd = request->source->fd;
    http.body_size = request->source->size;
    http.has_body_fd = TRUE;
  }
  return http_perform(w->http, &http, ret, error);
}

typedef struct {
  MultistatusFunc func;
  gpointer user;
  Multistatus *reader;
  GString *text;
  guint64 bytes;
} Reading;

static gboolean ignore_response(const DavResponse *response, gpointer user, GError **error)
{
  (void)response, (void)user, (void)error;
  return TRUE;
}

static gboolean on_head(const HttpResponse *response, gpointer user, GError **error)
{
  Reading *reading = user;
  if (http_response_status(response) != 207)
    return TRUE;
  const char *type = http_response_header(response, "Content-Type");
  if (RULE("dav-207-type") && (!type || !strcasestr(type, "xml")))
    return error_set(error, EPROTO, SCOPE_STORE,
                     "the server answered a web page instead of WebDAV: check the address, or what "
                     "stands between");
  reading->reader = multistatus_new(dav_props, N_PROPS,
                                    reading->func ? reading->func : ignore_response, reading->user);
  return TRUE;
}

static gboolean on_data(const void *bytes, gsize len, gpointer user, GError **error)
{
  Reading *reading = user;
  if (reading->reader)
    return multistatus_feed(reading->reader, bytes, len, error);
  reading->bytes += len;
  if (reading->bytes > TEXT_MAX)
    return error_set(error, EPROTO, SCOPE_STORE, "the server answered something that is no WebDAV");
  g_string_append_len(reading->text, bytes,
                      (gssize)MIN(len, TEXT_KEPT - MIN(reading->text->len, TEXT_KEPT)));
  return TRUE;
}

/* Ends READING; if all went well so far, ANSWER takes RESPONSE over, else it is freed. */
static gboolean end_reading(Reading *reading, gboolean good, HttpResponse *response,
                            DavAnswer *answer, GError **error)
{
  good = good && (!reading->reader || multistatus_finish(reading->reader, error));
  multistatus_free(reading->reader);
  dav_answer_clear(answer);
  if (good) {
    answer->http = response;
    answer->status = http_response_status(response);
    answer->text = g_string_free(reading->text, FALSE);
  } else {
    http_response_free(response);
    g_string_free(reading->text, TRUE);
  }
  return good;
}

gboolean dav_send(Webdav *w, const StoreCall *call, const DavRequest *request, MultistatusFunc func,
                  gpointer user, DavAnswer *answer, GError **error)
{
  Reading reading = {.func = func, .user = user, .text = g_string_new(NULL)};
  HttpResponse *response = NULL;
  gboolean good = dav_perform(w, call, request, on_head, on_data, &reading, &response, error);
  if (!end_reading(&reading, good, response, answer, error))
    return FALSE;
  if (!request->changes || !dav_is_web_page(answer))
    return TRUE;
  /* A form to sign in, of whatever stands between: "200" would pass for "done". */
  GError *page =
      error_new(EIO, SCOPE_STORE,
                "the server answered a web page instead of making the change: check what "
                "stands between");
  error_set_maybe_applied(page, TRUE);
  g_propagate_error(error, page);
  return FALSE;
}

gboolean dav_replay(HttpResponse *response, const void *bytes, gsize len, MultistatusFunc func,
                    gpointer user, DavAnswer *answer, GError **error)
{
  Reading reading = {.func = func, .user = user, .text = g_string_new(NULL)};
  gboolean good =
      on_head(response, &reading, error) && (!len || on_data(bytes, len, &reading, error));
  return end_reading(&reading, good, response, answer, error);
}

gboolean dav_send_ref(Webdav *w, const StoreCall *call, const StoreRef *ref, DavRequest *request,
                      MultistatusFunc func, gpointer user, DavAnswer *answer, GError **error)
{
  g_autofree char *path = dav_path(w, ref, dav_is_folder_ref(ref), error);
  if (!path)
    return FALSE;
  request->path = path;
  gboolean sent = dav_send(w, call, request, func, user, answer, error);
  g_autofree char *permanent = dav_permanent(ref);
  g_auto(Entry) now;
  entry_init(&now);
  if (sent && answer->status == 404 && permanent && RULE("dav-permanent-url") &&
      (!request->changes || dav_stat((Store *)w, call, ref, &now, NULL))) {
    request->path = permanent;
    sent = dav_send(w, call, request, func, user, answer, error);
  }
  request->path = NULL;
  return sent;
}
