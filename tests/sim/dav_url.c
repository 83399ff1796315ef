/* SPDX-License-Identifier: Apache-2.0 */
/* Escapes, tokens and the resolution of paths. */
#include "dav_url.h"

#include <string.h>

#define FLAT "-FlatUrlSpace-"
#define SUBMISSION "##DavMailSubmissionURI##"

/* Exchange's tokens for what a segment cannot hold (section 2.2). */
static const struct {
  const char *plain, *token;
} tokens[] = {{"\r\n", "_x000D__x000A_"},
              {"/", "_xF8FF_"},
              {"\\", "_xF8FE_"},
              {"?", "_x003F_"},
              {"~", "_x007E_"}};

char *url_decode(const char *text)
{
  GString *out = g_string_sized_new(strlen(text));
  for (const char *p = text; *p; p++) {
    if (*p == '%' && g_ascii_isxdigit(p[1]) && g_ascii_isxdigit(p[2])) {
      g_string_append_c(out, (char)(g_ascii_xdigit_value(p[1]) * 16 + g_ascii_xdigit_value(p[2])));
      p += 2;
    } else {
      g_string_append_c(out, *p);
    }
  }
  return g_string_free(out, FALSE);
}

static gboolean append_from_token(const char **p, GString *out)
{
  for (gsize i = 0; i < G_N_ELEMENTS(tokens); i++) {
    gsize len = strlen(tokens[i].token);
    if (g_ascii_strncasecmp(*p, tokens[i].token, len) == 0) {
      g_string_append(out, tokens[i].plain);
      *p += len;
      return TRUE;
    }
  }
  return FALSE;
}

char *url_segment_name(const Sim *sim, const char *segment)
{
  g_autofree char *decoded = url_decode(segment);
  if (strstr(segment, "%00") || !g_utf8_validate(decoded, -1, NULL)) {
    return NULL;
  }
  if (!sim_exchange(sim)) {
    return g_steal_pointer(&decoded);
  }
  GString *out = g_string_sized_new(strlen(decoded));
  for (const char *p = decoded; *p;) {
    if (*p != '_' || !append_from_token(&p, out)) {
      g_string_append_c(out, *p++);
    }
  }
  return g_string_free(out, FALSE);
}

void url_append_segment(const Sim *sim, const char *name, GString *out)
{
  gboolean lower = sim_switch(sim, SWITCH_HREF_LOWER) != 0;
  const char *digits = lower ? "0123456789abcdef" : "0123456789ABCDEF";
  /* A bare '+' is right (section 2.3), but DavMail reads it as a blank. */
  const char *bare = lower ? "!$'()+,-.;=@_*" : "!$'()*,-.:;=@_";
  for (const char *p = name; *p;) {
    gsize i = 0;
    while (sim_exchange(sim) && i < G_N_ELEMENTS(tokens) &&
           strncmp(p, tokens[i].plain, strlen(tokens[i].plain)) != 0) {
      i++;
    }
    if (sim_exchange(sim) && i < G_N_ELEMENTS(tokens)) {
      g_string_append(out, tokens[i].token);
      p += strlen(tokens[i].plain);
      continue;
    }
    guchar c = (guchar)*p++;
    if (g_ascii_isalnum(c) || (c && strchr(bare, c)) || (c == '~' && !sim_exchange(sim))) {
      g_string_append_c(out, (char)c);
    } else {
      g_string_append_c(out, '%');
      g_string_append_c(out, digits[c >> 4]);
      g_string_append_c(out, digits[c & 15]);
    }
  }
}

void url_append_stored(const char *name, GString *out)
{
  for (const char *p = name; *p; p++) {
    if (*p == '/') {
      g_string_append(out, "\xEF\xA3\xBF"); /* U+F8FF */
    } else if (strchr("%&+:;<>#~*|?\"", *p)) {
      g_string_append_printf(out, "%%%02X", (guint)(guchar)*p);
    } else {
      g_string_append_c(out, *p);
    }
  }
}

