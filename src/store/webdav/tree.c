/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what changes the tree: moving, making and removing folders. A server's DELETE of a folder
 * takes all that is in it, so a folder is deleted only after it was found empty out of reach.
 */
#include "store/webdav/private.h"

#include "base/error.h"
#include "base/rule.h"

#include <errno.h>
#include <string.h>

/* Quirk 36: Overwrite is never left to its default. */
static gboolean send_move(Webdav *w, const StoreCall *call, const StoreRef *ref, const char *to,
                          gboolean replace, int *failed, DavAnswer *answer, GError **error)
{
  DavRequest request = {
      .method = "MOVE",
      .destination = to,
      .headers = {RULE("dav-overwrite") ? replace ? "Overwrite: T" : "Overwrite: F" : NULL},
      .changes = TRUE};
  *failed = 0;
  return dav_send_ref(w, call, ref, &request, dav_note_failure, failed, answer, error);
}

/*
 * Overwrite deletes a folder with all that is in it. So a folder is replaced only by a folder, and
 * only when it is empty, as rename(2) does.
 */
static gboolean may_replace(Webdav *w, const StoreCall *call, const char *to, gboolean by_folder,
                            GError **error)
{
  g_autoptr(GError) mine = NULL;
  g_auto(Entry) target;
  entry_init(&target);
  gboolean empty = TRUE;
  if (!dav_stat_path(w, call, to, to, &target, NULL, &mine)) {
    if (error_errno(mine) == ENOENT)
      return TRUE;
    g_propagate_error(error, g_steal_pointer(&mine));
    return FALSE;
  }
  if (target.folder != by_folder)
    return error_set(error, by_folder ? ENOTDIR : EISDIR, SCOPE_ITEM, "%s: it is %s folder", to,
                     by_folder ? "no" : "a");
  if (target.folder && !dav_is_empty(w, call, to, to, &empty, error))
    return FALSE;
  return empty ? TRUE : error_set(error, ENOTEMPTY, SCOPE_ITEM, "%s: the folder is not empty", to);
}

gboolean dav_move(Store *store, const StoreCall *call, const StoreRef *ref, const StoreRef *folder,
                  const char *name, gboolean replace, Entry *out, GError **error)
{
  Webdav *w = (Webdav *)store;
  g_autofree char *what = dav_what(w, ref, NULL);
  g_autofree char *parent = dav_path(w, folder, TRUE, error);
  if (!parent)
    return FALSE;
  gboolean is_folder = dav_is_folder_ref(ref);
  g_autofree char *segment = davurl_segment(name, w->spelling);
  g_autofree char *to = g_strconcat(parent, segment, is_folder ? "/" : "", NULL);
  g_auto(DavAnswer) answer = {0};
  int failed;
  if (replace && !may_replace(w, call, to, is_folder, error))
    return FALSE;
  if (!send_move(w, call, ref, to, replace, &failed, &answer, error))
    return FALSE;
  if (answer.status == 404) /* of the source; a missing folder to move into is 409 */
    return dav_refuse(&answer, OP_LOOK, what, error);
  if (!dav_is_success(answer.status))
    return dav_refuse(&answer, OP_MOVE, what, error);
  if (failed)
    return dav_refuse_status(failed, OP_MOVE, what, error);
  /* The tag in the answer, if any, is not of an upload of ours: nothing to compare. */
  dav_after_change(w, call, to, NULL, is_folder, &answer, -1, out);
  return TRUE;
}

static gboolean take_class(const DavResponse *response, gpointer user, GError **error)
{
  (void)error;
  char **class = user;
  const char *value = response->values[P_FOLDERCLASS];
  if (value && *value && strlen(value) < 256)
    *class = g_strdup(value);
  return TRUE;
}

/* On Exchange a folder holds what its parent holds: contacts in Contacts. */
static char *inherited_body(Webdav *w, const StoreCall *call, const char *parent)
{
  static const int props[] = {P_FOLDERCLASS, -1};
  g_autofree char *class = NULL;
  if (!w->exchange || !dav_look(w, call, parent, props, take_class, &class, parent, NULL) || !class)
    return NULL;
  DavSetting setting = {dav_props[P_FOLDERCLASS], class};
  return davbody_proppatch(&setting, 1);
}

