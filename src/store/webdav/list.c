/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the listing of a folder as a change stream: one PROPFIND of depth 1 on any server, pages of
 * SEARCH on Exchange (search.c). A listing that is not certainly complete is an error.
 */
#include "store/webdav/private.h"

#include "base/error.h"
#include "base/rule.h"

#include <errno.h>
#include <string.h>

/* So many rows told twice are no race any more. */
#define REPEATED_MAX 10000u
/* Names are remembered while a folder is listed: several million of them, not more. */
#define SEEN_MAX ((gsize)512 * 1024 * 1024)
/* A longer repl-uid is none; neither is an empty one, which would make all rows the same. */
#define UID_MAX 1024u

gboolean dav_listing_begin(DavListing *listing, GError **error)
{
  if (listing->begun)
    return TRUE;
  listing->begun = TRUE;
  return listing->func(CHANGE_RESET, NULL, listing->user, error);
}

/* Notes that the member KEY was met; TRUE when it is new. */
static gboolean is_fresh(DavListing *listing, const char *key, GError **error)
{
  gboolean fresh = !g_hash_table_contains(listing->seen, key);
  if (listing->rows == 0)
    listing->first_seen = !fresh;
  listing->rows++;
  if (fresh) {
    listing->seen_bytes += strlen(key) + 1;
    if (listing->seen_bytes > SEEN_MAX)
      return error_set(error, EIO, SCOPE_FOLDER,
                       "%s: the server lists more than a folder can hold; mount one below it",
                       listing->what);
    g_hash_table_add(listing->seen, g_strdup(key));
    listing->fresh++;
  } else if (++listing->repeated > REPEATED_MAX &&
             listing->repeated > g_hash_table_size(listing->seen) && RULE("dav-list-repeats")) {
    return error_set(error, EIO, SCOPE_FOLDER,
                     "%s: the server lists the same again and again; try again, or see its log",
                     listing->what);
  }
  return fresh || !RULE("dav-list-dedupe");
}

/* A member that may be seen but not looked at (quirk 18): its name is known, nothing else. */
static gboolean tell_bare(DavListing *listing, const char *segment, GError **error)
{
  static const char *const nothing[N_PROPS];
  DavResponse bare = {.href = segment, .values = nothing};
  g_auto(Entry) entry;
  entry_init(&entry);
  if (!dav_entry(listing->w, segment, &bare, &entry, error))
    return FALSE;
  entry.fields = FIELD_ID | FIELD_NAME;
  return listing->func(CHANGE_ENTRY, &entry, listing->user, error);
}

gboolean dav_listing_take(const DavResponse *response, gpointer user, GError **error)
{
  DavListing *listing = user;
  if (!dav_listing_begin(listing, error))
    return FALSE;
  g_autofree char *segment =
      dav_member(listing->w, listing->asked, listing->server, response->href);
  if (!segment)
    return error_set(error, EIO, SCOPE_FOLDER,
                     "%s: the server lists \"%.200s\", which is not in this folder", listing->what,
                     response->href);
  if (!*segment) { /* the folder itself; "noroot" is Exchange's alone */
    g_free(listing->server);
    listing->server = davurl_path(response->href);
    if (listing->server && !g_str_has_suffix(listing->server, "/"))
      g_clear_pointer(&listing->server, g_free);
    return TRUE;
  }
  const char *uid = response->values[P_UID];
  gboolean has_uid = uid && *uid && strlen(uid) <= UID_MAX;
  GError *mine = NULL;
  gboolean fresh = is_fresh(listing, has_uid ? uid : segment, &mine);
  if (mine) {
    g_propagate_error(error, mine);
    return FALSE;
  }
  if (!fresh || response->status == 404 || response->status == 410)
    return TRUE; /* told before, or gone since the server began its answer */
  if (response->values[P_ISHIDDEN] && response->values[P_ISHIDDEN][0] == '1' && RULE("dav-hidden"))
    return TRUE; /* quirk 26 */
  if (response->status && !dav_is_success(response->status))
    return tell_bare(listing, segment, error);
  g_auto(Entry) entry;
  entry_init(&entry);
  return dav_entry(listing->w, segment, response, &entry, error) &&
         listing->func(CHANGE_ENTRY, &entry, listing->user, error);
}

/* Lists by one PROPFIND; the answer is streamed and has no pages. */
static gboolean propfind_list(DavListing *listing, GError **error)
{
  Webdav *w = listing->w;
  g_autofree char *body = davbody_propfind(dav_props, dav_props_for(w));
  DavRequest request = {.method = "PROPFIND",
                        .path = listing->url,
                        .depth = w->exchange ? "1,noroot" : "1",
                        .type = "text/xml",
                        .body = body};
  g_auto(DavAnswer) answer = {0};
  listing->rows = listing->fresh = 0;
  if (!dav_send(w, listing->call, &request, dav_listing_take, listing, &answer, error))
    return FALSE;
  if (answer.status == 207)
    return TRUE;
  return dav_is_success(answer.status)
             ? error_set(error, EPROTO, SCOPE_STORE,
                         "%s: the server answered a web page instead of a listing", listing->what)
             : dav_refuse(&answer, OP_LIST, listing->what, error);
}