void url_base_init(UrlBase *base, const Sim *sim, const Request *request)
{
  GString *origin = g_string_new(NULL);
  request_append_origin(sim, request, origin);
  *base = (UrlBase){.origin = g_string_free(origin, FALSE)};
  if (g_ascii_strncasecmp(request->path, "/exchange/", 10) == 0) {
    g_autofree char *segment = g_strndup(request->path + 10, strcspn(request->path + 10, "/"));
    base->mailbox = url_segment_name(sim, segment);
  }
}

void url_base_clear(UrlBase *base)
{
  g_clear_pointer(&base->origin, g_free);
  g_clear_pointer(&base->mailbox, g_free);
}

/* Whether a decoded segment means this user: the alias, or an address that begins with it. */
static gboolean names_user(const char *segment, const char *user)
{
  gsize len = strlen(user);
  return segment && g_ascii_strncasecmp(segment, user, len) == 0 &&
         (segment[len] == '\0' || segment[len] == '@');
}

/* below: the path goes on to a member. */
static void append_path(const Sim *sim, const UrlBase *base, const Node *node, gboolean below,
                        GString *out)
{
  const char *name = node->name;
  if (node->parent) {
    append_path(sim, base, node->parent, TRUE, out);
    if (below && node->folder->role == ROLE_INBOX && sim_switch(sim, SWITCH_DOUBLE_NAMES)) {
      name = "Inbox";
    }
  } else if (node->folder->role == ROLE_HIDDEN_ROOT) {
    append_path(sim, base, node->folder->mailbox->root, TRUE, out);
  } else if (node->folder->mailbox->user) {
    g_string_append(out, "/exchange/");
    name = names_user(base->mailbox, node->folder->mailbox->user) ? base->mailbox : name;
  } else {
    g_string_append_c(out, '/');
  }
  url_append_segment(sim, name, out);
  if (node->folder) {
    g_string_append_c(out, '/');
  }
}

void url_append_href(const Sim *sim, const UrlBase *base, const Node *node, GString *out)
{
  g_string_append(out, base->origin);
  append_path(sim, base, node, FALSE, out);
}

void url_append_permanent(const Sim *sim, const UrlBase *base, const Node *node, GString *out)
{
  url_append_href(sim, base, model_mailbox_of(node)->root, out);
  g_string_append(out, FLAT "/");
  const Node *folder = node->folder ? node : node->parent;
  g_string_append_printf(out, STORE_GUID "-%" G_GINT64_MODIFIER "x", folder->mid);
  if (!node->folder) {
    g_string_append_printf(out, "/" STORE_GUID "-%" G_GINT64_MODIFIER "x", node->mid);
  }
}

void url_append_submission(const Sim *sim, const UrlBase *base, const Mailbox *mailbox,
                           GString *out)
{
  url_append_href(sim, base, mailbox->root, out);
  g_string_append(out, "%23%23DavMailSubmissionURI%23%23/");
}

/* "guid-hex" to the node, if it is of this mailbox. */
static Node *flat_part(const Sim *sim, const Mailbox *mailbox, const char *text)
{
  const char *dash = strrchr(text, '-');
  if (!dash || g_ascii_strncasecmp(text, STORE_GUID "-", strlen(STORE_GUID) + 1) != 0) {
    return NULL;
  }
  Node *node = model_by_mid(sim->model, g_ascii_strtoull(dash + 1, NULL, 16));
  return node && model_mailbox_of(node) == mailbox ? node : NULL;
}

static void resolve_flat(const Sim *sim, char **parts, guint count, Target *target)
{
  if (sim_switch(sim, SWITCH_NO_PERMANENT) || sim_switch(sim, SWITCH_PERMANENT_404) || count < 1 ||
      count > 2) {
    return;
  }
  Node *node = flat_part(sim, target->mailbox, parts[0]);
  if (node && count == 2) {
    Node *folder = node;
    node = flat_part(sim, target->mailbox, parts[1]);
    if (node && node->parent != folder) {
      node = NULL;
    }
  }
  if (node) {
    target->kind = TARGET_NODE;
    target->node = node;
    target->parent = node->parent;
    target->name = g_strdup(node->name);
    target->permanent = TRUE;
  }
}

