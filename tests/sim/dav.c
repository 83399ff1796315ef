/* SPDX-License-Identifier: Apache-2.0 */
/* Dispatch of methods, preconditions, and the headers every answer carries. */
#include "dav.h"

#include "access.h"
#include "auth.h"
#include "owa.h"

#include <string.h>

static const char plain_methods[] =
    "OPTIONS, GET, HEAD, PUT, DELETE, MKCOL, MOVE, COPY, PROPFIND, PROPPATCH";
static const char exchange_methods[] =
    "OPTIONS, TRACE, GET, HEAD, DELETE, PUT, POST, COPY, MOVE, MKCOL, PROPFIND, PROPPATCH, LOCK, "
    "UNLOCK, SEARCH";

static void dav_options(Sim *sim, const Request *request, Reply *reply)
{
  model_read(sim->model);
  g_auto(Target) target;
  url_resolve(sim, request->path, &target);
  gboolean nothing = target.kind == TARGET_NONE && strcmp(request->path, "*") != 0;
  model_read_done(sim->model);
  if (nothing && sim_exchange(sim)) {
    reply_status(reply, 404);
    return;
  }
  reply_header(reply, "DAV", sim_exchange(sim) ? "1, 2" : "1");
  reply_header(reply, "Allow", sim_exchange(sim) ? exchange_methods : plain_methods);
  if (sim_exchange(sim)) {
    reply_header(reply, "MS-Author-Via", "DAV");
    reply_header(reply, "DASL", "<DAV:sql>");
    reply_header(reply, "Accept-Ranges", "rows");
    reply_headerf(reply, "Public", "%s%s", exchange_methods,
                  ", SUBSCRIBE, UNSUBSCRIBE, POLL, BDELETE, BCOPY, BMOVE, BPROPPATCH, BPROPFIND");
  }
  reply_status(reply, 200);
}

static void common_headers(const Sim *sim, Reply *reply)
{
  if (!sim_exchange(sim)) {
    reply_header(reply, "Server", "exchange-sim");
    return;
  }
  gboolean owa2007 = sim_switch(sim, SWITCH_OWA2007) != 0;
  reply_header(reply, "Server", owa2007 ? "Microsoft-IIS/7.0" : "Microsoft-IIS/6.0");
  reply_header(reply, "MS-WebStorage", owa2007 ? "08.01.10240" : "6.5.7226");
}

/* URLs that this server refuses although something is there (quirks 5 and 6). */
static gboolean hidden_url(const Sim *sim, const Request *request, const Target *target)
{
  gboolean item = target->kind == TARGET_NODE && !target->node->folder;
  gboolean plus =
      strchr(request->path, '+') || strstr(request->path, "%2B") || strstr(request->path, "%2b");
  if (target->permanent) {
    return FALSE;
  }
  return (item && sim_switch(sim, SWITCH_HREF_404)) ||
         (plus && ((item && sim_switch(sim, SWITCH_PLUS_404)) ||
                   (target->kind == TARGET_NEW && sim_switch(sim, SWITCH_PLUS_404) > 1)));
}

/* 0, or why the path of a request is refused whatever the method. */
static int path_refused(const Sim *sim, const Request *request)
{
  const char *destination = request_header(request, "destination");
  if (url_too_long(request->path) || (destination && url_too_long(destination))) {
    return 414;
  }
  model_read(sim->model);
  g_auto(Target) target;
  url_resolve(sim, request->path, &target);
  int status = 0;
  if (request->user && !access_allowed(sim, request, &target)) {
    status = 401;
  } else if (hidden_url(sim, request, &target)) {
    status = 404;
  }
  model_read_done(sim->model);
  return status;
}

/* Quirk 50: a write to a public folder is done, and the answer says that it was not. */
static void deny_what_was_done(const Sim *sim, const Request *request, Reply *reply)
{
  static const char *const writing[] = {"PUT",  "PROPPATCH", "MKCOL", "MOVE",
                                        "COPY", "DELETE",    NULL};
  if (sim_switch(sim, SWITCH_PUBLIC_401) && reply->status / 100 == 2 &&
      g_strv_contains(writing, request->method) &&
      g_ascii_strncasecmp(request->path, "/public/", 8) == 0) {
    reply_clear(reply);
    common_headers(sim, reply);
    auth_challenge(sim, reply);
  }
}

typedef void (*Method)(Sim *sim, const Request *request, Reply *reply);

void dav_handle(Sim *sim, const Request *request, Reply *reply)
{
  static const struct {
    const char *name;
    Method run;
    gboolean exchange_only;
  } methods[] = {{"PROPFIND", dav_propfind, FALSE},
                 {"GET", dav_get, FALSE},
                 {"HEAD", dav_get, FALSE},
                 {"PUT", dav_put, FALSE},
                 {"DELETE", dav_delete, FALSE},
                 {"MKCOL", dav_mkcol, FALSE},
                 {"MOVE", dav_move, FALSE},
                 {"COPY", dav_move, FALSE},
                 {"PROPPATCH", dav_proppatch, FALSE},
                 {"OPTIONS", dav_options, FALSE},
                 {"POST", dav_post, TRUE},
                 {"SEARCH", dav_search, TRUE},
                 {"BPROPFIND", dav_batch, TRUE},
                 {"BPROPPATCH", dav_batch, TRUE},
                 {"BDELETE", dav_batch, TRUE},
                 {"BMOVE", dav_batch, TRUE},
                 {"BCOPY", dav_batch, TRUE}};
  common_headers(sim, reply);
  if (sim_switch(sim, SWITCH_NEED_LANGUAGE) && !request_header(request, "accept-language")) {
    reply_text(reply, 401, NULL, "<html><body>Unauthorized</body></html>");
    return;
  }
  int refused = path_refused(sim, request);
  if (refused == 401) {
    auth_forbid(sim, request, reply);
    return;
  }
  if (refused) {
    reply_text(reply, refused, NULL, "<html><body>Refused</body></html>");
    return;
  }
  if (access_elsewhere(sim, request, reply)) {
    return;
  }
  if (sim_exchange(sim) && owa_page(sim, request, reply)) {
    return;
  }
  for (gsize i = 0; i < G_N_ELEMENTS(methods); i++) {
    if (strcmp(methods[i].name, request->method) == 0 &&
        (sim_exchange(sim) || !methods[i].exchange_only)) {
      methods[i].run(sim, request, reply);
      deny_what_was_done(sim, request, reply);
      return;
    }
  }
  reply_status(reply, sim_exchange(sim) ? 501 : 405);
  reply_header(reply, "Allow", sim_exchange(sim) ? exchange_methods : plain_methods);
}

