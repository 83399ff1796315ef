/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns one request of SEARCH for a page of rows, done at once or ahead by a thread: a server that
 * builds a page before it sends it works on the next one while this one is read. Leaves which page
 * comes next to search.c.
 */
#include "store/webdav/private.h"

#include "base/error.h"

#include <errno.h>

/* A page is 2,000 rows of about 1 KiB. */
#define BYTES_MAX (64u * 1024u * 1024u)

struct DavAhead {
  Webdav *w;
  StoreCall call; /* with a token of our own, so that a page nobody wants can be stopped */
  Cancel *outer;  /* the caller's token */
  gulong outer_id;
  const char *url, *body;
  guint64 from;
  guint count;
  GThread *thread;
  /* the thread's until it was joined */
  GByteArray *bytes;
  HttpResponse *response;
  GError *error;
};

static DavRequest page_request(const char *url, const char *body, const char *range)
{
  return (DavRequest){
      .method = "SEARCH", .path = url, .headers = {range}, .type = "text/xml", .body = body};
}

static char *range_header(guint64 from, guint count)
{
  return g_strdup_printf("Range: rows=%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT, from,
                         from + count - 1);
}

gboolean dav_search(Webdav *w, const StoreCall *call, const char *url, const char *body,
                    guint64 from, guint count, MultistatusFunc func, gpointer user,
                    DavAnswer *answer, GError **error)
{
  g_autofree char *range = range_header(from, count);
  DavRequest request = page_request(url, body, range);
  return dav_send(w, call, &request, func, user, answer, error);
}

static gboolean keep(const void *bytes, gsize len, gpointer user, GError **error)
{
  DavAhead *ahead = user;
  if (ahead->bytes->len + len > BYTES_MAX)
    return error_set(error, EIO, SCOPE_FOLDER, "the server sends more than a page of rows can be");
  g_byte_array_append(ahead->bytes, bytes, (guint)len);
  return TRUE;
}

static gpointer run(gpointer data)
{
  DavAhead *ahead = data;
  g_autofree char *range = range_header(ahead->from, ahead->count);
  DavRequest request = page_request(ahead->url, ahead->body, range);
  dav_perform(ahead->w, &ahead->call, &request, NULL, keep, ahead, &ahead->response, &ahead->error);
  return NULL;
}

static void pass_on(gpointer user)
{
  cancel_trigger(user);
}

DavAhead *dav_ahead_new(Webdav *w, const StoreCall *call, const char *url, const char *body,
                        guint64 from, guint count)
{
  DavAhead *ahead = g_new0(DavAhead, 1);
  ahead->w = w;
  ahead->call = *call;
  ahead->call.cancel = cancel_new();
  ahead->outer = call->cancel;
  ahead->outer_id = cancel_connect(ahead->outer, pass_on, ahead->call.cancel);
  ahead->url = url;
  ahead->body = body;
  ahead->from = from;
  ahead->count = count;
  ahead->bytes = g_byte_array_new();
  ahead->thread = g_thread_new("ahead", run, ahead);
  return ahead;
}

gboolean dav_ahead_is(const DavAhead *ahead, guint64 from, guint count)
{
  return ahead && ahead->from == from && ahead->count == count;
}

void dav_ahead_wait(DavAhead *ahead)
{
  if (ahead->thread)
    g_thread_join(g_steal_pointer(&ahead->thread));
}

gboolean dav_ahead_take(DavAhead *ahead, MultistatusFunc func, gpointer user, DavAnswer *answer,
                        GError **error)
{
  dav_ahead_wait(ahead);
  if (ahead->error) {
    g_propagate_error(error, g_steal_pointer(&ahead->error));
    return FALSE;
  }
  return dav_replay(g_steal_pointer(&ahead->response), ahead->bytes->data, ahead->bytes->len, func,
                    user, answer, error);
}

void dav_ahead_free(DavAhead *ahead)
{
  if (!ahead)
    return;
  if (ahead->thread) {
    cancel_trigger(ahead->call.cancel);
    g_thread_join(ahead->thread);
  }
  cancel_disconnect(ahead->outer, ahead->outer_id);
  cancel_unref(ahead->call.cancel);
  http_response_free(ahead->response);
  g_clear_error(&ahead->error);
  g_byte_array_unref(ahead->bytes);
  g_free(ahead);
}
