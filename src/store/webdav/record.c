/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the way between what a server says of a member (href and properties) and an Entry with its
 * opaque id and tag; leaves asking to stat.c and list.c.
 */
#include "store/webdav/private.h"

#include "base/error.h"
#include "base/rule.h"
#include "wire/davdate.h"

#include <errno.h>
#include <string.h>

#define EXCHANGE "http://schemas.microsoft.com/exchange/"
#define REPL "http://schemas.microsoft.com/repl/"
#define PROPTAG "http://schemas.microsoft.com/mapi/proptag/"
#define PUBLIC_STRINGS                                                                             \
  "http://schemas.microsoft.com/mapi/string/{00020329-0000-0000-C000-000000000046}/"

const DavName dav_props[N_PROPS] = {
    [P_RESOURCETYPE] = {"DAV:", "resourcetype"},
    [P_LENGTH] = {"DAV:", "getcontentlength"},
    [P_ETAG] = {"DAV:", "getetag"},
    [P_MODIFIED] = {"DAV:", "getlastmodified"},
    [P_CREATED] = {"DAV:", "creationdate"},
    [P_MTIME] = {"urn:exchangefs:", "mtime"},
    [P_ISFOLDER] = {"DAV:", "isfolder"},
    [P_ISHIDDEN] = {"DAV:", "ishidden"},
    [P_ISREADONLY] = {"DAV:", "isreadonly"},
    [P_RECEIVED] = {"urn:schemas:httpmail:", "datereceived"},
    [P_READ] = {"urn:schemas:httpmail:", "read"},
    [P_STORE_SIZE] = {PROPTAG, "x0e080003"},
    [P_CLASS] = {EXCHANGE, "outlookmessageclass"},
    [P_UID] = {REPL, "repl-uid"},
    [P_PERMANENT] = {EXCHANGE, "permanenturl"},
    [P_MAPI_MTIME] = {PUBLIC_STRINGS, "exchangefs-mtime"},
    [P_RESOURCETAG] = {REPL, "resourcetag"},
    [P_CONTENTTAG] = {REPL, "contenttag"},
    [P_TRASH] = {"urn:schemas:httpmail:", "deleteditems"},
    [P_FOLDERCLASS] = {EXCHANGE, "outlookfolderclass"},
    [P_QUOTA_AVAILABLE] = {"DAV:", "quota-available-bytes"},
    [P_QUOTA_USED] = {"DAV:", "quota-used-bytes"},
    [P_STORED_NAME] = {PROPTAG, "x10f3001f"},
    [P_DISPLAYNAME] = {"DAV:", "displayname"},
};

/* ---- ids and paths ---- */

/* The segment part of ID, or NULL when it is no id of ours. */
static char *id_segment(GBytes *id)
{
  gsize len;
  const char *data = g_bytes_get_data(id, &len);
  const char *end = data ? memchr(data, '\0', len) : NULL;
  g_autofree char *segment = data ? g_strndup(data, end ? (gsize)(end - data) : len) : NULL;
  g_autofree char *name = segment ? davurl_name(segment, SPELL_PLAIN) : NULL;
  const char *slash = name ? strchr(segment, '/') : NULL;
  if (!name || (slash && slash[1]))
    return NULL;
  for (const char *c = segment; *c; c++)
    if (*c <= ' ' || *c == '?' || *c == '#')
      return NULL;
  return g_steal_pointer(&segment);
}

static GBytes *last_id(const StoreRef *ref)
{
  return ref->path && ref->path->len ? g_ptr_array_index(ref->path, ref->path->len - 1) : NULL;
}

gboolean dav_is_folder_ref(const StoreRef *ref)
{
  GBytes *id = last_id(ref);
  g_autofree char *segment = id ? id_segment(id) : NULL;
  return !id || (segment && g_str_has_suffix(segment, "/"));
}

