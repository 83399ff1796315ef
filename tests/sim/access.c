/* SPDX-License-Identifier: Apache-2.0 */
/* The matrix of rights and the redirects, both by path. */
#include "access.h"

#include <pthread.h>
#include <string.h>

typedef struct {
  char *folder; /* "/alice/work/secret", folded */
  char *user;   /* or "*" */
  AccessLevel level;
} Rule;

typedef struct {
  char *path, *origin;
} Elsewhere;

struct Access {
  pthread_mutex_t lock; /* over rules */
  GPtrArray *rules;     /* Rule */
  GPtrArray *elsewhere; /* Elsewhere; not changed while the server runs */
};

static void rule_free(gpointer data)
{
  Rule *rule = data;
  g_free(rule->folder);
  g_free(rule->user);
  g_free(rule);
}

static void elsewhere_free(gpointer data)
{
  Elsewhere *elsewhere = data;
  g_free(elsewhere->path);
  g_free(elsewhere->origin);
  g_free(elsewhere);
}

Access *access_new(void)
{
  Access *access = g_new0(Access, 1);
  pthread_mutex_init(&access->lock, NULL);
  access->rules = g_ptr_array_new_with_free_func(rule_free);
  access->elsewhere = g_ptr_array_new_with_free_func(elsewhere_free);
  return access;
}

void access_free(Access *access)
{
  if (!access) {
    return;
  }
  g_ptr_array_unref(access->rules);
  g_ptr_array_unref(access->elsewhere);
  pthread_mutex_destroy(&access->lock);
  g_free(access);
}

gboolean access_add(Access *access, const char *text)
{
  static const char *const levels[] = {"none", "read", "all"};
  const char *equals = strrchr(text, '=');
  const char *colon = equals ? strchr(equals, ':') : NULL;
  for (int level = ACCESS_NONE; colon && level <= ACCESS_ALL; level++) {
    if (strcmp(colon + 1, levels[level]) != 0) {
      continue;
    }
    g_autofree char *folder = g_strndup(text, (gsize)(equals - text));
    g_autofree char *folded = g_utf8_casefold(folder, -1);
    Rule *rule = g_new0(Rule, 1);
    rule->folder = g_strconcat(folder[0] == '/' ? "" : "/", folded, NULL);
    rule->user = g_strndup(equals + 1, (gsize)(colon - equals - 1));
    rule->level = (AccessLevel)level;
    pthread_mutex_lock(&access->lock);
    g_ptr_array_add(access->rules, rule);
    pthread_mutex_unlock(&access->lock);
    return TRUE;
  }
  return FALSE;
}

gboolean access_add_elsewhere(Access *access, const char *text)
{
  const char *equals = strchr(text, '=');
  if (text[0] != '/' || !equals || !strstr(equals, "://")) {
    return FALSE;
  }
  Elsewhere *elsewhere = g_new0(Elsewhere, 1);
  elsewhere->path = g_strndup(text, (gsize)(equals - text));
  elsewhere->origin = g_strdup(equals + 1);
  g_ptr_array_add(access->elsewhere, elsewhere);
  return TRUE;
}

/* Whether path is folder or below it. */
static gboolean is_below(const char *path, const char *folder)
{
  gsize len = strlen(folder);
  return g_ascii_strncasecmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}

AccessLevel access_level(const Sim *sim, const Node *node, const char *user)
{
  const Mailbox *mailbox = model_mailbox_of(node);
  AccessLevel level = ACCESS_ALL;
  if (!user) {
    return level;
  }
  if (mailbox->user && g_ascii_strcasecmp(mailbox->user, user) != 0) {
    level = ACCESS_NONE;
  }
  if (!sim->access) {
    return level;
  }
  g_autofree char *path = model_path(node);
  g_autofree char *folded = g_utf8_casefold(path, -1);
  gsize best = 0;
  pthread_mutex_lock(&sim->access->lock);
  for (guint i = 0; i < sim->access->rules->len; i++) {
    const Rule *rule = sim->access->rules->pdata[i];
    gboolean meant = strcmp(rule->user, "*") == 0 || g_ascii_strcasecmp(rule->user, user) == 0;
    if (meant && strlen(rule->folder) >= best && is_below(folded, rule->folder)) {
      best = strlen(rule->folder);
      level = rule->level;
    }
  }
  pthread_mutex_unlock(&sim->access->lock);
  return level;
}

static AccessLevel level_at(const Sim *sim, const Target *target, const char *user)
{
  const Node *node = target->node ? target->node : target->parent;
  if (node) {
    return access_level(sim, node, user);
  }
  return target->mailbox ? access_level(sim, target->mailbox->root, user) : ACCESS_ALL;
}

gboolean access_allowed(const Sim *sim, const Request *request, const Target *target)
{
  static const char *const reading[] = {"GET",    "HEAD", "OPTIONS",       "PROPFIND",
                                        "SEARCH", "COPY", "BPROPFIND",     "BCOPY",
                                        "REPORT", "POLL", "X-MS-ENUMATTS", NULL};
  AccessLevel needed = g_strv_contains(reading, request->method) ? ACCESS_READ : ACCESS_ALL;
  const char *destination = request_header(request, "destination");
  if (level_at(sim, target, request->user) < needed) {
    return FALSE;
  }
  if (!destination) {
    return TRUE;
  }
  g_auto(Target) to;
  url_resolve(sim, destination, &to);
  return level_at(sim, &to, request->user) == ACCESS_ALL;
}

gboolean access_elsewhere(const Sim *sim, const Request *request, Reply *reply)
{
  g_autofree char *path = url_decode(request->path);
  for (guint i = 0; sim->access && i < sim->access->elsewhere->len; i++) {
    const Elsewhere *elsewhere = sim->access->elsewhere->pdata[i];
    if (is_below(path, elsewhere->path)) {
      reply_headerf(reply, "Location", "%s%s%s%s", elsewhere->origin, request->path,
                    request->query ? "?" : "", request->query ? request->query : "");
      reply_status(reply, 302);
      return TRUE;
    }
  }
  return FALSE;
}
