/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the reading of a body: that the bytes are a body at all, that they are of the version asked
 * for, that none is missing or told twice although the line broke. Leaves where they go to the
 * sink.
 */
#include "store/webdav/private.h"

#include "base/error.h"
#include "base/rule.h"

#include <errno.h>
#include <string.h>

#define RESUMES_MAX 3u

typedef struct {
  Webdav *w;
  const StoreCall *call;
  const StoreRef *ref;
  const StoreSink *sink;
  const char *what;
  const char *name;

  char *expected; /* the tag the bytes must have; NULL: any, until the first answer */
  gint64 wanted;  /* the next byte the sink shall get */
  gint64 total;   /* length of the whole body, -1 unknown */
  gint64 exact;   /* the length it must have, when the version was asked for; -1 unknown */
  gboolean begun; /* the sink's begin was called */
  gboolean asked; /* the version was asked for before this answer */

  /* of the answer under way */
  int status;
  gint64 at;         /* the offset of its next byte */
  gboolean is_body;  /* its bytes are of the item */
  gboolean ranged;   /* a Range was asked for */
  gboolean tagless;  /* it brings no tag: its version is asked for before and after */
  gboolean doubtful; /* nothing is taken before the version was asked for */
  gboolean sink_end; /* the sink refused: not ours to repeat */
} Reading;

static gboolean ends_in_html(const char *name)
{
  const char *dot = strrchr(name, '.');
  return dot &&
         (g_ascii_strncasecmp(dot, ".htm", 4) == 0 || g_ascii_strncasecmp(dot, ".xht", 4) == 0);
}

/*
 * Quirks 1 and 16: a page of the web client or a sign-in form comes with status 200. On Exchange
 * only a document named so may be HTML; elsewhere a message is certainly not.
 */
static gboolean is_web_page(const Reading *r, const HttpResponse *response)
{
  const char *type = http_response_header(response, "Content-Type");
  if (!type || g_ascii_strncasecmp(type, "text/html", 9) != 0 || ends_in_html(r->name))
    return FALSE;
  g_autofree char *lower = g_ascii_strdown(r->name, -1);
  return (r->w->exchange || g_str_has_suffix(lower, ".eml")) && RULE("dav-html-body");
}

/* Compressed although nobody asked for it, or a file that is so itself (Apache's AddEncoding). */
static gboolean is_encoded(const HttpResponse *response)
{
  const char *encoding = http_response_header(response, "Content-Encoding");
  return encoding && g_ascii_strcasecmp(encoding, "identity") != 0;
}

/* "bytes 5-9/10" into where the answer starts and the length of the whole. */
static gboolean take_range(Reading *r, const HttpResponse *response)
{
  const char *range = http_response_header(response, "Content-Range");
  char *end;
  if (!range || !g_str_has_prefix(range, "bytes ") || !g_ascii_isdigit(range[6]))
    return FALSE;
  r->at = (gint64)MIN(g_ascii_strtoull(range + 6, &end, 10), (guint64)G_MAXINT64);
  const char *slash = strchr(end, '/');
  gint64 total = slash && g_ascii_isdigit(slash[1])
                     ? (gint64)MIN(g_ascii_strtoull(slash + 1, NULL, 10), (guint64)G_MAXINT64)
                     : -1;
  if (r->begun && r->total >= 0 && total >= 0 && total != r->total)
    return FALSE;
  if (!r->begun || r->total < 0)
    r->total = total;
  return r->at == r->wanted && r->total >= 0; /* else its end would not be known for the whole's */
}

static gboolean stale(const Reading *r, GError **error)
{
  return error_set(error, ESTALE, SCOPE_ITEM, "%s: it was changed on the server in the meantime",
                   r->what);
}

/* The version: the first answer's is taken if none was asked for; later ones must be the same. */
static gboolean check_tag(Reading *r, const HttpResponse *response, GError **error)
{
  g_autofree char *tag = dav_answer_tag(response);
  if (!tag && r->expected && *r->expected != '"') { /* our substitute for a tag: see record.c */
    const char *modified = http_response_header(response, "Last-Modified");
    if (modified && r->total >= 0)
      tag = g_strdup_printf("%s %" G_GINT64_FORMAT, modified, r->total);
  }
  r->tagless = !tag;
  if (!tag)
    return r->begun ? stale(r, error) : TRUE;
  if (!r->expected)
    r->expected = g_steal_pointer(&tag);
  else if (strcmp(tag, r->expected) != 0 && RULE("dav-body-version"))
    return stale(r, error);
  return TRUE;
}