char *dav_path(const Webdav *w, const StoreRef *ref, gboolean as_folder, GError **error)
{
  g_autoptr(GString) path = g_string_new(w->root);
  guint n = ref->path ? ref->path->len : 0;
  for (guint i = 0; i < n; i++) {
    g_autofree char *segment = id_segment(g_ptr_array_index(ref->path, i));
    if (!segment) {
      error_set(error, ESTALE, SCOPE_LOCAL, "the cache holds an id this server never gave");
      return NULL;
    }
    g_string_append(path, segment);
    gboolean slash = g_str_has_suffix(segment, "/");
    if (!slash && (as_folder || i + 1 < n))
      g_string_append_c(path, '/');
    if (slash && !as_folder && i + 1 == n)
      g_string_truncate(path, path->len - 1);
  }
  return g_string_free(g_steal_pointer(&path), FALSE);
}

char *dav_permanent(const StoreRef *ref)
{
  GBytes *id = last_id(ref);
  gsize len = 0;
  const char *data = id ? g_bytes_get_data(id, &len) : NULL;
  const char *end = data ? memchr(data, '\0', len) : NULL;
  if (!end || end + 1 == data + len || end[1] != '/')
    return NULL;
  return g_strndup(end + 1, len - (gsize)(end + 1 - data));
}

char *dav_what(const Webdav *w, const StoreRef *ref, const char *name)
{
  GString *what = g_string_new(NULL);
  for (guint i = 0; ref && ref->path && i < ref->path->len; i++) {
    g_autofree char *segment = id_segment(g_ptr_array_index(ref->path, i));
    g_autofree char *part = segment ? davurl_name(segment, w->spelling) : NULL;
    g_string_append_printf(what, "%s%s", what->len ? "/" : "", part ? part : "?");
  }
  if (name)
    g_string_append_printf(what, "%s%s", what->len ? "/" : "", name);
  if (!what->len)
    g_string_append_c(what, '/');
  return g_string_free(what, FALSE);
}

char *dav_parent_path(const char *path)
{
  gsize len = strlen(path);
  while (len > 1 && path[len - 1] == '/')
    len--;
  while (len > 1 && path[len - 1] != '/')
    len--;
  return g_strndup(path, len);
}

/* ---- hrefs ---- */

static gboolean is_one_segment(const char *rest)
{
  const char *slash = strchr(rest, '/');
  return !slash || !slash[1];
}

static guint depth_of(const char *path)
{
  guint depth = 0;
  for (const char *c = path; *c; c++)
    depth += *c == '/' && c[1] ? 1 : 0;
  return depth;
}

/*
 * Quirk 24: a localised folder may be listed under another name ("Innboks" asked, "Inbox/a.eml"
 * answered). Below the mounted root and as deep as a member would be is near enough: only the last
 * segment of it is ever used.
 */
static char *alias_member(const Webdav *w, const char *asked, const char *href)
{
  const char *roots[] = {w->root, w->server_root ? w->server_root : w->root};
  for (gsize i = 0; i < G_N_ELEMENTS(roots); i++) {
    g_autofree char *rest = davurl_below(roots[i], href, TRUE);
    if (!rest || depth_of(rest) != depth_of(asked + strlen(w->root)) + 1)
      continue;
    const char *last = rest + strlen(rest) - 1;
    while (last > rest && last[-1] != '/')
      last--;
    return g_strdup(last);
  }
  return NULL;
}

char *dav_member(const Webdav *w, const char *asked, const char *server, const char *href)
{
  g_autofree char *rest = server ? davurl_below(server, href, w->base.caps.folds_case) : NULL;
  if (!rest)
    rest = davurl_below(asked, href, w->base.caps.folds_case);
  if (rest)
    return is_one_segment(rest) ? g_steal_pointer(&rest) : NULL;
  if (!w->exchange || !g_str_has_prefix(asked, w->root) || !RULE("dav-alias-parent"))
    return NULL;
  return alias_member(w, asked, href);
}

/* ---- properties ---- */

