/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions, their cookies and their end. The page and the answer to it are in forms_page.c. */
#include "forms_private.h"

#include <pthread.h>
#include <string.h>

#define SESSION_HEAD "1f0c2d9e-7a44-4b1c-9d51-"
#define DATA_HEAD "\"2,q83vEjRWeJCrze8B"
#define DATA_TAIL "==\""
#define ID_LEN 12u
#define ISA_COOKIE "cadataF1A5E2D0"

typedef struct {
  char *user;
  gboolean trusted; /* a private computer: the long timeout */
  gint64 used;      /* microseconds of the clock below */
  guint64 issued;   /* how often cadata was renewed */
} Session;

struct Forms {
  pthread_mutex_t lock; /* over all below */
  GHashTable *sessions; /* id -> Session */
  guint64 next;
  gint64 ahead; /* microseconds before the real clock */
};

static void session_free(gpointer data)
{
  Session *session = data;
  g_free(session->user);
  g_free(session);
}

Forms *forms_new(void)
{
  Forms *forms = g_new0(Forms, 1);
  forms->sessions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, session_free);
  pthread_mutex_init(&forms->lock, NULL);
  return forms;
}

void forms_free(Forms *forms)
{
  g_hash_table_unref(forms->sessions);
  pthread_mutex_destroy(&forms->lock);
  g_free(forms);
}

void forms_expire(Forms *forms)
{
  pthread_mutex_lock(&forms->lock);
  g_hash_table_remove_all(forms->sessions);
  pthread_mutex_unlock(&forms->lock);
}

void forms_advance(Forms *forms, gint64 seconds)
{
  pthread_mutex_lock(&forms->lock);
  forms->ahead += seconds * G_USEC_PER_SEC;
  pthread_mutex_unlock(&forms->lock);
}

gboolean forms_used(const Sim *sim)
{
  return sim_switch(sim, SWITCH_FORMS) || sim_switch(sim, SWITCH_ISA);
}

/* The value of a cookie, or NULL; free with g_free. */
static char *cookie(const Request *request, const char *name)
{
  const char *header = request_header(request, "cookie");
  g_auto(GStrv) pairs = g_strsplit(header ? header : "", ";", 64);
  gsize len = strlen(name);
  char *value = NULL;
  for (guint i = 0; pairs[i]; i++) {
    const char *pair = g_strstrip(pairs[i]);
    if (strncmp(pair, name, len) == 0 && pair[len] == '=') {
      g_free(value);
      value = g_strdup(pair + len + 1);
    }
  }
  return value;
}

/* The session id that the cookies name, and how often cadata had been renewed; or NULL. Both
 * cookies must be there, the quotes of cadata too (3.3). */
static char *named_session(const Sim *sim, const Request *request, guint64 *ret_serial)
{
  gboolean isa = sim_switch(sim, SWITCH_ISA) != 0;
  g_autofree char *data = cookie(request, isa ? ISA_COOKIE : "cadata");
  g_autofree char *session = isa ? NULL : cookie(request, "sessionid");
  gsize head = strlen(DATA_HEAD);
  if (!data || !g_str_has_prefix(data, DATA_HEAD) || !g_str_has_suffix(data, DATA_TAIL) ||
      strlen(data) < head + ID_LEN + 1) {
    return NULL;
  }
  g_autofree char *id = g_strndup(data + head, ID_LEN);
  g_autofree char *expected = g_strconcat(SESSION_HEAD, id, ",0x409", NULL);
  if (!isa && g_strcmp0(session, expected) != 0) {
    return NULL;
  }
  *ret_serial = g_ascii_strtoull(data + head + ID_LEN + 1, NULL, 16);
  return g_steal_pointer(&id);
}

static void set_data(const Sim *sim, const Request *request, const char *id, guint64 serial,
                     Reply *reply)
{
  reply_headerf(reply, "Set-Cookie",
                "%s=" DATA_HEAD "%s.%" G_GINT64_MODIFIER "x" DATA_TAIL "; HttpOnly;%s path=/",
                sim_switch(sim, SWITCH_ISA) ? ISA_COOKIE : "cadata", id, serial,
                request_is_https(request) ? " secure;" : "");
}

