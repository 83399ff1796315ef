/* SPDX-License-Identifier: Apache-2.0 */
/* Sign-in: the list of users, Basic, and the sessions of the forms page. */
#include "auth.h"

#include "dav_url.h"

#include <pthread.h>
#include <string.h>

typedef struct {
  char *user;
  gint64 used; /* monotonic, microseconds */
} Session;

struct Auth {
  GHashTable *users;    /* name -> password */
  pthread_mutex_t lock; /* over sessions */
  GHashTable *sessions; /* id -> Session */
  guint64 next;
};

static void session_free(gpointer data)
{
  Session *session = data;
  g_free(session->user);
  g_free(session);
}

Auth *auth_new(void)
{
  Auth *auth = g_new0(Auth, 1);
  auth->users = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  auth->sessions = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, session_free);
  pthread_mutex_init(&auth->lock, NULL);
  return auth;
}

void auth_free(Auth *auth)
{
  if (!auth) {
    return;
  }
  g_hash_table_unref(auth->users);
  g_hash_table_unref(auth->sessions);
  pthread_mutex_destroy(&auth->lock);
  g_free(auth);
}

void auth_add_user(Auth *auth, const char *name, const char *password)
{
  g_hash_table_insert(auth->users, g_strdup(name), g_strdup(password));
}

/* The user of "name", "DOMAIN\name" or "name@domain", if the password is theirs. */
static const char *verified(const Auth *auth, const char *login, const char *password)
{
  const char *slash = strrchr(login, '\\');
  g_autofree char *name = g_strdup(slash ? slash + 1 : login);
  char *at = strchr(name, '@');
  if (at) {
    *at = '\0';
  }
  gpointer key, value;
  if (!g_hash_table_lookup_extended(auth->users, name, &key, &value) ||
      strcmp(value, password) != 0) {
    return NULL;
  }
  return key;
}

static gboolean basic(Sim *sim, Request *request, Reply *reply)
{
  const char *header = request_header(request, "authorization");
  if (header && g_ascii_strncasecmp(header, "Basic ", 6) == 0) {
    gsize len;
    g_autofree guchar *raw = g_base64_decode(header + 6, &len);
    g_autofree char *text = g_strndup((const char *)raw, len);
    char *colon = strchr(text, ':');
    if (colon) {
      *colon = '\0';
      request->user = verified(sim->auth, text, colon + 1);
    }
  }
  if (request->user) {
    return TRUE;
  }
  reply_text(reply, 401, NULL, "<html><body>Unauthorized</body></html>");
  reply_header(reply, "WWW-Authenticate", "Basic realm=\"exchange-sim\"");
  if (sim_exchange(sim)) {
    reply_header(reply, "MS-WebStorage",
                 sim_switch(sim, SWITCH_OWA2007) ? "08.01.10240" : "6.5.7226");
  }
  return FALSE;
}

static const char *logon_path(const Sim *sim)
{
  return sim_switch(sim, SWITCH_OWA2007) ? "/owa/auth/logon.aspx"
                                         : "/exchweb/bin/auth/owalogon.asp";
}

static const char *post_path(const Sim *sim)
{
  return sim_switch(sim, SWITCH_OWA2007) ? "/owa/auth/owaauth.dll"
                                         : "/exchweb/bin/auth/owaauth.dll";
}

static void redirect_to_logon(const Sim *sim, const Request *request, int reason, Reply *reply)
{
  g_autoptr(GString) url = g_string_new(NULL);
  request_append_origin(sim, request, url);
  g_autofree char *wanted = g_strconcat(url->str, "/exchange/", NULL);
  g_autofree char *escaped = g_uri_escape_string(wanted, NULL, FALSE);
  g_string_append_printf(url, "%s?url=%s&reason=%d", logon_path(sim), escaped, reason);
  reply_header(reply, "Location", url->str);
  reply_status(reply, 302);
}

static void logon_page(const Sim *sim, const Request *request, Reply *reply)
{
  g_autoptr(GString) origin = g_string_new(NULL);
  request_append_origin(sim, request, origin);
  g_autofree char *page = g_strdup_printf(
      "<html><body><form action=\"%s\" method=\"POST\" name=\"logonForm\">"
      "<input type=\"hidden\" name=\"destination\" value=\"%s/exchange/\">"
      "<input type=\"hidden\" name=\"flags\" value=\"0\">%s"
      "<input type=\"radio\" name=\"trusted\" value=\"4\"><input type=\"text\" name=\"username\">"
      "<input type=\"password\" name=\"password\"><input type=\"submit\" name=\"SubmitCreds\" "
      "value=\"Log On\"></form></body></html>",
      post_path(sim), origin->str,
      sim_switch(sim, SWITCH_OWA2007)
          ? "<input type=\"hidden\" name=\"forcedownlevel\" value=\"0\">"
            "<input type=\"hidden\" name=\"isUtf8\" value=\"1\">"
          : "");
  reply_text(reply, 200, "text/html", page);
}

