/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the questions about one resource: PROPFIND of depth 0. Leaves listings to list.c. */
#include "store/webdav/private.h"

#include "base/error.h"
#include "base/rule.h"

#include <errno.h>
#include <string.h>

/* What an entry is made of; SEARCH asks for the same columns. */
const int dav_item_props[] = {P_ISFOLDER, P_LENGTH,     P_STORE_SIZE, P_ETAG, P_MODIFIED,
                              P_CREATED,  P_RECEIVED,   P_READ,       P_UID,  P_PERMANENT,
                              P_CLASS,    P_ISREADONLY, P_MAPI_MTIME, -1};
const int dav_generic_props[] = {P_RESOURCETYPE, P_LENGTH, P_ETAG, P_MODIFIED,
                                 P_CREATED,      P_MTIME,  -1};
static const int exchange_stat_props[] = {P_ISFOLDER,
                                          P_LENGTH,
                                          P_STORE_SIZE,
                                          P_ETAG,
                                          P_MODIFIED,
                                          P_CREATED,
                                          P_RECEIVED,
                                          P_READ,
                                          P_UID,
                                          P_PERMANENT,
                                          P_CLASS,
                                          P_ISREADONLY,
                                          P_MAPI_MTIME,
                                          P_CONTENTTAG,
                                          P_ISHIDDEN,
                                          P_RESOURCETYPE,
                                          P_RESOURCETAG,
                                          P_DISPLAYNAME,
                                          -1};

const int *dav_props_for(const Webdav *w)
{
  return w->exchange ? exchange_stat_props : dav_generic_props;
}

/* Servers may answer in another case or Unicode form than they were asked in. */
static gboolean same_name(const Webdav *w, const char *a, const char *b)
{
  g_autofree char *x = davurl_name(a, w->spelling);
  g_autofree char *y = davurl_name(b, w->spelling);
  if (g_strcmp0(x, y) == 0)
    return x != NULL;
  g_autofree char *norm_x = x ? g_utf8_normalize(x, -1, G_NORMALIZE_ALL) : NULL;
  g_autofree char *norm_y = y ? g_utf8_normalize(y, -1, G_NORMALIZE_ALL) : NULL;
  g_autofree char *fold_x = norm_x ? g_utf8_casefold(norm_x, -1) : NULL;
  g_autofree char *fold_y = norm_y ? g_utf8_casefold(norm_y, -1) : NULL;
  return fold_x && g_strcmp0(fold_x, fold_y) == 0;
}

/*
 * Both below the root, segment by segment the same. Quirk 24: on Exchange the folders on the way
 * may have two names, and a folder itself as well; the depth never differs.
 */
static gboolean same_place(const Webdav *w, const char *asked, const char *told)
{
  g_auto(GStrv) a = g_strsplit(asked, "/", -1);
  g_auto(GStrv) b = g_strsplit(told, "/", -1);
  guint i = 0;
  for (; a[i] && *a[i] && b[i] && *b[i]; i++) {
    gboolean may_differ = w->exchange && a[i + 1] && RULE("dav-alias-parent");
    if (!may_differ && !same_name(w, a[i], b[i]))
      return FALSE;
  }
  return !(a[i] && *a[i]) && !(b[i] && *b[i]);
}

/*
 * HREF speaks of what was asked at PATH, in whatever spelling: an answer about something else would
 * make a folder a file. What a permanent URL leads to has another path.
 */
static gboolean is_about(const Webdav *w, const char *path, const char *href)
{
  const char *roots[] = {w->root, w->server_root};
  if (w->exchange && (strstr(path, "/-FlatUrlSpace-/") || strstr(href, "/-FlatUrlSpace-/")))
    return TRUE;
  g_autofree char *asked = davurl_below(w->root, path, FALSE);
  for (gsize i = 0; asked && i < G_N_ELEMENTS(roots); i++) {
    g_autofree char *told = roots[i] ? davurl_below(roots[i], href, TRUE) : NULL;
    if (told && same_place(w, asked, told))
      return TRUE;
  }
  return FALSE;
}

typedef struct {
  const Webdav *w;
  const char *path;
  MultistatusFunc func;
  gpointer user;
  gboolean told;
  int status; /* of the response, when it is no success */
} Look;

static gboolean take_asked(const DavResponse *response, gpointer user, GError **error)
{
  Look *look = user;
  if (look->told || !is_about(look->w, look->path, response->href))
    return TRUE; /* more than asked for: not ours to interpret */
  look->told = TRUE;
  if (response->status && !dav_is_success(response->status)) {
    look->status = response->status;
    return TRUE;
  }
  return look->func(response, look->user, error);
}