/* Whether a list of entity tags ("*" or comma-separated) names this node. */
static gboolean tag_listed(const Sim *sim, const char *list, const Node *node)
{
  if (!node) {
    return FALSE;
  }
  if (strcmp(list, "*") == 0) {
    return TRUE;
  }
  g_autoptr(GString) tag = g_string_new(NULL);
  prop_append_etag(sim, node, tag);
  g_auto(GStrv) parts = g_strsplit(list, ",", -1);
  for (guint i = 0; parts[i]; i++) {
    if (strcmp(g_strstrip(parts[i]), tag->str) == 0) {
      return TRUE;
    }
  }
  return FALSE;
}

/* One state token of an If header, without its brackets. */
static gboolean token_holds(const Sim *sim, const char *token, gsize len, const Node *node)
{
  g_autoptr(GString) own = g_string_new(NULL);
  if (!node) {
    return FALSE;
  }
  if (len > 3 && strncmp(token, "rt:", 3) == 0) {
    prop_append_resource_tag(node, own);
  } else if (len > 4 && strncmp(token, "rid:", 4) == 0) {
    prop_append_repl_uid(node, own);
  } else {
    prop_append_etag(sim, node, own);
  }
  return own->len == len && strncmp(own->str, token, len) == 0;
}

/* RFC 4918 10.4: lists in parentheses, one of which must hold entirely. */
static gboolean list_holds(const Sim *sim, const char *p, const Node *node)
{
  gboolean negate = FALSE;
  while (*p && *p != ')') {
    if (g_ascii_strncasecmp(p, "Not", 3) == 0) {
      negate = TRUE;
      p += 3;
    } else if (*p == '<' || *p == '[') {
      const char *end = strchr(p, *p == '<' ? '>' : ']');
      if (!end || token_holds(sim, p + 1, (gsize)(end - p - 1), node) == negate) {
        return FALSE;
      }
      negate = FALSE;
      p = end + 1;
    } else {
      p++;
    }
  }
  return *p == ')';
}

/* The node a list's tag names: <url> before the parenthesis. */
static const Node *tagged(const Sim *sim, const char *url, gsize len)
{
  g_autofree char *text = g_strndup(url, len);
  g_auto(Target) target;
  url_resolve(sim, text, &target);
  return target.kind == TARGET_NODE ? target.node : NULL;
}

static gboolean if_holds(const Sim *sim, const char *text, const Node *node)
{
  while (*text) {
    if (*text == '(') {
      if (list_holds(sim, text + 1, node)) {
        return TRUE;
      }
      text = strchr(text, ')');
      if (!text) {
        return FALSE;
      }
    } else if (*text == '<') {
      const char *end = strchr(text, '>');
      if (!end) {
        return FALSE;
      }
      node = tagged(sim, text + 1, (gsize)(end - text - 1));
      text = end;
    }
    text++;
  }
  return FALSE;
}

int dav_precondition(const Sim *sim, const Request *request, const Node *node)
{
  const char *match = request_header(request, "if-match");
  const char *none = request_header(request, "if-none-match");
  const char *state = request_header(request, "if");
  /* Strong comparison: a weak tag never matches in If-Match (RFC 9110 13.1.1). */
  if (match && strcmp(match, "*") != 0 && sim_switch(sim, SWITCH_WEAK_ETAG)) {
    return 412;
  }
  if ((match && !tag_listed(sim, match, node)) || (state && !if_holds(sim, state, node))) {
    return 412;
  }
  if (none && tag_listed(sim, none, node)) {
    gboolean reading = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
    return reading ? 304 : 412;
  }
  return 0;
}

void dav_reply_ids(const Sim *sim, const Request *request, const Node *node, Reply *reply)
{
  g_autoptr(GString) text = g_string_new(NULL);
  prop_append_etag(sim, node, text);
  if (!sim_exchange(sim)) {
    if (!node->folder) {
      reply_header(reply, "ETag", text->str);
    }
    return;
  }
  if (!node->folder) {
    reply_header(reply, "GetETag", text->str);
  }
  g_string_truncate(text, 0);
  prop_append_repl_uid(node, text);
  reply_headerf(reply, "Repl-UID", "<%s>", text->str);
  g_string_truncate(text, 0);
  prop_append_resource_tag(node, text);
  reply_headerf(reply, "ResourceTag", "<%s>", text->str);
  if (node->folder && node->parent && !sim_switch(sim, SWITCH_NO_PERMANENT)) {
    g_auto(UrlBase) base;
    url_base_init(&base, sim, request);
    g_string_truncate(text, 0);
    url_append_permanent(sim, &base, node, text);
    reply_header(reply, "MS-Exchange-Permanent-URL", text->str);
  }
}
