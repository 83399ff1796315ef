/* SPDX-License-Identifier: Apache-2.0 */
/* A simulator without a socket, for the tests of its WebDAV face: one mailbox (alice), one request
 * at a time, the reply kept until the next. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dav.h"
#include "import.h"

#include <gmime/gmime.h>
#include <string.h>

#define ROOT "/exchange/alice/"

typedef struct {
  Sim sim;
  Reply reply;
} Rig;

/* switches: blank-separated, or "". */
static inline Rig *rig_new(const char *profile, const char *switches)
{
  Rig *rig = g_new0(Rig, 1);
  g_mime_init();
  assert_true(switches_profile(&rig->sim.switches, profile));
  g_auto(GStrv) words = g_strsplit(switches, " ", -1);
  for (guint i = 0; words[i] && words[i][0]; i++) {
    assert_true(switches_set(&rig->sim.switches, words[i]));
  }
  rig->sim.model = model_new(sim_exchange(&rig->sim), G_GINT64_CONSTANT(1078814200) * 1000);
  rig->sim.views = dav_views_new(&rig->sim);
  model_add_mailbox(rig->sim.model, "alice", import_folder_names("en"));
  model_add_mailbox(rig->sim.model, NULL, NULL);
  rig->sim.first_user = "alice";
  model_reset_record(rig->sim.model);
  return rig;
}

static inline void rig_free(Rig *rig)
{
  reply_clear(&rig->reply);
  dav_views_free(rig->sim.views);
  model_free(rig->sim.model);
  g_free(rig);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rig, rig_free)

/* One request; headers: "name: value" separated by LF (Translate: f goes along), or "". The status.
 */
static inline int rig_do(Rig *rig, const char *method, const char *path, const char *headers,
                         const char *body)
{
  g_autoptr(GHashTable) table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  g_hash_table_insert(table, g_strdup("host"), g_strdup("mail.contoso.com"));
  g_hash_table_insert(table, g_strdup("translate"), g_strdup("f"));
  g_auto(GStrv) lines = g_strsplit(headers, "\n", -1);
  for (guint i = 0; lines[i] && lines[i][0]; i++) {
    char *colon = strchr(lines[i], ':');
    assert_non_null(colon);
    g_hash_table_insert(table, g_ascii_strdown(lines[i], colon - lines[i]),
                        g_strdup(g_strstrip(colon + 1)));
  }
  g_autoptr(GBytes) bytes = g_bytes_new(body, strlen(body));
  g_autoptr(Body) content = body_new_bytes(bytes);
  g_autofree char *own_path = g_strdup(path);
  Request request = {.method = method, .path = own_path, .headers = table, .body = content};
  reply_clear(&rig->reply);
  dav_handle(&rig->sim, &request, &rig->reply);
  return rig->reply.status;
}

/* The body of the last reply. Borrowed by nobody: free with g_free. */
static inline char *rig_body(const Rig *rig)
{
  const Reply *reply = &rig->reply;
  if (reply->text || !reply->body) {
    return g_strdup(reply->text ? reply->text->str : "");
  }
  g_autoptr(GBytes) bytes = body_bytes(reply->body);
  return g_strndup((const char *)g_bytes_get_data(bytes, NULL) + reply->offset,
                   (gsize)reply->length);
}

/* A header of the last reply, or NULL. */
static inline const char *rig_header(const Rig *rig, const char *name)
{
  for (guint i = 0; rig->reply.headers && i < rig->reply.headers->len; i += 2) {
    if (g_ascii_strcasecmp(rig->reply.headers->pdata[i], name) == 0) {
      return rig->reply.headers->pdata[i + 1];
    }
  }
  return NULL;
}

/* Text between the first `before` and the next `after` of the last body; NULL when not there. */
static inline char *rig_between(const Rig *rig, const char *before, const char *after)
{
  g_autofree char *body = rig_body(rig);
  const char *at = strstr(body, before);
  if (!at) {
    return NULL;
  }
  at += strlen(before);
  const char *end = strstr(at, after);
  return end ? g_strndup(at, (gsize)(end - at)) : NULL;
}

static inline gboolean rig_says(const Rig *rig, const char *text)
{
  g_autofree char *body = rig_body(rig);
  return strstr(body, text) != NULL;
}

/* One property (namespace, local) of a path, as text between its tags; NULL when absent. */
static inline char *rig_prop(Rig *rig, const char *path, const char *ns, const char *local)
{
  g_autofree char *query = g_strdup_printf(
      "<propfind xmlns=\"DAV:\" xmlns:x=\"%s\"><prop><x:%s/></prop></propfind>", ns, local);
  if (rig_do(rig, "PROPFIND", path, "Depth: 0\nBrief: t", query) != 207) {
    return NULL;
  }
  g_autofree char *tag = g_strdup_printf(":%s", local);
  g_autofree char *rest = rig_between(rig, tag, "</a:prop>");
  if (!rest) {
    return NULL;
  }
  char *end = strrchr(rest, '<');
  const char *start = strchr(rest, '>');
  return start && end && start < end ? g_strndup(start + 1, (gsize)(end - start - 1)) : NULL;
}

/* SEARCH in a folder; the WHERE part and range ("" for none). The status. */
static inline int rig_search(Rig *rig, const char *path, const char *where, const char *range)
{
  /* A bare CR would reach the query as LF (XML 1.0 2.11). */
  g_auto(GStrv) lines = g_strsplit(where, "\r", -1);
  g_autofree char *marked = g_strjoinv("\x01", lines);
  g_autofree char *markup = g_markup_escape_text(marked, -1);
  g_auto(GStrv) parts = g_strsplit(markup, "&#x1;", -1);
  g_autofree char *escaped = g_strjoinv("&#13;", parts);
  g_autofree char *query = g_strdup_printf(
      "<d:searchrequest xmlns:d=\"DAV:\"><d:sql>SELECT \"DAV:displayname\" FROM SCOPE('SHALLOW "
      "TRAVERSAL OF \"\"') %s</d:sql></d:searchrequest>",
      escaped);
  g_autofree char *headers = range[0] ? g_strdup_printf("Range: %s", range) : g_strdup("");
  return rig_do(rig, "SEARCH", path, headers, query);
}
