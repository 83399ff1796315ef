/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what changes one item: create, replace, set a time, remove; and the two rules that keep
 * other writers' work: a change goes only to the version that was read, and the tag told after it
 * is that of our own change. Folders and moves are in tree.c.
 */
#include "store/webdav/private.h"

#include "base/error.h"
#include "base/rule.h"
#include "wire/davdate.h"

#include <errno.h>
#include <string.h>

static const char *content_type(const char *name)
{
  static const struct {
    const char *suffix, *type;
  } types[] = {{".eml", "message/rfc822"}, {".vcf", "text/vcard"}, {".ics", "text/calendar"},
               {".txt", "text/plain"},     {".htm", "text/html"},  {".html", "text/html"}};
  g_autofree char *lower = g_ascii_strdown(name, -1);
  for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
    if (g_str_has_suffix(lower, types[i].suffix))
      return types[i].type;
  return "application/octet-stream";
}

static char *tag_text(const StoreRef *ref)
{
  return ref->tag ? g_strndup(g_bytes_get_data(ref->tag, NULL), g_bytes_get_size(ref->tag)) : NULL;
}

/* ---- only if it is still the version we mean ---- */

/* *RET: the server's version of REF is ref->tag now. */
static gboolean is_current(Webdav *w, const StoreCall *call, const StoreRef *ref, gboolean *ret,
                           GError **error)
{
  g_auto(Entry) now;
  entry_init(&now);
  if (!dav_stat((Store *)w, call, ref, &now, error))
    return FALSE;
  *ret = bytes_same(now.tag, ref->tag);
  return TRUE;
}

static gboolean stale(const char *what, GError **error)
{
  return error_set(error, ESTALE, SCOPE_ITEM, "%s: it was changed on the server in the meantime",
                   what);
}

/*
 * Sends REQUEST (its first header is free) to REF if it is still the version ref->tag; without a
 * tag, if it exists at all (PROPPATCH and PUT would create it: quirk 29). A weak tag never fits
 * If-Match, and mod_dav's is weak for a second after a change: so a 412 is looked into, and if the
 * version is ours, the same request goes out with If, which compares weakly.
 */
static gboolean send_if_current(Webdav *w, const StoreCall *call, const StoreRef *ref,
                                DavRequest *request, MultistatusFunc func, gpointer user,
                                const char *what, DavAnswer *answer, GError **error)
{
  g_autofree char *tag = tag_text(ref);
  gboolean real = tag && *tag == '"';
  gboolean current = TRUE;
  if (tag && !real) { /* our substitute: the server cannot compare it */
    if (!is_current(w, call, ref, &current, error))
      return FALSE;
    if (!current)
      return stale(what, error);
  }
  g_autofree char *match = g_strdup_printf("If-Match: %s", real ? tag : "*");
  request->headers[0] = RULE("dav-if-match") ? match : NULL;
  if (!dav_send_ref(w, call, ref, request, func, user, answer, error))
    return FALSE;
  if (answer->status != 412 || !real || !RULE("dav-weak-tag"))
    return TRUE;
  if (!is_current(w, call, ref, &current, error))
    return FALSE;
  if (!current)
    return stale(what, error);
  /* With its URL: else mod_dav holds the folder to it as well when something is deleted. */
  g_autofree char *path = dav_path(w, ref, FALSE, error);
  g_autofree char *weakly = path ? g_strdup_printf("If: <%s%s> ([%s]) ([W/%s])",
                                                   http_client_origin(w->http), path, tag, tag)
                                 : NULL;
  if (!weakly)
    return FALSE;
  request->headers[0] = weakly;
  return dav_send_ref(w, call, ref, request, func, user, answer, error);
}

/* ---- what it is after our change ---- */

/* The least that is certain: where it is, and what our own answer said. */
static void minimal_entry(const Webdav *w, const char *path, gboolean folder, Entry *out)
{
  g_autofree char *parent = dav_parent_path(path);
  const char *segment = path + strlen(parent);
  gsize len = strlen(segment) - (g_str_has_suffix(segment, "/") ? 1 : 0);
  g_autofree char *id = g_strdup_printf("%.*s%s", (int)len, segment, folder ? "/" : "");
  entry_clear(out);
  out->folder = folder;
  out->id = g_bytes_new(id, strlen(id));
  out->name = davurl_name(id, w->spelling);
  out->fields = FIELD_ID | FIELD_NAME;
}

