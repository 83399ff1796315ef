/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns Exchange's SEARCH: a folder's rows in pages, complete although items come and go between
 * two pages (section 6.4). Rows are ordered by creation, so that newcomers stand at the end; each
 * page begins with the last row of the page before. If that row was never seen, rows before it went
 * away and others moved up unseen: the pages before are read again, and what is known is skipped.
 */
#include "store/webdav/private.h"

#include "base/error.h"
#include "base/rule.h"

#include <errno.h>
#include <string.h>

#define FIRST_PAGE 200u /* small: the first names are on the screen soon */
#define PAGE 2000u
#define OVERLAP 1u
#define SHIFTS_MAX 8u
#define TOTAL_MAX 5000000u

#define VISIBLE "\"DAV:ishidden\" = False"
#define ORDER "DAV:creationdate"

typedef struct {
  guint64 first; /* of the rows in the answer */
  gint64 total;  /* -1: not told */
  gboolean told; /* there was a Content-Range at all */
} PageRange;

/* Reads "rows 0-99; total=1203"; FALSE for what cannot be that. */
static gboolean parse_range(const char *text, PageRange *ret)
{
  *ret = (PageRange){0, -1, FALSE};
  if (!text)
    return TRUE;
  if (!g_str_has_prefix(text, "rows "))
    return FALSE;
  char *end;
  ret->told = TRUE;
  ret->first = g_ascii_strtoull(text + 5, &end, 10);
  const char *total = strstr(end, "total=");
  if (total && g_ascii_isdigit(total[6]))
    ret->total = (gint64)MIN(g_ascii_strtoull(total + 6, NULL, 10), (guint64)G_MAXINT32);
  return TRUE;
}

/* URLScan hides methods (404, 405), old stores refuse columns (422): then PROPFIND (quirk 41). */
static gboolean is_unable(int status)
{
  return status == 404 || status == 405 || status == 422 || status == 501;
}

typedef struct {
  guint64 next; /* rows before this one were read */
  guint size;
  guint shifts;
  gint64 total;  /* as the last page told, -1 not */
  gboolean full; /* the last page had all the rows that were asked for */
  gboolean done;
  DavAhead *ahead; /* the page after this one, or NULL */
} Paging;

static gboolean incomplete(const DavListing *listing, GError **error)
{
  return error_set(error, EIO, SCOPE_FOLDER,
                   "%s: the server repeats its rows instead of going on; the listing is not "
                   "complete",
                   listing->what);
}

/* Goes back BY rows, to meet known rows again; not for ever. */
static gboolean step_back(const DavListing *listing, Paging *paging, guint64 by, GError **error)
{
  if (++paging->shifts > SHIFTS_MAX)
    return error_set(error, EIO, SCOPE_FOLDER,
                     "%s: the folder changes faster than it can be listed; try again",
                     listing->what);
  paging->done = FALSE;
  paging->next = paging->next > by ? paging->next - by : 0;
  return TRUE;
}

/* Decides from the page just read (LISTING's rows, RANGE) what to read next. */
static gboolean advance(const DavListing *listing, const PageRange *range, guint64 from,
                        guint asked, Paging *paging, GError **error)
{
  gboolean shifted = from > 0 && (listing->rows == 0 || !listing->first_seen);
  if (shifted && RULE("dav-list-shift"))
    return step_back(listing, paging, PAGE, error);
  if (range->told && range->first != from)
    return incomplete(listing, error);
  if (from > 0 && !listing->fresh && listing->rows > 1 && !paging->shifts &&
      RULE("dav-list-repeats"))
    return range->told ? step_back(listing, paging, paging->next, error)
                       : incomplete(listing, error);
  guint64 before = paging->next;
  paging->next = from + listing->rows;
  paging->size = PAGE;
  if (range->total < 0) { /* a short page is the last; a longer one is all there is */
    paging->done = listing->rows != asked;
    return TRUE;
  }
  paging->done = paging->next >= (guint64)range->total;
  gboolean stuck = !paging->done && paging->next <= before;
  gboolean missing = paging->done && g_hash_table_size(listing->seen) < (guint64)range->total &&
                     RULE("dav-list-complete");
  return stuck || missing ? step_back(listing, paging, paging->next, error) : TRUE;
}

/*
 * Reads the page from FROM on, and has the one after it fetched meanwhile. Only behind a full page:
 * a server that gives fewer rows than asked for would be asked for the wrong ones.
 */
