/* SPDX-License-Identifier: Apache-2.0 */
/* Reads and matches fault rules. What a fault does to the connection is http.c's. */
#include "fault.h"

#include "dav_url.h"

#include <fnmatch.h>
#include <pthread.h>
#include <string.h>

typedef enum { WHEN_ALWAYS, WHEN_NTH, WHEN_TIMES, WHEN_AFTER } When;

typedef struct {
  char *method, *glob;
  When when;
  guint64 number, seen;
  Fault fault;
} Rule;

struct Faults {
  pthread_mutex_t lock;
  char *path;
  GPtrArray *rules;
};

static void fault_clear(Fault *fault)
{
  g_free(fault->text);
  g_free(fault->type);
  g_free(fault->body_file);
}

static void rule_free(gpointer data)
{
  Rule *rule = data;
  g_free(rule->method);
  g_free(rule->glob);
  fault_clear(&rule->fault);
  g_free(rule);
}

static gboolean number_after(const char *text, const char *key, gint64 *ret)
{
  gsize len = strlen(key);
  if (strncmp(text, key, len) != 0 || text[len] != '=') {
    return FALSE;
  }
  char *end;
  gint64 value = g_ascii_strtoll(text + len + 1, &end, 10);
  if (end == text + len + 1 || *end) {
    return FALSE;
  }
  *ret = value;
  return TRUE;
}

static gboolean text_after(const char *word, const char *key, char **ret)
{
  gsize len = strlen(key);
  if (strncmp(word, key, len) != 0 || word[len] != '=') {
    return FALSE;
  }
  g_free(*ret);
  *ret = url_decode(word + len + 1);
  return TRUE;
}

static gboolean parse_when(const char *word, Rule *rule)
{
  static const char *const keys[] = {
      [WHEN_NTH] = "nth", [WHEN_TIMES] = "times", [WHEN_AFTER] = "after"};
  gint64 number = 0;
  if (strcmp(word, "always") == 0) {
    rule->when = WHEN_ALWAYS;
    return TRUE;
  }
  for (int i = WHEN_NTH; i <= WHEN_AFTER; i++) {
    if (number_after(word, keys[i], &number) && number >= 0) {
      rule->when = (When)i;
      rule->number = (guint64)number;
      return TRUE;
    }
  }
  return FALSE;
}

static gboolean parse_action(const char *word, Fault *fault)
{
  gint64 number = 0;
  if (strcmp(word, "drop") == 0) {
    fault->drop = TRUE;
  } else if (strcmp(word, "drop-after") == 0) {
    fault->drop_after = TRUE;
  } else if (number_after(word, "status", &number)) {
    fault->status = (int)number;
  } else if (number_after(word, "retry-after", &number)) {
    fault->retry_after = (int)number;
  } else if (number_after(word, "delay", &number)) {
    fault->delay_ms = (guint)number;
  } else if (!number_after(word, "stall", &fault->stall) &&
             !number_after(word, "cut", &fault->cut) && !number_after(word, "slow", &fault->slow) &&
             !number_after(word, "length", &fault->length) &&
             !text_after(word, "body", &fault->text) && !text_after(word, "type", &fault->type) &&
             !text_after(word, "body-file", &fault->body_file)) {
    return FALSE;
  }
  return TRUE;
}

static Rule *parse_line(const char *line)
{
  g_auto(GStrv) words = g_strsplit_set(line, " \t", -1);
  g_autoptr(GPtrArray) used = g_ptr_array_new();
  for (guint i = 0; words[i]; i++) {
    if (words[i][0]) {
      g_ptr_array_add(used, words[i]);
    }
  }
  if (used->len < 4) {
    return NULL;
  }
  Rule *rule = g_new0(Rule, 1);
  rule->method = g_strdup(used->pdata[0]);
  rule->glob = url_decode(used->pdata[1]);
  rule->fault = (Fault){.retry_after = -1, .stall = -1, .cut = -1, .slow = -1};
  gboolean good = parse_when(used->pdata[2], rule);
  for (guint i = 3; good && i < used->len; i++) {
    good = parse_action(used->pdata[i], &rule->fault);
  }
  if (!good) {
    rule_free(rule);
    return NULL;
  }
  return rule;
}