static gboolean is_true(const char *value)
{
  return value && (value[0] == '1' || g_ascii_tolower(value[0]) == 't');
}

char *dav_tag(const char *text)
{
  g_autofree char *tag = text ? g_strstrip(g_strdup(text)) : NULL;
  if (!tag || !*tag || strlen(tag) > 1024)
    return NULL;
  gboolean weak = g_str_has_prefix(tag, "W/");
  char *opaque = tag + (weak ? 2 : 0);
  gsize len = strlen(opaque);
  if (len >= 2 && opaque[0] == '"' && opaque[len - 1] == '"') {
    opaque[len - 1] = '\0';
    opaque++;
  }
  for (const char *c = opaque; *c; c++) /* it will stand in a header line */
    if ((guchar)*c < 0x20 || *c == 0x7F || *c == '"')
      return NULL;
  return g_strdup_printf("%s\"%s\"", weak && !RULE("dav-weak-tag") ? "W/" : "", opaque);
}

char *dav_answer_tag(const HttpResponse *response)
{
  char *tag = dav_tag(http_response_header(response, "GetETag")); /* Exchange's PUT */
  return tag ? tag : dav_tag(http_response_header(response, "ETag"));
}

/* More than any server holds: sums and block counts of sizes up to this cannot overflow. */
#define SIZE_MOST (G_GINT64_CONSTANT(1) << 60)

static gboolean parse_size(const char *value, gint64 *ret)
{
  guint64 size;
  if (!value || !g_ascii_string_to_unsigned(value, 10, 0, SIZE_MOST, &size, NULL))
    return FALSE;
  *ret = (gint64)size;
  return TRUE;
}

static gboolean is_folder(const Webdav *w, const char *segment, const char *const *values)
{
  if (w->exchange && values[P_ISFOLDER] && RULE("dav-isfolder"))
    return is_true(values[P_ISFOLDER]); /* quirk 27: a mail with attachments is a collection too */
  if (values[P_RESOURCETYPE])
    return strstr(values[P_RESOURCETYPE], "collection") != NULL;
  return g_str_has_suffix(segment, "/");
}

/*
 * Neither number is the length of the GET (quirk 14). The store's size knows no base64 (4/3 and a
 * line end for each 76 characters) and few headers: half as much again is above it in practice.
 */
static gint64 estimate(gint64 length, gint64 store_size)
{
  gint64 size = MAX(length, store_size);
  return size + size / 2 + 1024;
}

static void fill_size(const Webdav *w, const char *const *values, Entry *out)
{
  gint64 length = 0;
  gint64 store_size = 0;
  gboolean told = parse_size(values[P_LENGTH], &length);
  gboolean exact = !w->exchange || (values[P_CLASS] &&
                                    g_ascii_strncasecmp(values[P_CLASS], "IPM.Document", 12) == 0);
  if (w->exchange && !exact)
    told = parse_size(values[P_STORE_SIZE], &store_size) || told;
  if (!told)
    return;
  exact = exact || !RULE("dav-size-estimate");
  out->size = exact ? length : estimate(length, store_size);
  out->size_kind = exact ? SIZE_EXACT : SIZE_ESTIMATE;
  out->fields |= FIELD_SIZE;
}

static void fill_times(const char *const *values, Entry *out)
{
  const struct {
    const char *value;
    gint64 *time;
  } times[] = {{values[P_MODIFIED], &out->modified},
               {values[P_CREATED], &out->created},
               {values[P_RECEIVED], &out->received}};
  for (gsize i = 0; i < G_N_ELEMENTS(times); i++)
    if (times[i].value)
      davdate_parse(times[i].value, times[i].time);
  const char *stamp = values[P_MTIME] ? values[P_MTIME] : values[P_MAPI_MTIME];
  if (stamp)
    davdate_parse_stamp(stamp, &out->user_mtime);
  out->fields |= FIELD_TIMES;
}