gboolean dav_look(Webdav *w, const StoreCall *call, const char *path, const int *props,
                  MultistatusFunc func, gpointer user, const char *what, GError **error)
{
  g_autofree char *body = davbody_propfind(dav_props, props);
  DavRequest request = {
      .method = "PROPFIND", .path = path, .depth = "0", .type = "text/xml", .body = body};
  g_auto(DavAnswer) answer = {0};
  Look look = {.w = w, .path = path, .func = func, .user = user};
  if (!dav_send(w, call, &request, take_asked, &look, &answer, error))
    return FALSE;
  if (answer.status != 207)
    return dav_is_success(answer.status)
               ? error_set(error, EPROTO, SCOPE_STORE,
                           "%s: the server answered a web page instead of WebDAV", what)
               : dav_refuse(&answer, OP_LOOK, what, error);
  if (look.status)
    return dav_refuse_status(look.status, OP_LOOK, what, error);
  return look.told ? TRUE
                   : error_set(error, EIO, SCOPE_ITEM,
                               "%s: the server's answer is about something else; try again", what);
}

typedef struct {
  const Webdav *w;
  const char *place; /* the path of what is asked about, whatever URL was used */
  Entry *out;
  char *resourcetag;
} Stat;

/*
 * The segment of what was answered: the server's own spelling when its href is a member of the
 * folder; else (an answer may repeat the permanent URL) the name it tells; else ours.
 */
static char *answered_segment(const Stat *stat, const DavResponse *response)
{
  const Webdav *w = stat->w;
  g_autofree char *parent = dav_parent_path(stat->place);
  g_autofree char *segment = NULL;
  if (!strstr(response->href, "/-FlatUrlSpace-/"))
    segment = dav_member(w, parent, NULL, response->href);
  if (segment && *segment)
    return g_steal_pointer(&segment);
  const char *ours = stat->place + strlen(parent);
  const char *told = response->values[P_DISPLAYNAME];
  g_autofree char *name = davurl_name(ours, w->spelling);
  return told && *told && !strchr(told, '/') && g_strcmp0(told, name) != 0
             ? davurl_segment(told, w->spelling)
             : g_strdup(ours);
}

static gboolean take_stat(const DavResponse *response, gpointer user, GError **error)
{
  Stat *stat = user;
  gboolean root = strcmp(stat->place, stat->w->root) == 0;
  g_autofree char *segment = root ? g_strdup("") : answered_segment(stat, response);
  if (!root && g_str_has_suffix(stat->place, "/") && !g_str_has_suffix(segment, "/")) {
    char *folder = g_strconcat(segment, "/", NULL); /* until the answer says that it is none */
    g_free(segment);
    segment = folder;
  }
  g_free(stat->resourcetag);
  stat->resourcetag = g_strdup(response->values[P_RESOURCETAG]);
  return dav_entry(stat->w, segment, response, stat->out, error);
}

/* Asks at URL about what is at PLACE. */
static gboolean stat_at(Webdav *w, const StoreCall *call, const char *url, const char *place,
                        const char *what, Entry *out, char **ret_resourcetag, GError **error)
{
  g_auto(Entry) entry;
  entry_init(&entry);
  Stat stat = {.w = w, .place = place, .out = &entry};
  gboolean good = dav_look(w, call, url, dav_props_for(w), take_stat, &stat, what, error);
  if (good) {
    entry_clear(out);
    *out = entry;
    entry_init(&entry);
  }
  if (good && ret_resourcetag)
    *ret_resourcetag = g_steal_pointer(&stat.resourcetag);
  g_free(stat.resourcetag);
  return good;
}

/* Characters that make IIS answer 404 for a URL although the item is there (quirk 5). */
gboolean dav_is_odd_name(const Webdav *w, const char *name)
{
  return w->exchange && strpbrk(name, "+&%:*<>\"|#") != NULL;
}

gboolean dav_stat_stored(Webdav *w, const StoreCall *call, const char *path, const char *what,
                         Entry *out, GError **error)
{
  g_autofree char *parent = dav_parent_path(path);
  g_autofree char *name = davurl_name(path + strlen(parent), w->spelling);
  g_autofree char *stored = name ? davurl_stored_name(name) : g_strdup("");
  g_autofree char *text = davbody_sql_text(stored);
  g_autofree char *where = g_strdup_printf("\"%s%s\" = %s", dav_props[P_STORED_NAME].ns,
                                           dav_props[P_STORED_NAME].name, text);
  return dav_search_one(w, call, parent, where, what, out, error);
}

gboolean dav_stat_path(Webdav *w, const StoreCall *call, const char *path, const char *what,
                       Entry *out, char **ret_resourcetag, GError **error)
{
  g_autoptr(GError) mine = NULL;
  if (stat_at(w, call, path, path, what, out, ret_resourcetag, &mine))
    return TRUE;
  g_autofree char *parent = dav_parent_path(path);
  g_autofree char *name = davurl_name(path + strlen(parent), w->spelling);
  if (error_errno(mine) == ENOENT && name && dav_is_odd_name(w, name) &&
      RULE("dav-find-stored-name"))
    return dav_stat_stored(w, call, path, what, out, error);
  g_propagate_error(error, g_steal_pointer(&mine));
  return FALSE;
}