static GPtrArray *read_rules(const char *path, GError **error)
{
  g_autofree char *text = NULL;
  if (!g_file_get_contents(path, &text, NULL, error)) {
    return NULL;
  }
  g_autoptr(GPtrArray) rules = g_ptr_array_new_with_free_func(rule_free);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  for (guint i = 0; lines[i]; i++) {
    const char *line = g_strstrip(lines[i]);
    if (!line[0] || line[0] == '#') {
      continue;
    }
    Rule *rule = parse_line(line);
    if (!rule) {
      g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s:%u: not a fault rule: %s", path,
                  i + 1, line);
      return NULL;
    }
    g_ptr_array_add(rules, rule);
  }
  return g_steal_pointer(&rules);
}

Faults *faults_new(const char *path, GError **error)
{
  GPtrArray *rules = read_rules(path, error);
  if (!rules) {
    return NULL;
  }
  Faults *faults = g_new0(Faults, 1);
  pthread_mutex_init(&faults->lock, NULL);
  faults->path = g_strdup(path);
  faults->rules = rules;
  return faults;
}

void faults_free(Faults *faults)
{
  if (!faults) {
    return;
  }
  g_ptr_array_unref(faults->rules);
  g_free(faults->path);
  pthread_mutex_destroy(&faults->lock);
  g_free(faults);
}

gboolean faults_reload(Faults *faults, GError **error)
{
  GPtrArray *rules = read_rules(faults->path, error);
  if (!rules) {
    return FALSE;
  }
  pthread_mutex_lock(&faults->lock);
  g_ptr_array_unref(faults->rules);
  faults->rules = rules;
  pthread_mutex_unlock(&faults->lock);
  return TRUE;
}

static gboolean due(Rule *rule)
{
  guint64 seen = ++rule->seen;
  switch (rule->when) {
  case WHEN_NTH:
    return seen == rule->number;
  case WHEN_TIMES:
    return seen <= rule->number;
  case WHEN_AFTER:
    return seen > rule->number;
  case WHEN_ALWAYS:
    break;
  }
  return TRUE;
}

Fault *faults_match(Faults *faults, const char *method, const char *decoded_path)
{
  Fault *found = NULL;
  pthread_mutex_lock(&faults->lock);
  for (guint i = 0; i < faults->rules->len && !found; i++) {
    Rule *rule = faults->rules->pdata[i];
    if ((strcmp(rule->method, "*") == 0 || g_ascii_strcasecmp(rule->method, method) == 0) &&
        fnmatch(rule->glob, decoded_path, 0) == 0 && due(rule)) {
      found = g_new(Fault, 1);
      *found = rule->fault;
      found->text = g_strdup(rule->fault.text);
      found->type = g_strdup(rule->fault.type);
      found->body_file = g_strdup(rule->fault.body_file);
    }
  }
  pthread_mutex_unlock(&faults->lock);
  return found;
}

void fault_free(Fault *fault)
{
  if (fault) {
    fault_clear(fault);
    g_free(fault);
  }
}

gboolean fault_reply(const Fault *fault, Reply *reply)
{
  if (!fault->status && !fault->body_file) {
    return FALSE;
  }
  g_autofree char *text = NULL;
  gsize len = 0;
  if (fault->body_file && !g_file_get_contents(fault->body_file, &text, &len, NULL)) {
    reply_text(reply, 500, "text/plain", "the fault's body-file cannot be read");
    return TRUE;
  }
  reply_text(reply, fault->status ? fault->status : 200, fault->type ? fault->type : "text/html",
             "");
  g_string_append_len(reply->text,
                      text          ? text
                      : fault->text ? fault->text
                                    : "",
                      (gssize)(text          ? len
                               : fault->text ? strlen(fault->text)
                                             : 0));
  if (fault->retry_after >= 0) {
    reply_headerf(reply, "Retry-After", "%d", fault->retry_after);
  }
  return TRUE;
}
