/* SPDX-License-Identifier: Apache-2.0 */
/* The list of users, Basic, and what refuses a request before or after the sign-in. */
#include "auth.h"

#include "forms.h"

#include <pthread.h>
#include <string.h>

struct Auth {
  pthread_mutex_t lock; /* over users */
  GHashTable *users;    /* name -> password */
  Forms *forms;
};

Auth *auth_new(void)
{
  Auth *auth = g_new0(Auth, 1);
  auth->users = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  auth->forms = forms_new();
  pthread_mutex_init(&auth->lock, NULL);
  return auth;
}

void auth_free(Auth *auth)
{
  if (!auth) {
    return;
  }
  g_hash_table_unref(auth->users);
  forms_free(auth->forms);
  pthread_mutex_destroy(&auth->lock);
  g_free(auth);
}

Forms *auth_forms(Auth *auth)
{
  return auth->forms;
}

void auth_add_user(Auth *auth, const char *name, const char *password)
{
  pthread_mutex_lock(&auth->lock);
  /* Inserted twice, the name stays where it is: requests under way point to it. */
  g_hash_table_insert(auth->users, g_strdup(name), g_strdup(password));
  pthread_mutex_unlock(&auth->lock);
}

const char *auth_verified(Auth *auth, const char *login, const char *password)
{
  const char *slash = strrchr(login, '\\');
  g_autofree char *name = g_strdup(slash ? slash + 1 : login);
  char *at = strchr(name, '@');
  if (at) {
    *at = '\0';
  }
  gpointer key = NULL, value = NULL;
  pthread_mutex_lock(&auth->lock);
  gboolean good =
      g_hash_table_lookup_extended(auth->users, name, &key, &value) && strcmp(value, password) == 0;
  pthread_mutex_unlock(&auth->lock);
  return good ? key : NULL;
}

void auth_challenge(const Sim *sim, Reply *reply)
{
  gint64 offer = sim_switch(sim, SWITCH_OFFER);
  reply_text(reply, 401, NULL, "<html><body>Unauthorized</body></html>");
  if (!sim->auth || forms_used(sim)) {
    return;
  }
  if (offer & 1) {
    reply_header(reply, "WWW-Authenticate", "Negotiate");
  }
  if (offer & 2) {
    reply_header(reply, "WWW-Authenticate", "NTLM");
  }
  if (!(offer & 4)) {
    reply_header(reply, "WWW-Authenticate", "Basic realm=\"exchange-sim\"");
  }
}

static gboolean basic(Sim *sim, Request *request, Reply *reply)
{
  const char *header = request_header(request, "authorization");
  gboolean refused = (sim_switch(sim, SWITCH_OFFER) & 4) != 0;
  if (!refused && header && g_ascii_strncasecmp(header, "Basic ", 6) == 0) {
    gsize len;
    g_autofree guchar *raw = g_base64_decode(header + 6, &len);
    g_autofree char *text = g_strndup((const char *)raw, len);
    char *colon = strchr(text, ':');
    if (colon) {
      *colon = '\0';
      request->user = auth_verified(sim->auth, text, colon + 1);
    }
  }
  if (request->user && sim_switch(sim, SWITCH_LOCKED)) {
    reply_text(reply, 403, NULL, "<html><body>The account is locked.</body></html>");
    return FALSE;
  }
  if (request->user) {
    return TRUE;
  }
  auth_challenge(sim, reply);
  if (sim_exchange(sim)) {
    reply_header(reply, "MS-WebStorage",
                 sim_switch(sim, SWITCH_OWA2007) ? "08.01.10240" : "6.5.7226");
  }
  return FALSE;
}

gboolean auth_check(Sim *sim, Request *request, Reply *reply)
{
  if (sim_switch(sim, SWITCH_NEED_SSL) && !request_is_https(request)) {
    reply_text(reply, 403, NULL,
               "<html><body><h2>HTTP Error 403.4 - Forbidden: SSL is required to view this "
               "resource.</h2></body></html>");
    return FALSE;
  }
  if (!sim->auth) {
    return TRUE;
  }
  return forms_used(sim) ? forms_check(sim, request, reply) : basic(sim, request, reply);
}

void auth_forbid(Sim *sim, const Request *request, Reply *reply)
{
  gint64 how = sim->auth && forms_used(sim) ? sim_switch(sim, SWITCH_FORBIDDEN_440) : 0;
  if (how) {
    forms_login_timeout(sim, request, how == 1, reply);
  } else {
    auth_challenge(sim, reply);
  }
}