static gboolean begin_sink(Reading *r, GError **error)
{
  g_auto(Entry) now;
  entry_init(&now);
  now.fields = FIELD_ID;
  guint n = r->ref->path ? r->ref->path->len : 0;
  now.id = n ? g_bytes_ref(g_ptr_array_index(r->ref->path, n - 1)) : NULL;
  now.tag = r->expected ? g_bytes_new(r->expected, strlen(r->expected)) : NULL;
  if (r->total >= 0) {
    now.fields |= FIELD_SIZE;
    now.size = r->total;
    now.size_kind = SIZE_EXACT;
  }
  r->begun = TRUE;
  r->sink_end = !r->sink->begin(r->total, &now, r->sink->user, error);
  return !r->sink_end;
}

/* Asks for the version that no GET brings; what it was before, it must be after. */
static gboolean ask_tag(Reading *r, GError **error)
{
  r->asked = TRUE;
  g_auto(Entry) now;
  entry_init(&now);
  if (!dav_stat((Store *)r->w, r->call, r->ref, &now, error))
    return FALSE;
  g_autofree char *tag =
      now.tag ? g_strndup(g_bytes_get_data(now.tag, NULL), g_bytes_get_size(now.tag)) : NULL;
  if (!r->expected)
    r->expected = g_steal_pointer(&tag);
  else if (g_strcmp0(tag, r->expected) != 0)
    return stale(r, error);
  if ((now.fields & FIELD_SIZE) && now.size_kind == SIZE_EXACT)
    r->exact = now.size;
  return TRUE;
}

/*
 * A web page in the place of a body has no tag, and another length than the item; so has what
 * something on the way has compressed.
 */
static gboolean check_length(const Reading *r, gint64 length, GError **error)
{
  if (length < 0 || r->exact < 0 || length == r->exact || !RULE("dav-length"))
    return TRUE;
  return error_set(error, EIO, SCOPE_ITEM,
                   "%s: the server sent something else in its place: look what stands between",
                   r->what);
}

static gboolean on_head(const HttpResponse *response, gpointer user, GError **error)
{
  Reading *r = user;
  r->status = http_response_status(response);
  r->at = 0;
  /* Quirk 16: no byte of another answer is ever taken for the body. */
  r->is_body = r->status == 200 || (r->status == 206 && r->ranged) || !RULE("dav-body-status");
  if (!r->is_body)
    return TRUE;
  if (is_web_page(r, response))
    return error_set(error, EIO, SCOPE_ITEM,
                     "%s: the server sent a web page instead of the item: look what stands between",
                     r->what);
  if (r->status == 206 && !take_range(r, response))
    return error_set(error, EIO, SCOPE_LINE,
                     "%s: the server sent another piece than asked for; try again", r->what);
  gint64 length = http_response_length(response);
  if (r->status != 206) {
    if (r->begun && r->total >= 0 && length >= 0 && length != r->total)
      return stale(r, error);
    if (!r->begun)
      r->total = length;
  }
  if (!check_tag(r, response, error))
    return FALSE;
  gboolean encoded = is_encoded(response);
  r->doubtful = (r->tagless || encoded) && !r->asked;
  if (encoded && (r->w->exchange || (r->asked ? r->exact < 0 : r->begun)))
    return error_set(error, EIO, SCOPE_ITEM,
                     "%s: it came compressed, which was not asked for: look what stands between",
                     r->what);
  if (r->doubtful) /* not here: it would need a second connection */
    return error_set(error, EAGAIN, SCOPE_LOCAL, "the version is asked for first");
  return check_length(r, r->total, error) && (r->begun || begin_sink(r, error));
}

static gboolean on_data(const void *bytes, gsize len, gpointer user, GError **error)
{
  Reading *r = user;
  if (!r->is_body)
    return TRUE;                   /* the text of an error */
  gint64 skip = r->wanted - r->at; /* what the sink had already */
  r->at += (gint64)len;
  if (skip >= (gint64)len)
    return TRUE;
  if (skip > 0) {
    bytes = (const char *)bytes + skip;
    len -= (gsize)skip;
  }
  if (r->total >= 0 && (gint64)len > r->total - r->wanted && RULE("dav-length"))
    return error_set(error, EIO, SCOPE_ITEM, "%s: the server sent more than it said; try again",
                     r->what);
  r->wanted += (gint64)len;
  r->sink_end = !r->sink->data(bytes, len, r->sink->user, error);
  return !r->sink_end;
}

