/* SPDX-License-Identifier: Apache-2.0 */
/* Counters per method, the control resource and the access log. */
#include "control.h"

#include "access.h"
#include "forms.h"
#include "value.h"

#include <pthread.h>
#include <string.h>

typedef struct {
  guint64 count, bytes_in, bytes_out;
} Counter;

#define LOG_MAX 256        /* requests */
#define LOG_BODY_MAX 16384 /* bytes of a body shown */

struct Control {
  pthread_mutex_t lock;
  GQueue log;          /* char*, oldest first */
  GHashTable *methods; /* interned name -> Counter */
};

Control *control_new(void)
{
  Control *control = g_new0(Control, 1);
  pthread_mutex_init(&control->lock, NULL);
  control->methods = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
  return control;
}

void control_free(Control *control)
{
  g_queue_clear_full(&control->log, g_free);
  g_hash_table_unref(control->methods);
  pthread_mutex_destroy(&control->lock);
  g_free(control);
}

static char *requests_text(Control *control)
{
  GString *out = g_string_new(NULL);
  pthread_mutex_lock(&control->lock);
  g_autoptr(GList) names = g_hash_table_get_keys(control->methods);
  names = g_list_sort(names, (GCompareFunc)strcmp);
  for (const GList *at = names; at; at = at->next) {
    const Counter *counter = g_hash_table_lookup(control->methods, at->data);
    g_string_append_printf(
        out, "%s %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n",
        (const char *)at->data, counter->count, counter->bytes_in, counter->bytes_out);
  }
  pthread_mutex_unlock(&control->lock);
  return g_string_free(out, FALSE);
}

static char *log_text(Control *control)
{
  GString *out = g_string_new(NULL);
  pthread_mutex_lock(&control->lock);
  for (const GList *at = control->log.head; at; at = at->next) {
    g_string_append(out, at->data);
  }
  pthread_mutex_unlock(&control->lock);
  return g_string_free(out, FALSE);
}

/* "METHOD path status", a line per header, an empty line, the body if it is short text, and a line
 * of dashes. Credentials are left out. */
static char *log_entry(const Request *request, int status)
{
  GString *out = g_string_new(NULL);
  g_autofree char *path = url_decode(request->path);
  const char *type = request_header(request, "content-type");
  g_string_append_printf(out, "%s %s %d\n", request->method, path, status);
  g_autoptr(GList) names = g_hash_table_get_keys(request->headers);
  names = g_list_sort(names, (GCompareFunc)strcmp);
  for (const GList *at = names; at; at = at->next) {
    gboolean secret = strcmp(at->data, "authorization") == 0 || strcmp(at->data, "cookie") == 0;
    g_string_append_printf(out, "%s: %s\n", (const char *)at->data,
                           secret ? "(not shown)" : request_header(request, at->data));
  }
  gsize len;
  g_autofree char *body = request->body ? request_text(request, LOG_BODY_MAX, &len) : NULL;
  g_string_append_c(out, '\n');
  if (type && strstr(type, "form-urlencoded")) {
    g_clear_pointer(&body, g_free); /* a password */
  }
  if (body && g_utf8_validate(body, (gssize)len, NULL)) {
    g_string_append(out, body);
  }
  g_string_append(out, "\n----\n");
  return g_string_free(out, FALSE);
}

/* What a test orders about users and sessions. NULL: it is something else, or makes no sense. */
static char *order(Sim *sim, const char *what, const Request *request)
{
  gsize len;
  g_autofree char *text = request_text(request, LOG_BODY_MAX, &len);
  char *colon = text ? strchr(text, ':') : NULL;
  gboolean good = FALSE;
  if (strcmp(what, "access") == 0) {
    good = sim->access && text && access_add(sim->access, text);
  } else if (!sim->auth) {
    return NULL;
  } else if (strcmp(what, "expire") == 0) {
    forms_expire(auth_forms(sim->auth));
    good = TRUE;
  } else if (strcmp(what, "advance") == 0 && text) {
    forms_advance(auth_forms(sim->auth), g_ascii_strtoll(text, NULL, 10));
    good = TRUE;
  } else if (strcmp(what, "password") == 0 && colon) {
    *colon = '\0';
    auth_add_user(sim->auth, text, colon + 1);
    good = TRUE;
  }
  return good ? g_strdup("") : NULL;
}

gboolean control_handle(Control *control, Sim *sim, const Request *request, Reply *reply)
{
  if (!g_str_has_prefix(request->path, "/.sim/")) {
    return FALSE;
  }
  const char *what = request->path + strlen("/.sim/");
  g_autofree char *text = NULL;
  if (strcmp(what, "mutations") == 0) {
    text = model_mutations(sim->model);
  } else if (strcmp(what, "requests") == 0) {
    text = requests_text(control);
  } else if (strcmp(what, "submissions") == 0) {
    text = g_strdup_printf("%" G_GUINT64_FORMAT "\n", model_submissions(sim->model));
  } else if (strcmp(what, "log") == 0) {
    text = log_text(control);
  } else if (strcmp(what, "reset") == 0 && strcmp(request->method, "POST") == 0) {
    model_reset_record(sim->model);
    pthread_mutex_lock(&control->lock);
    g_hash_table_remove_all(control->methods);
    g_queue_clear_full(&control->log, g_free);
    pthread_mutex_unlock(&control->lock);
    text = g_strdup("");
  } else if (strcmp(request->method, "POST") == 0) {
    text = order(sim, what, request);
  }
  reply_text(reply, text ? 200 : 404, "text/plain; charset=utf-8", text ? text : "");
  return TRUE;
}

void control_count(Control *control, Sim *sim, const Request *request, int status, guint64 bytes_in,
                   guint64 bytes_out)
{
  char *entry = log_entry(request, status);
  pthread_mutex_lock(&control->lock);
  g_queue_push_tail(&control->log, entry);
  if (control->log.length > LOG_MAX) {
    g_free(g_queue_pop_head(&control->log));
  }
  Counter *counter = g_hash_table_lookup(control->methods, request->method);
  if (!counter) {
    counter = g_new0(Counter, 1);
    g_hash_table_insert(control->methods, (gpointer)request->method, counter);
  }
  counter->count++;
  counter->bytes_in += bytes_in;
  counter->bytes_out += bytes_out;
  pthread_mutex_unlock(&control->lock);
  if (sim->access_log) {
    g_autoptr(GString) now = g_string_new(NULL);
    value_append_iso(now, g_get_real_time() / 1000);
    fprintf(sim->access_log, "%s %s %s %d %" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT "\n", now->str,
            request->method, request->path, status, bytes_in, bytes_out);
    fflush(sim->access_log);
  }
}