/* As dav_stat() by the permanent URL, which leads to the item wherever it is called what. */
static gboolean stat_permanent(Webdav *w, const StoreCall *call, const char *permanent,
                               const char *path, const char *what, Entry *out, GError **error)
{
  g_auto(Entry) entry;
  entry_init(&entry);
  if (!stat_at(w, call, permanent, path, what, &entry, NULL, error))
    return FALSE;
  g_autofree char *parent = dav_parent_path(path);
  g_autofree char *name = davurl_name(path + strlen(parent), w->spelling);
  if (g_strcmp0(name, entry.name) != 0)
    return error_set(error, ENOENT, SCOPE_ITEM, "%s: it has another name on the server now", what);
  entry_clear(out);
  *out = entry;
  entry_init(&entry);
  return TRUE;
}

gboolean dav_stat(Store *store, const StoreCall *call, const StoreRef *ref, Entry *out,
                  GError **error)
{
  Webdav *w = (Webdav *)store;
  g_autofree char *what = dav_what(w, ref, NULL);
  g_autofree char *path = dav_path(w, ref, dav_is_folder_ref(ref), error);
  if (!path)
    return FALSE;
  g_autofree char *permanent = dav_permanent(ref);
  if (!permanent || !RULE("dav-permanent-url"))
    return dav_stat_path(w, call, path, what, out, NULL, error);
  g_autoptr(GError) mine = NULL;
  if (stat_at(w, call, path, path, what, out, NULL, &mine))
    return TRUE;
  if (error_errno(mine) == ENOENT)
    return stat_permanent(w, call, permanent, path, what, out, error);
  g_propagate_error(error, g_steal_pointer(&mine));
  return FALSE;
}

/* Exchange cannot be asked about such a name: it answers 400. */
static gboolean has_controls(const char *name)
{
  for (; *name; name++)
    if ((guchar)*name < 0x20)
      return TRUE;
  return FALSE;
}

gboolean dav_find(Store *store, const StoreCall *call, const StoreRef *folder, const char *name,
                  Entry *out, GError **error)
{
  Webdav *w = (Webdav *)store;
  g_autofree char *what = dav_what(w, folder, name);
  g_autofree char *parent = dav_path(w, folder, TRUE, error);
  if (!parent)
    return FALSE;
  if (w->exchange && has_controls(name))
    return error_set(error, ENOENT, SCOPE_ITEM, "%s: no name that this server can hold", what);
  g_autofree char *segment = davurl_segment(name, w->spelling);
  g_autofree char *path = g_strconcat(parent, segment, NULL);
  g_autoptr(GError) mine = NULL;
  if (stat_at(w, call, path, path, what, out, NULL, &mine))
    return TRUE;
  /* Quirks 5 and 6: a 404 does not mean that a name is free. */
  if (error_errno(mine) == ENOENT && w->exchange && RULE("dav-find-stored-name"))
    return dav_stat_stored(w, call, path, what, out, error);
  g_propagate_error(error, g_steal_pointer(&mine));
  return FALSE;
}

static gboolean take_content_tag(const DavResponse *response, gpointer user, GError **error)
{
  (void)error;
  GBytes **tag = user;
  const char *value = response->values[P_CONTENTTAG];
  if (value && strlen(value) <= 1024)
    *tag = g_bytes_new(value, strlen(value));
  return TRUE;
}

gboolean dav_probe(Store *store, const StoreCall *call, const StoreRef *folder,
                   GBytes **ret_content_tag, GError **error)
{
  static const int props[] = {P_CONTENTTAG, -1};
  Webdav *w = (Webdav *)store;
  g_autofree char *what = dav_what(w, folder, NULL);
  g_autofree char *path = dav_path(w, folder, TRUE, error);
  g_autoptr(GBytes) tag = NULL;
  if (!path || !dav_look(w, call, path, props, take_content_tag, &tag, what, error))
    return FALSE;
  if (!tag)
    return error_set(error, ENOTSUP, SCOPE_FOLDER, "%s: no tag for this folder's content", what);
  *ret_content_tag = g_steal_pointer(&tag);
  return TRUE;
}

static gint64 quota_value(const char *text)
{
  guint64 value;
  return text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT64, &value, NULL) ? (gint64)value
                                                                                   : -1;
}

static gboolean take_quota(const DavResponse *response, gpointer user, GError **error)
{
  (void)error;
  StoreQuota *quota = user;
  quota->available = quota_value(response->values[P_QUOTA_AVAILABLE]);
  quota->used = quota_value(response->values[P_QUOTA_USED]);
  gint64 total;
  if (quota->available >= 0 && quota->used >= 0 &&
      !__builtin_add_overflow(quota->available, quota->used, &total))
    quota->total = total;
  return TRUE;
}

gboolean dav_quota(Store *store, const StoreCall *call, StoreQuota *out, GError **error)
{
  static const int props[] = {P_QUOTA_AVAILABLE, P_QUOTA_USED, -1};
  Webdav *w = (Webdav *)store;
  StoreQuota quota = {-1, -1, -1};
  if (!w->exchange && /* Exchange tells a client nothing about its limits */
      !dav_look(w, call, w->root, props, take_quota, &quota, "the mailbox", error))
    return FALSE;
  *out = quota;
  return TRUE;
}
