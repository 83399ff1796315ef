/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the life of a WebDAV store and the first question to a server: what is it, may we in, and if
 * not, what should the user do (protocol note WebDAV, sections 1.2, 3.5, 3.6).
 */
#include "store/webdav/private.h"

#include "base/error.h"
#include "base/rule.h"

#include <errno.h>
#include <string.h>

typedef struct {
  Webdav *w;
  gboolean told; /* a response was read */
  gboolean exchange, folder, content_tag;
  char *server_root;
  char *trash;
} Probe;

static const int probe_props[] = {P_RESOURCETYPE, P_ISFOLDER, P_UID, P_PERMANENT,
                                  P_CONTENTTAG,   P_TRASH,    -1};

static gboolean take_root(const DavResponse *response, gpointer user, GError **error)
{
  (void)error;
  Probe *probe = user;
  const char *const *values = response->values;
  if (probe->told)
    return TRUE;
  probe->told = TRUE;
  probe->exchange = values[P_ISFOLDER] && values[P_UID];
  probe->folder = (values[P_RESOURCETYPE] && strstr(values[P_RESOURCETYPE], "collection")) ||
                  (values[P_ISFOLDER] && values[P_ISFOLDER][0] == '1');
  probe->content_tag = values[P_CONTENTTAG] != NULL;
  g_autofree char *path = davurl_path(response->href);
  if (path)
    probe->server_root =
        g_str_has_suffix(path, "/") ? g_steal_pointer(&path) : g_strconcat(path, "/", NULL);
  probe->trash = g_strdup(values[P_TRASH]);
  return TRUE;
}

/* The server wants a web form filled in, and net/ did not, or in vain. */
static gboolean refuse_forms(Webdav *w, GError **error)
{
  HttpAuth scheme = 0;
  g_autofree char *user = NULL;
  http_client_signed(w->http, &scheme, &user);
  if (scheme == HTTP_AUTH_FORMS)
    return error_set(error, EACCES, SCOPE_STORE,
                     "this user has no right to open %s: ask its owner for one", w->root);
  return error_set(error, EACCES, SCOPE_SIGN_IN,
                   "the server wants to be signed in to by a web form: mount with user= and a "
                   "password (passwd_file=), and with sec=forms or without sec=");
}

/* "No": to nobody, or to one who was let in elsewhere. */
static gboolean refuse_sign_in(Webdav *w, GError **error)
{
  HttpAuth scheme = 0;
  g_autofree char *user = NULL;
  http_client_signed(w->http, &scheme, &user);
  if (scheme)
    return error_set(error, EACCES, SCOPE_STORE,
                     "%s has no right to open %s: ask its owner for one", user ? user : "this user",
                     w->root);
  return error_set(error, EACCES, SCOPE_SIGN_IN,
                   "the server wants a sign-in: give a user name and a password (user=, "
                   "passwd_file=) or have a Kerberos ticket, and leave sec=none out");
}

/* A redirect: adopts another path of the same server, once (*RET_AGAIN); else says where to go. */
static gboolean follow(Webdav *w, const char *location, gboolean *ret_again, GError **error)
{
  g_autofree char *origin = davurl_origin(location);
  g_autofree char *path = davurl_path(location);
  gboolean own = !origin || g_ascii_strcasecmp(origin, http_client_origin(w->http)) == 0;
  if (own && path && !*ret_again) {
    g_free(w->root);
    w->root = g_str_has_suffix(path, "/") ? g_steal_pointer(&path) : g_strconcat(path, "/", NULL);
    *ret_again = TRUE;
    return TRUE;
  }
  return error_set(error, EPROTO, SCOPE_STORE,
                   "the server says that this mailbox is at %.200s: mount that address", location);
}

/* Says why the first answer is no way in. */
static gboolean refuse_open(Webdav *w, const DavAnswer *answer, GError **error)
{
  gboolean exchange = http_response_header(answer->http, "MS-WebStorage") != NULL;
  switch (answer->status) {
  case 401:
    return refuse_sign_in(w, error);
  case 403:
    if (strstr(answer->text, "SSL") && g_str_has_prefix(http_client_origin(w->http), "http:"))
      return error_set(error, EPROTO, SCOPE_STORE,
                       "the server demands an encrypted connection: use https://");
    return error_set(error, EACCES, SCOPE_STORE,
                     "this user has no right to open %s: ask its owner for one", w->root);
  case 404:
  case 410:
    return exchange
               ? error_set(error, ENOENT, SCOPE_STORE,
                           "the server has no mailbox at %s: check the name in the address",
                           w->root)
               : error_set(error, ENOENT, SCOPE_STORE,
                           "there is nothing at %s on this server: check the address", w->root);
  case 440:
    return refuse_forms(w, error);
  case 400:
  case 405:
  case 501:
    return error_set(error, EPROTO, SCOPE_STORE,
                     "the server does not speak WebDAV at %s: check the address", w->root);
  default:
    if (dav_is_success(answer->status))
      return error_set(error, EPROTO, SCOPE_STORE,
                       "the server answered a web page instead of WebDAV at %s: check the address",
                       w->root);
    return dav_refuse(answer, OP_LOOK, w->root, error);
  }
}