/* Sends one GET for what is still wanted. *RET_STATUS: of an answer that was no body. */
static gboolean attempt(Reading *r, const char *path, HttpResponse **ret, GError **error)
{
  g_autofree char *range = NULL;
  g_autofree char *if_range = NULL;
  DavRequest request = {.method = "GET", .path = path};
  r->ranged = r->wanted > 0 && !r->w->exchange;
  if (r->ranged) {
    range = g_strdup_printf("Range: bytes=%" G_GINT64_FORMAT "-", r->wanted);
    request.headers[0] = range;
    if (r->expected && *r->expected == '"') {
      if_range = g_strdup_printf("If-Range: %s", r->expected);
      request.headers[1] = if_range;
    }
  }
  r->is_body = r->doubtful = FALSE;
  return dav_perform(r->w, r->call, &request, on_head, on_data, r, ret, error);
}

/* Whether the line broke in a body that can be taken up where it broke. */
static gboolean may_resume(const Reading *r, const GError *error, guint resumes)
{
  return r->begun && !r->sink_end && r->expected && !r->tagless && resumes < RESUMES_MAX &&
         error_scope(error) == SCOPE_LINE && error_errno(error) == EIO && RULE("dav-resume");
}

/* Judges an answer that ended well by HTTP's rules. */
static gboolean check_end(Reading *r, HttpResponse *response, GError **error)
{
  if (!r->is_body || !r->begun) {
    if (r->status == 416 && r->wanted > 0)
      return stale(r, error);
    DavAnswer answer = {.http = response, .status = r->status, .text = (char *)""};
    return r->status == 200 || (dav_is_success(r->status) && r->status != 206)
               ? error_set(error, EIO, SCOPE_ITEM, "%s: the server sent no body; try again",
                           r->what)
               : dav_refuse(&answer, OP_READ, r->what, error);
  }
  if (r->total >= 0 && r->wanted < r->total && RULE("dav-length"))
    return error_set(error, EIO, SCOPE_LINE, "%s: the server sent less than it said; try again",
                     r->what);
  return check_length(r, r->wanted, error);
}

static gboolean read_from(Reading *r, const char *path, const char *permanent, GError **error)
{
  for (guint resumes = 0;;) {
    g_autoptr(HttpResponse) response = NULL;
    g_autoptr(GError) mine = NULL;
    if (attempt(r, path, &response, &mine)) {
      if (r->status == 404 && permanent && !r->begun && RULE("dav-permanent-url")) {
        path = permanent; /* quirk 6 */
        permanent = NULL;
        continue;
      }
      return check_end(r, response, error);
    }
    if (r->doubtful) {
      if (!ask_tag(r, error))
        return FALSE;
      continue;
    }
    if (!may_resume(r, mine, resumes)) {
      g_propagate_error(error, g_steal_pointer(&mine));
      return FALSE;
    }
    resumes++;
  }
}

gboolean dav_read_body(Store *store, const StoreCall *call, const StoreRef *ref, gint64 offset,
                       const StoreSink *sink, GError **error)
{
  Webdav *w = (Webdav *)store;
  g_autofree char *what = dav_what(w, ref, NULL);
  g_autofree char *path = dav_path(w, ref, FALSE, error);
  if (!path)
    return FALSE;
  g_autofree char *permanent = dav_permanent(ref);
  const char *slash = strrchr(what, '/');
  Reading r = {.w = w,
               .call = call,
               .ref = ref,
               .sink = sink,
               .what = what,
               .name = slash ? slash + 1 : what,
               .wanted = offset,
               .total = -1,
               .exact = -1};
  if (ref->tag)
    r.expected = g_strndup(g_bytes_get_data(ref->tag, NULL), g_bytes_get_size(ref->tag));
  /* When no answer brings a tag, the version is asked for before and after: on_head saw it before
   * the first byte, this sees that it held until the last. */
  gboolean good =
      read_from(&r, path, permanent, error) && (!r.tagless || !r.expected || ask_tag(&r, error));
  g_free(r.expected);
  return good;
}