static gboolean read_page(DavListing *listing, const char *body, Paging *paging, guint64 from,
                          DavAnswer *answer, GError **error)
{
  Webdav *w = listing->w;
  DavAhead *ahead = g_steal_pointer(&paging->ahead);
  if (!dav_ahead_is(ahead, from, paging->size)) {
    dav_ahead_free(ahead);
    ahead = NULL;
  }
  guint64 next = from + paging->size - OVERLAP;
  gboolean more = paging->full && paging->total > 0 && next + OVERLAP < (guint64)paging->total;
  if (more && !ahead)
    ahead = dav_ahead_new(w, listing->call, listing->url, body, from, paging->size);
  if (!ahead)
    return dav_search(w, listing->call, listing->url, body, from, paging->size, dav_listing_take,
                      listing, answer, error);
  dav_ahead_wait(ahead);
  if (more)
    paging->ahead = dav_ahead_new(w, listing->call, listing->url, body, next, paging->size);
  gboolean good = dav_ahead_take(ahead, dav_listing_take, listing, answer, error);
  dav_ahead_free(ahead);
  return good;
}

static gboolean read_pages(DavListing *listing, const char *body, Paging *paging,
                           gboolean *ret_unable, GError **error)
{
  while (!paging->done) {
    guint64 from = paging->next > 0 ? paging->next - OVERLAP : 0;
    guint asked = paging->size;
    g_auto(DavAnswer) answer = {0};
    PageRange range;
    listing->rows = listing->fresh = 0;
    listing->first_seen = FALSE;
    if (from > TOTAL_MAX)
      return incomplete(listing, error);
    if (!read_page(listing, body, paging, from, &answer, error))
      return FALSE;
    if (is_unable(answer.status) && from == 0 && !listing->begun) {
      *ret_unable = TRUE;
      return TRUE;
    }
    if (answer.status == 416 && from == 0) /* no rows at all */
      break;
    if (answer.status != 207 && answer.status != 416)
      return dav_is_success(answer.status)
                 ? error_set(error, EPROTO, SCOPE_STORE,
                             "%s: the server answered a web page instead of a listing",
                             listing->what)
                 : dav_refuse(&answer, OP_LIST, listing->what, error);
    if (!parse_range(http_response_header(answer.http, "Content-Range"), &range))
      return incomplete(listing, error);
    /* A total below what was seen already is no total: go on until a page is short. */
    if (range.total >= 0 && range.total < (gint64)g_hash_table_size(listing->seen))
      range.total = -1;
    paging->total = range.total;
    paging->full = listing->rows == asked;
    if (!advance(listing, &range, from, asked, paging, error))
      return FALSE;
  }
  return dav_listing_begin(listing, error);
}

gboolean dav_search_list(DavListing *listing, gboolean *ret_unable, GError **error)
{
  g_autofree char *body = davbody_search(
      dav_props, dav_item_props,
      RULE("dav-hidden") ? VISIBLE : "(\"DAV:ishidden\" = False OR \"DAV:ishidden\" = True)",
      ORDER);
  Paging paging = {.size = FIRST_PAGE, .total = -1};
  gboolean good = read_pages(listing, body, &paging, ret_unable, error);
  dav_ahead_free(paging.ahead);
  return good;
}

typedef struct {
  const Webdav *w;
  const char *asked;
  Entry *out;
  guint rows;
} One;

static gboolean take_one(const DavResponse *response, gpointer user, GError **error)
{
  One *one = user;
  g_autofree char *segment = dav_member(one->w, one->asked, NULL, response->href);
  if (!segment || !*segment)
    return error_set(error, EIO, SCOPE_FOLDER, "the server found something outside the folder");
  return one->rows++ ? TRUE : dav_entry(one->w, segment, response, one->out, error);
}

gboolean dav_search_one(Webdav *w, const StoreCall *call, const char *path, const char *where,
                        const char *what, Entry *out, GError **error)
{
  g_autofree char *body = davbody_search(dav_props, dav_item_props, where, NULL);
  g_auto(DavAnswer) answer = {0};
  g_auto(Entry) entry;
  entry_init(&entry);
  One one = {.w = w, .asked = path, .out = &entry};
  if (!dav_search(w, call, path, body, 0, 1, take_one, &one, &answer, error))
    return FALSE;
  if (answer.status != 207 && answer.status != 416 && !is_unable(answer.status))
    return dav_refuse(&answer, OP_LOOK, what, error);
  if (!one.rows)
    return error_set(error, ENOENT, SCOPE_ITEM, "%s: it is gone from the server", what);
  entry_clear(out);
  *out = entry;
  entry_init(&entry);
  return TRUE;
}