/* Deleted Items, as a path of ours; NULL when it is not below the root. */
static char *own_trash(const Webdav *w, const char *href)
{
  g_autofree char *rest = href ? davurl_below(w->root, href, TRUE) : NULL;
  if (!rest && href && w->server_root)
    rest = davurl_below(w->server_root, href, TRUE);
  if (!rest || !*rest)
    return NULL;
  return g_strconcat(w->root, rest, g_str_has_suffix(rest, "/") ? "" : "/", NULL);
}

static void adopt(Webdav *w, Probe *probe, const HttpResponse *response)
{
  const char *build = http_response_header(response, "MS-WebStorage");
  const char *server = http_response_header(response, "Server");
  w->exchange = build || probe->exchange;
  w->spelling = w->exchange ? SPELL_EXCHANGE : SPELL_PLAIN;
  g_free(w->server_root);
  w->server_root = g_steal_pointer(&probe->server_root);
  g_free(w->trash);
  w->trash = w->exchange ? own_trash(w, probe->trash) : NULL;
  g_free(w->description);
  w->description = w->exchange ? g_strdup_printf("Exchange %s (WebDAV)", build ? build : "2000")
                               : g_strdup_printf("%s (WebDAV)", server ? server : "unknown server");
  w->base.caps = (StoreCaps){.exact_size = !w->exchange || !RULE("dav-size-estimate"),
                             .bytes_stable = !w->exchange,
                             .range_read = !w->exchange,
                             .content_tag = w->exchange && probe->content_tag,
                             .folds_case = w->exchange,
                             .trash = w->trash != NULL,
                             .keeps_mtime = TRUE,
                             .description = w->description};
}

static gboolean probe_root(Webdav *w, const StoreCall *call, Probe *probe, DavAnswer *answer,
                           GError **error)
{
  g_autofree char *body = davbody_propfind(dav_props, probe_props);
  gboolean redirected = FALSE;
  for (;;) {
    DavRequest request = {
        .method = "PROPFIND", .path = w->root, .depth = "0", .type = "text/xml", .body = body};
    if (!dav_send(w, call, &request, take_root, probe, answer, error))
      return FALSE;
    const char *location = http_response_header(answer->http, "Location");
    if (answer->status / 100 != 3 || !location)
      break;
    if (dav_is_logon_redirect(answer->http))
      return refuse_forms(w, error);
    if (!follow(w, location, &redirected, error))
      return FALSE;
  }
  if (answer->status != 207)
    return refuse_open(w, answer, error);
  if (!probe->told || !probe->folder)
    return error_set(error, EPROTO, SCOPE_STORE,
                     "%s is no folder of a mailbox or WebDAV server: check the address", w->root);
  return TRUE;
}

gboolean dav_open(Store *store, const StoreCall *call, GError **error)
{
  Webdav *w = (Webdav *)store;
  Probe probe = {.w = w};
  g_auto(DavAnswer) answer = {0};
  gboolean good = probe_root(w, call, &probe, &answer, error);
  if (good)
    adopt(w, &probe, answer.http);
  g_free(probe.server_root);
  g_free(probe.trash);
  return good;
}

static void dav_free(Store *store)
{
  Webdav *w = (Webdav *)store;
  http_client_free(w->http);
  g_free(w->root);
  g_free(w->server_root);
  g_free(w->trash);
  g_free(w->description);
  g_free(w);
}

Store *webdav_store_new(HttpClient *client, const char *path)
{
  static const StoreReadOps read_ops = {.open = dav_open,
                                        .stat = dav_stat,
                                        .find = dav_find,
                                        .list = dav_list,
                                        .probe = dav_probe,
                                        .read_body = dav_read_body,
                                        .quota = dav_quota,
                                        .free = dav_free};
  Webdav *w = g_new0(Webdav, 1);
  w->base.read = &read_ops;
  w->base.write = &dav_write_ops;
  w->base.caps.description = "not opened";
  w->http = client;
  http_client_set_forms(client, &dav_forms);
  g_autofree char *safe = davurl_path(path);
  const char *root = safe ? safe : "/";
  w->root = g_str_has_suffix(root, "/") ? g_strdup(root) : g_strconcat(root, "/", NULL);
  return &w->base;
}