gboolean dav_mkfolder(Store *store, const StoreCall *call, const StoreRef *folder, const char *name,
                      Entry *out, GError **error)
{
  Webdav *w = (Webdav *)store;
  g_autofree char *what = dav_what(w, folder, name);
  g_autofree char *parent = dav_path(w, folder, TRUE, error);
  if (!parent)
    return FALSE;
  g_autofree char *segment = davurl_segment(name, w->spelling);
  g_autofree char *path = g_strconcat(parent, segment, "/", NULL);
  g_autofree char *body = inherited_body(w, call, parent);
  DavRequest request = {.method = "MKCOL",
                        .path = path,
                        .type = body ? "text/xml" : NULL,
                        .body = body,
                        .changes = TRUE};
  g_auto(DavAnswer) answer = {0};
  int failed = 0;
  if (!dav_send(w, call, &request, dav_note_failure, &failed, &answer, error))
    return FALSE;
  if (!dav_is_success(answer.status))
    return dav_refuse(&answer, OP_MKFOLDER, what, error);
  if (failed)
    return dav_refuse_status(failed, OP_MKFOLDER, what, error);
  dav_after_change(w, call, path, NULL, TRUE, &answer, -1, out);
  return TRUE;
}

static gboolean delete_folder(Webdav *w, const StoreCall *call, const char *path, const char *what,
                              GError **error)
{
  DavRequest request = {.method = "DELETE", .path = path, .changes = TRUE};
  g_auto(DavAnswer) answer = {0};
  int failed = 0;
  if (!dav_send(w, call, &request, dav_note_failure, &failed, &answer, error))
    return FALSE;
  if (!dav_is_success(answer.status))
    return dav_refuse(&answer, OP_RMFOLDER, what, error);
  return failed ? dav_refuse_status(failed, OP_RMFOLDER, what, error) : TRUE;
}

/* Puts REF into Deleted Items under a name that is free there; *RET_PATH is where it is now. */
static gboolean put_aside(Webdav *w, const StoreCall *call, const StoreRef *ref, const char *path,
                          const char *what, char **ret_path, GError **error)
{
  g_autofree char *parent = dav_parent_path(path);
  g_autofree char *segment = g_strndup(path + strlen(parent), strlen(path) - strlen(parent) - 1);
  for (int try = 0; try < 2; try++) {
    g_autofree char *to = try == 0
                              ? g_strconcat(w->trash, segment, "/", NULL)
                              : g_strdup_printf("%s%s-%08x/", w->trash, segment, g_random_int());
    g_auto(DavAnswer) answer = {0};
    int failed;
    if (!send_move(w, call, ref, to, FALSE, &failed, &answer, error))
      return FALSE;
    if (answer.status == 412 && try == 0)
      continue; /* one of that name lies there already */
    if (answer.status == 404)
      return dav_refuse(&answer, OP_LOOK, what, error);
    if (!dav_is_success(answer.status) || failed)
      return failed ? dav_refuse_status(failed, OP_RMFOLDER, what, error)
                    : dav_refuse(&answer, OP_RMFOLDER, what, error);
    *ret_path = g_steal_pointer(&to);
    return TRUE;
  }
  return error_set(error, EIO, SCOPE_ITEM, "%s: Deleted Items takes no folder", what);
}

gboolean dav_rmfolder(Store *store, const StoreCall *call, const StoreRef *ref, GError **error)
{
  Webdav *w = (Webdav *)store;
  g_autofree char *what = dav_what(w, ref, NULL);
  g_autofree char *path = dav_path(w, ref, TRUE, error);
  gboolean empty = TRUE;
  if (!path)
    return FALSE;
  if (RULE("dav-rmdir-empty") && !dav_is_empty(w, call, path, what, &empty, error))
    return FALSE;
  if (!empty)
    return error_set(error, ENOTEMPTY, SCOPE_ITEM, "%s: the folder is not empty", what);
  if (!w->trash || g_str_has_prefix(path, w->trash) || !RULE("dav-rmdir-aside"))
    return delete_folder(w, call, path, what, error);

  g_autofree char *aside = NULL;
  if (!put_aside(w, call, ref, path, what, &aside, error))
    return FALSE;
  /* From here on the folder is gone for its user. Mail that came in between stays in the trash, and
   * so does a folder that cannot be asked about or deleted any more. */
  if (dav_is_empty(w, call, aside, what, &empty, NULL) && empty)
    delete_folder(w, call, aside, what, NULL);
  return TRUE;
}