static void fill_flags(const char *const *values, Entry *out)
{
  const struct {
    const char *value;
    guint32 flag;
  } flags[] = {{values[P_READ], ENTRY_READ}, {values[P_ISREADONLY], ENTRY_READONLY}};
  for (gsize i = 0; i < G_N_ELEMENTS(flags); i++)
    if (flags[i].value) {
      out->flags_known |= flags[i].flag;
      out->flags |= is_true(flags[i].value) ? flags[i].flag : 0;
    }
  out->fields |= FIELD_FLAGS;
}

/* TEXT as bytes without its NUL; NULL for NULL and for what is absurdly long. */
static GBytes *text_bytes(const char *text)
{
  gsize len = text ? strlen(text) : 0;
  return len && len <= 1024 ? g_bytes_new(text, len) : NULL;
}

/* The tag, or without one a substitute that changes when time or length do (never sent). */
static GBytes *entry_tag(const char *const *values)
{
  g_autofree char *tag = dav_tag(values[P_ETAG]);
  if (!tag && values[P_MODIFIED] && values[P_LENGTH])
    tag = g_strdup_printf("%s %s", values[P_MODIFIED], values[P_LENGTH]);
  return text_bytes(tag);
}

/*
 * A permanent URL counts when it is -FlatUrlSpace- and one or two source keys below the store that
 * the root is in; its path, else NULL.
 */
static char *permanent_path(const Webdav *w, const char *value)
{
  static const char flat[] = "/-FlatUrlSpace-/";
  g_autofree char *path = value ? davurl_path(value) : NULL;
  const char *at = path ? strstr(path, flat) : NULL;
  if (!at ||
      strspn(at + sizeof(flat) - 1, "0123456789abcdefABCDEF-/") != strlen(at) + 1 - sizeof(flat))
    return NULL;
  g_autofree char *store = g_strndup(path, (gsize)(at + 1 - path));
  g_autofree char *ours = davurl_below(store, w->root, TRUE);
  g_autofree char *theirs = w->server_root ? davurl_below(store, w->server_root, TRUE) : NULL;
  return ours || theirs ? g_steal_pointer(&path) : NULL;
}

static GBytes *make_id(const Webdav *w, const char *segment, gboolean folder,
                       const char *permanent_url)
{
  gsize len = strlen(segment) - (g_str_has_suffix(segment, "/") ? 1 : 0);
  GString *id = g_string_new_len(segment, (gssize)len);
  if (folder)
    g_string_append_c(id, '/');
  g_autofree char *permanent = w->exchange ? permanent_path(w, permanent_url) : NULL;
  if (permanent) {
    g_string_append_c(id, '\0');
    g_string_append(id, permanent);
  }
  return g_string_free_to_bytes(id);
}

gboolean dav_entry(const Webdav *w, const char *segment, const DavResponse *response, Entry *out,
                   GError **error)
{
  const char *const *values = response->values;
  g_autofree char *name = *segment ? davurl_name(segment, w->spelling) : g_strdup("");
  if (!name)
    return error_set(error, EIO, SCOPE_FOLDER, "the server names a member that cannot be one");
  entry_clear(out);
  out->folder = is_folder(w, segment, values);
  out->name = g_steal_pointer(&name);
  out->id =
      *segment ? make_id(w, segment, out->folder, values[P_PERMANENT]) : g_bytes_new_static("", 0);
  out->match_key = text_bytes(values[P_UID]);
  out->fields = FIELD_ID | FIELD_NAME;
  if (out->folder) {
    out->content_tag = text_bytes(values[P_CONTENTTAG]);
  } else {
    out->tag = entry_tag(values);
    fill_size(w, values, out);
  }
  fill_times(values, out);
  fill_flags(values, out);
  if (values[P_CLASS] && strlen(values[P_CLASS]) < 256) {
    out->message_class = g_strdup(values[P_CLASS]);
    out->fields |= FIELD_CLASS;
  }
  return TRUE;
}