void forms_begin(Sim *sim, const Request *request, const char *user, gboolean trusted, Reply *reply)
{
  Forms *forms = auth_forms(sim->auth);
  Session *session = g_new0(Session, 1);
  session->user = g_strdup(user);
  session->trusted = trusted;
  pthread_mutex_lock(&forms->lock);
  g_autofree char *id = g_strdup_printf("%012" G_GINT64_MODIFIER "x", ++forms->next);
  session->used = g_get_monotonic_time() + forms->ahead;
  g_hash_table_insert(forms->sessions, g_strdup(id), session);
  pthread_mutex_unlock(&forms->lock);
  forms_set_cookies(sim, request, id, reply);
}

void forms_set_cookies(const Sim *sim, const Request *request, const char *id, Reply *reply)
{
  if (!sim_switch(sim, SWITCH_ISA)) {
    reply_headerf(reply, "Set-Cookie", "sessionid=" SESSION_HEAD "%s,0x409; path=/", id);
  }
  set_data(sim, request, id, 0, reply);
}

static gboolean is_stale(const Sim *sim, const Session *session, guint64 serial, gint64 now)
{
  gint64 timeout =
      sim_switch(sim, session->trusted ? SWITCH_PRIVATE_TIMEOUT : SWITCH_PUBLIC_TIMEOUT);
  guint64 behind = (guint64)sim_switch(sim, SWITCH_RENEW);
  return (timeout && now - session->used > timeout * G_USEC_PER_SEC) ||
         (behind && serial + behind < session->issued);
}

/* The user of a request's session, or NULL. A stale one is forgotten. */
static const char *session_user(Sim *sim, const Request *request, Reply *reply)
{
  Forms *forms = auth_forms(sim->auth);
  guint64 serial = 0, issued = 0;
  g_autofree char *id = named_session(sim, request, &serial);
  if (!id) {
    return NULL;
  }
  const char *user = NULL;
  pthread_mutex_lock(&forms->lock);
  gint64 now = g_get_monotonic_time() + forms->ahead;
  Session *session = g_hash_table_lookup(forms->sessions, id);
  if (session && is_stale(sim, session, serial, now)) {
    g_hash_table_remove(forms->sessions, id);
  } else if (session) {
    session->used = now;
    issued = sim_switch(sim, SWITCH_RENEW) ? ++session->issued : 0;
    user = g_intern_string(session->user); /* the session may end while the request runs */
  }
  pthread_mutex_unlock(&forms->lock);
  if (issued) {
    set_data(sim, request, id, issued, reply);
  }
  return user;
}

static void cancel_session(Sim *sim, const Request *request)
{
  Forms *forms = auth_forms(sim->auth);
  guint64 serial;
  g_autofree char *id = named_session(sim, request, &serial);
  pthread_mutex_lock(&forms->lock);
  if (id) {
    g_hash_table_remove(forms->sessions, id);
  }
  pthread_mutex_unlock(&forms->lock);
}

void forms_login_timeout(Sim *sim, const Request *request, gboolean cancel, Reply *reply)
{
  static const char past[] = "path=/; expires=Thu, 01-Jan-1970 00:00:00 GMT";
  reply_text(reply, 440, NULL, "<html><body>Login timeout</body></html>");
  reply->close = TRUE;
  if (cancel) {
    cancel_session(sim, request);
    reply_headerf(reply, "Set-Cookie", "sessionid=; %s", past);
    reply_headerf(reply, "Set-Cookie", "cadata=; %s", past);
  }
}

gboolean forms_check(Sim *sim, Request *request, Reply *reply)
{
  gboolean get = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
  gboolean translate = request_header_is(request, "translate", "f");
  if (forms_answer(sim, request, reply)) {
    return FALSE;
  }
  request->user = session_user(sim, request, reply);
  if (request->user) {
    return TRUE;
  }
  if (sim_switch(sim, SWITCH_ISA) || (get && !translate)) {
    forms_redirect(sim, request, 0, reply);
  } else {
    forms_login_timeout(sim, request, TRUE, reply);
  }
  return FALSE;
}