static char *form_field(const char *form, const char *name)
{
  g_auto(GStrv) pairs = g_strsplit(form, "&", 64);
  gsize len = strlen(name);
  for (guint i = 0; pairs[i]; i++) {
    if (strncmp(pairs[i], name, len) == 0 && pairs[i][len] == '=') {
      g_strdelimit(pairs[i], "+", ' ');
      return url_decode(pairs[i] + len + 1);
    }
  }
  return g_strdup("");
}

static void sign_in(Sim *sim, const Request *request, Reply *reply)
{
  gsize len;
  g_autofree char *form = request_text(request, 64 * 1024, &len);
  g_autofree char *login = form_field(form ? form : "", "username");
  g_autofree char *password = form_field(form ? form : "", "password");
  g_autofree char *destination = form_field(form ? form : "", "destination");
  const char *user = verified(sim->auth, login, password);
  if (!user) {
    redirect_to_logon(sim, request, 2, reply); /* quirk 17 */
    return;
  }
  Session *session = g_new0(Session, 1);
  session->user = g_strdup(user);
  session->used = g_get_monotonic_time();
  pthread_mutex_lock(&sim->auth->lock);
  char *id =
      g_strdup_printf("1f0c2d9e-7a44-4b1c-9d51-%012" G_GINT64_MODIFIER "x", ++sim->auth->next);
  g_autofree char *cookie = g_strdup(id);
  g_hash_table_insert(sim->auth->sessions, id, session);
  pthread_mutex_unlock(&sim->auth->lock);
  g_strdelimit(destination, "\r\n", ' ');
  reply_header(reply, "Location", destination);
  reply_headerf(reply, "Set-Cookie", "sessionid=%s,0x409; path=/", cookie);
  reply_headerf(reply, "Set-Cookie", "cadata=\"2,%s\"; HttpOnly; path=/", cookie);
  reply_status(reply, 302);
}

/* The session of a Cookie header, or NULL. A stale one is forgotten. */
static const char *session_user(Sim *sim, const char *cookies)
{
  const char *at = cookies ? strstr(cookies, "sessionid=") : NULL;
  if (!at) {
    return NULL;
  }
  at += strlen("sessionid=");
  g_autofree char *id = g_strndup(at, strcspn(at, ",; "));
  const char *user = NULL;
  gint64 now = g_get_monotonic_time();
  gint64 timeout = sim_switch(sim, SWITCH_FORMS_TIMEOUT) * G_USEC_PER_SEC;
  pthread_mutex_lock(&sim->auth->lock);
  Session *session = g_hash_table_lookup(sim->auth->sessions, id);
  if (session && timeout && now - session->used > timeout) {
    g_hash_table_remove(sim->auth->sessions, id);
    session = NULL;
  }
  if (session) {
    session->used = now;
    gpointer key = NULL;
    g_hash_table_lookup_extended(sim->auth->users, session->user, &key, NULL);
    user = key;
  }
  pthread_mutex_unlock(&sim->auth->lock);
  return user;
}

static void login_timeout(Reply *reply)
{
  static const char past[] = "path=/; expires=Thu, 01-Jan-1970 00:00:00 GMT";
  reply_text(reply, 440, NULL, "<html><body>Login timeout</body></html>");
  reply_headerf(reply, "Set-Cookie", "sessionid=; %s", past);
  reply_headerf(reply, "Set-Cookie", "cadata=; %s", past);
  reply->close = TRUE; /* quirk 15 */
}

static gboolean forms(Sim *sim, Request *request, Reply *reply)
{
  gboolean get = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
  gboolean translate = request_header_is(request, "translate", "f");
  if (g_ascii_strcasecmp(request->path, post_path(sim)) == 0 &&
      strcmp(request->method, "POST") == 0) {
    sign_in(sim, request, reply);
    return FALSE;
  }
  if (get && g_ascii_strcasecmp(request->path, logon_path(sim)) == 0) {
    if (translate) {
      reply_status(reply, 403);
    } else {
      logon_page(sim, request, reply);
    }
    return FALSE;
  }
  request->user = session_user(sim, request_header(request, "cookie"));
  if (request->user) {
    return TRUE;
  }
  if (get && !translate) {
    redirect_to_logon(sim, request, 0, reply);
  } else {
    login_timeout(reply);
  }
  return FALSE;
}

gboolean auth_check(Sim *sim, Request *request, Reply *reply)
{
  if (!sim->auth) {
    return TRUE;
  }
  return sim_switch(sim, SWITCH_FORMS) ? forms(sim, request, reply) : basic(sim, request, reply);
}