/* Asks what is there now by every way that leads to it. */
static gboolean restat(Webdav *w, const StoreCall *call, const char *path, const StoreRef *ref,
                       Entry *out, char **ret_resourcetag)
{
  g_autoptr(GError) error = NULL;
  if (dav_stat_path(w, call, path, path, out, ret_resourcetag, &error))
    return TRUE;
  if (error_errno(error) != ENOENT || !w->exchange)
    return FALSE;
  return (ref && dav_stat((Store *)w, call, ref, out, NULL)) ||
         dav_stat_stored(w, call, path, path, out, NULL);
}

void dav_after_change(Webdav *w, const StoreCall *call, const char *path, const StoreRef *ref,
                      gboolean folder, const DavAnswer *answer, gint64 size, Entry *out)
{
  g_autofree char *our_tag = dav_answer_tag(answer->http);
  g_autofree char *resourcetag = NULL;
  const char *our_resourcetag = http_response_header(answer->http, "ResourceTag");
  /* Quirks 33, 37: nothing is as we sent it. */
  gboolean told = RULE("dav-restat") && restat(w, call, path, ref, out, &resourcetag);
  if (!told)
    minimal_entry(w, path, folder, out);
  if (folder)
    return;
  if (!told && size >= 0 && w->base.caps.exact_size) {
    out->size = size;
    out->size_kind = SIZE_EXACT;
    out->fields |= FIELD_SIZE;
  }
  g_autoptr(GBytes) ours = our_tag ? g_bytes_new(our_tag, strlen(our_tag)) : NULL;
  gboolean foreign = FALSE;
  if (ours)
    foreign = !bytes_same(ours, out->tag);
  else if (our_resourcetag && resourcetag)
    foreign = !strstr(our_resourcetag, resourcetag); /* in brackets: <rt:…> */
  else if (size >= 0 && w->base.caps.exact_size && out->size_kind == SIZE_EXACT)
    foreign = out->size != size;
  if (!foreign)
    return;
  /* Another writer came between: with his tag our bytes would pass for his. */
  g_clear_pointer(&out->tag, g_bytes_unref);
  out->tag = g_steal_pointer(&ours);
  if (size >= 0 && w->base.caps.exact_size)
    out->size = size;
}

/*
 * A PUT is done when the answer says so; "accepted", a piece or a multistatus (FAILED: the status
 * in it) says something else, and is looked into by the caller.
 */
static gboolean check_put(const DavAnswer *answer, int failed, DavOp op, const char *what,
                          GError **error)
{
  if (answer->status == 200 || answer->status == 201 || answer->status == 204)
    return TRUE;
  if (!dav_is_success(answer->status))
    return dav_refuse(answer, op, what, error);
  if (failed)
    return dav_refuse_status(failed, op, what, error);
  GError *unsure = error_new(EIO, SCOPE_ITEM,
                             "%s: the server does not say that it took it (status %d); its log "
                             "knows why",
                             what, answer->status);
  error_set_maybe_applied(unsure, TRUE);
  g_propagate_error(error, unsure);
  return FALSE;
}

/* ---- the slots ---- */

/* A 404 to a PUT: the folder is gone, or the URL works for nobody (quirks 5 and 6). */
static gboolean refuse_hidden(Webdav *w, const StoreCall *call, const char *path, const char *name,
                              const char *what, const DavAnswer *answer, GError **error)
{
  g_auto(Entry) now;
  entry_init(&now);
  if (dav_stat_stored(w, call, path, what, &now, NULL))
    return error_set(error, EEXIST, SCOPE_ITEM, "%s: the name is taken", what);
  if (dav_is_odd_name(w, name))
    return error_set(error, EINVAL, SCOPE_ITEM, "%s: the server refuses a character in this name",
                     what);
  return dav_refuse(answer, OP_CREATE, what, error);
}

static gboolean dav_create(Store *store, const StoreCall *call, const StoreRef *folder,
                           const char *name, const StoreSource *source, Entry *out, GError **error)
{
  Webdav *w = (Webdav *)store;
  g_autofree char *what = dav_what(w, folder, name);
  g_autofree char *parent = dav_path(w, folder, TRUE, error);
  if (!parent)
    return FALSE;
  g_autofree char *segment = davurl_segment(name, w->spelling);
  g_autofree char *path = g_strconcat(parent, segment, NULL);
  DavRequest request = {.method = "PUT",
                        .path = path,
                        .headers = {RULE("dav-must-not-exist") ? "If-None-Match: *" : NULL},
                        .type = content_type(name),
                        .source = source,
                        .changes = TRUE};
  g_auto(DavAnswer) answer = {0};
  int failed = 0;
  if (!dav_send(w, call, &request, dav_note_failure, &failed, &answer, error))
    return FALSE;
  if (answer.status == 404 && w->exchange)
    return refuse_hidden(w, call, path, name, what, &answer, error);
  if (!check_put(&answer, failed, OP_CREATE, what, error))
    return FALSE;
  dav_after_change(w, call, path, NULL, FALSE, &answer, source->size, out);
  return TRUE;
}