static void walk(const Sim *sim, Node *node, char **parts, guint count, Target *target)
{
  for (guint i = 0; i < count; i++) {
    g_autofree char *name = url_segment_name(sim, parts[i]);
    if (!name || !name[0] || strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || !node->folder) {
      return;
    }
    Node *child = model_child(sim->model, node, name);
    if (!child && i == 0 && !node->parent && g_ascii_strcasecmp(name, "NON_IPM_SUBTREE") == 0) {
      child = node->folder->mailbox->hidden;
    }
    if (!child && i == 0 && !node->parent && sim_switch(sim, SWITCH_DOUBLE_NAMES) &&
        g_ascii_strcasecmp(name, "Inbox") == 0) {
      child = target->mailbox->known[ROLE_INBOX];
    }
    if (!child) {
      if (i == count - 1) {
        target->kind = TARGET_NEW;
        target->parent = node;
        target->name = g_steal_pointer(&name);
      }
      return;
    }
    node = child;
  }
  target->kind = TARGET_NODE;
  target->node = node;
  target->parent = node->parent;
  target->name = g_strdup(node->name);
}

static Mailbox *mailbox_named(const Sim *sim, const char *segment)
{
  g_autofree char *name = url_decode(segment);
  char *at = strchr(name, '@');
  if (at) {
    *at = '\0';
  } else if (sim_switch(sim, SWITCH_ALIAS_404)) {
    return NULL;
  }
  return name[0] ? model_mailbox(sim->model, name) : NULL;
}

void url_resolve(const Sim *sim, const char *path, Target *target)
{
  *target = (Target){0};
  const char *scheme = strstr(path, "://");
  if (scheme && path[0] != '/') {
    path = strchr(scheme + 3, '/');
    if (!path) {
      return;
    }
  }
  gsize len = strlen(path);
  target->slash = len > 0 && path[len - 1] == '/';
  g_autofree char *trimmed = g_strndup(path, target->slash ? len - 1 : len);
  if (trimmed[0] != '/') {
    return;
  }
  g_auto(GStrv) parts = g_strsplit(trimmed + 1, "/", -1);
  guint count = g_strv_length(parts);
  guint used = 1;
  if (count && g_ascii_strcasecmp(parts[0], "public") == 0) {
    target->mailbox = model_mailbox(sim->model, NULL);
  } else if (count && g_ascii_strcasecmp(parts[0], "exchange") == 0) {
    if (count < 2) {
      target->kind = TARGET_START;
      return;
    }
    target->mailbox = mailbox_named(sim, parts[1]);
    used = 2;
  }
  if (!target->mailbox) {
    return;
  }
  g_autofree char *first = count > used ? url_decode(parts[used]) : NULL;
  if (first && sim_exchange(sim) && g_ascii_strcasecmp(first, FLAT) == 0) {
    resolve_flat(sim, parts + used + 1, count - used - 1, target);
  } else if (first && sim_exchange(sim) && g_ascii_strcasecmp(first, SUBMISSION) == 0) {
    target->kind = TARGET_SUBMISSION;
  } else {
    walk(sim, target->mailbox->root, parts + used, count - used, target);
  }
}

gboolean url_too_long(const char *path)
{
  g_auto(GStrv) parts = g_strsplit(path, "/", -1);
  for (guint i = 0; parts[i]; i++) {
    g_autofree char *name = strlen(parts[i]) > URL_NAME_MAX ? url_decode(parts[i]) : NULL;
    if (name && g_utf8_validate(name, -1, NULL) && g_utf8_strlen(name, -1) > URL_NAME_MAX) {
      return TRUE;
    }
  }
  return FALSE;
}

void target_clear(Target *target)
{
  g_clear_pointer(&target->name, g_free);
}