static gboolean run(DavListing *listing, GError **error)
{
  Webdav *w = listing->w;
  gboolean unable = !w->exchange || g_atomic_int_get(&w->no_search);
  if (!unable) {
    if (!dav_search_list(listing, &unable, error))
      return FALSE;
    if (!unable)
      return TRUE;
    if (!RULE("dav-search-fallback"))
      return error_set(error, EIO, SCOPE_FOLDER, "%s: the server has no SEARCH", listing->what);
    if (!propfind_list(listing, error))
      return FALSE;
    g_atomic_int_set(&w->no_search, 1); /* the folder is there: it was the method */
    return TRUE;
  }
  return propfind_list(listing, error);
}

typedef struct {
  char *href;
  GBytes *content_tag;
} Before;

static gboolean take_before(const DavResponse *response, gpointer user, GError **error)
{
  Before *before = user;
  const char *tag = response->values[P_CONTENTTAG];
  const char *isfolder = response->values[P_ISFOLDER];
  if (isfolder && isfolder[0] == '0')
    return error_set(error, ENOTDIR, SCOPE_FOLDER, "it is no folder on the server any more");
  before->href = davurl_path(response->href);
  if (tag && strlen(tag) <= 1024)
    before->content_tag = g_bytes_new(tag, strlen(tag));
  return TRUE;
}

static gboolean tell_end(DavListing *listing, GBytes *content_tag, GError **error)
{
  g_auto(Entry) end;
  entry_init(&end);
  end.folder = TRUE;
  end.content_tag = content_tag ? g_bytes_ref(content_tag) : NULL;
  return dav_listing_begin(listing, error) && listing->func(CHANGE_END, &end, listing->user, error);
}

gboolean dav_list(Store *store, const StoreCall *call, const StoreRef *folder, StoreChangeFunc func,
                  gpointer user, GError **error)
{
  static const int before_props[] = {P_CONTENTTAG, P_ISFOLDER, -1};
  Webdav *w = (Webdav *)store;
  g_autofree char *what = dav_what(w, folder, NULL);
  g_autofree char *asked = dav_path(w, folder, TRUE, error);
  if (!asked)
    return FALSE;
  /* The content tag must be older than the rows; its answer also shows the server's own spelling
   * of the folder, below which the rows will be. */
  Before before = {0};
  g_autofree char *permanent = dav_is_folder_ref(folder) ? dav_permanent(folder) : NULL;
  const char *url = asked;
  g_autoptr(GError) mine = NULL;
  if (w->base.caps.content_tag &&
      !dav_look(w, call, url, before_props, take_before, &before, what, &mine)) {
    if (error_errno(mine) != ENOENT || !permanent || !RULE("dav-permanent-url")) {
      g_propagate_error(error, g_steal_pointer(&mine));
      return FALSE;
    }
    url = permanent; /* quirk 6 */
    if (!dav_look(w, call, url, before_props, take_before, &before, what, error))
      return FALSE;
  }
  DavListing listing = {.w = w,
                        .call = call,
                        .what = what,
                        .url = url,
                        .asked = asked,
                        .func = func,
                        .user = user,
                        .seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
  if (before.href && url == asked && g_str_has_suffix(before.href, "/"))
    listing.server = g_steal_pointer(&before.href);
  gboolean good = run(&listing, error) && tell_end(&listing, before.content_tag, error);
  g_hash_table_unref(listing.seen);
  g_free(listing.server);
  g_free(before.href);
  g_clear_pointer(&before.content_tag, g_bytes_unref);
  return good;
}

/* Stops at the first entry. */
static gboolean note_any(StoreChangeKind kind, const Entry *entry, gpointer user, GError **error)
{
  (void)entry;
  gboolean *any = user;
  if (kind != CHANGE_ENTRY)
    return TRUE;
  *any = TRUE;
  return error_set(error, ECANCELED, SCOPE_LOCAL, "found");
}

gboolean dav_is_empty(Webdav *w, const StoreCall *call, const char *path, const char *what,
                      gboolean *ret, GError **error)
{
  gboolean any = FALSE;
  g_autoptr(GError) mine = NULL;
  g_autofree char *asked = g_strdup(path);
  DavListing listing = {.w = w,
                        .call = call,
                        .what = what,
                        .url = asked,
                        .asked = asked,
                        .func = note_any,
                        .user = &any,
                        .seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL)};
  gboolean good = run(&listing, &mine) || any;
  g_hash_table_unref(listing.seen);
  g_free(listing.server);
  if (good)
    *ret = !any;
  else
    g_propagate_error(error, g_steal_pointer(&mine));
  return good;
}