static gboolean dav_replace(Store *store, const StoreCall *call, const StoreRef *ref,
                            const StoreSource *source, Entry *out, GError **error)
{
  Webdav *w = (Webdav *)store;
  g_autofree char *what = dav_what(w, ref, NULL);
  g_autofree char *path = dav_path(w, ref, FALSE, error);
  if (!path)
    return FALSE;
  DavRequest request = {
      .method = "PUT", .type = content_type(what), .source = source, .changes = TRUE};
  g_auto(DavAnswer) answer = {0};
  int failed = 0;
  if (!send_if_current(w, call, ref, &request, dav_note_failure, &failed, what, &answer, error) ||
      !check_put(&answer, failed, OP_REPLACE, what, error))
    return FALSE;
  dav_after_change(w, call, path, ref, FALSE, &answer, source->size, out);
  return TRUE;
}

/* A refusal of the property itself is for good; that of a locked or lost item is not. */
static gboolean refuses_property(int status)
{
  return status == 403 || status == 405 || status == 409 || status == 422 || status == 424 ||
         status == 501;
}

static gboolean dav_set_mtime(Store *store, const StoreCall *call, const StoreRef *ref,
                              gint64 mtime, Entry *out, GError **error)
{
  Webdav *w = (Webdav *)store;
  g_autofree char *what = dav_what(w, ref, NULL);
  g_autofree char *path = dav_path(w, ref, dav_is_folder_ref(ref), error);
  if (!path)
    return FALSE;
  g_autofree char *stamp = davdate_stamp(mtime);
  DavSetting setting = {dav_props[w->exchange ? P_MAPI_MTIME : P_MTIME], stamp};
  g_autofree char *body = davbody_proppatch(&setting, 1);
  DavRequest request = {.method = "PROPPATCH", .type = "text/xml", .body = body, .changes = TRUE};
  g_auto(DavAnswer) answer = {0};
  int refused = 0;
  if (!g_atomic_int_get(&w->no_mtime)) {
    if (!send_if_current(w, call, ref, &request, dav_note_failure, &refused, what, &answer, error))
      return FALSE;
    if (!dav_is_success(answer.status) && !refuses_property(answer.status))
      return dav_refuse(&answer, OP_SET, what, error);
    if (!dav_is_success(answer.status))
      refused = answer.status;
    if (refused && !refuses_property(refused))
      return dav_refuse_status(refused, OP_SET, what, error);
    if (refused)
      g_atomic_int_set(&w->no_mtime, 1);
  }
  if (g_atomic_int_get(&w->no_mtime))
    return error_set(error, EOPNOTSUPP, SCOPE_STORE, "the server keeps no time that a user set");
  dav_after_change(w, call, path, ref, dav_is_folder_ref(ref), &answer, -1, out);
  return TRUE;
}

static gboolean dav_remove(Store *store, const StoreCall *call, const StoreRef *ref, GError **error)
{
  Webdav *w = (Webdav *)store;
  g_autofree char *what = dav_what(w, ref, NULL);
  if (dav_is_folder_ref(ref)) /* a DELETE of a folder is recursive (quirk 38) */
    return error_set(error, EISDIR, SCOPE_ITEM, "%s: it is a folder", what);
  DavRequest request = {.method = "DELETE", .changes = TRUE};
  g_auto(DavAnswer) answer = {0};
  int failed = 0;
  if (!send_if_current(w, call, ref, &request, dav_note_failure, &failed, what, &answer, error))
    return FALSE;
  if (!dav_is_success(answer.status))
    return dav_refuse(&answer, OP_REMOVE, what, error);
  return failed ? dav_refuse_status(failed, OP_REMOVE, what, error) : TRUE;
}

const StoreWriteOps dav_write_ops = {.create = dav_create,
                                     .replace = dav_replace,
                                     .set_mtime = dav_set_mtime,
                                     .move = dav_move,
                                     .remove = dav_remove,
                                     .mkfolder = dav_mkfolder,
                                     .rmfolder = dav_rmfolder};
