/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what each scheme needs and puts on a request; leaves when and how often to session.c. What
 * is secret is built in memory that is wiped.
 */
#include "net/session_private.h"

#include "base/error.h"
#include "base/rule.h"
#include "net/response.h"

#include <errno.h>
#include <string.h>

static Secret *password_ref(Session *session)
{
  g_mutex_lock(&session->lock);
  Secret *password = session->password ? secret_ref(session->password) : NULL;
  g_mutex_unlock(&session->lock);
  return password;
}

/*
 * A source that fails is a sign-in that fails, whatever it was: ENOENT from a password file that is
 * gone must not reach a program that asked for another file.
 */
static void no_secret(const GError *why, GError **error)
{
  int code = error_errno(why);
  gboolean waited = code == EINTR || code == ETIMEDOUT;
  error_set(error, waited || !RULE("session-no-secret") ? code : EACCES, SCOPE_SIGN_IN, "%s",
            why ? why->message : "there is no password");
}

/* The same for a request: it may have been refused a moment ago. */
static Secret *password_for(Session *session, GError **error)
{
  Secret *password = password_ref(session);
  if (!password)
    error_set(error, EACCES, SCOPE_SIGN_IN, "%s refused the password of %s: try again later",
              session->origin, session->user);
  return password;
}

static gboolean fetch_password(Session *session, HttpClient *client, const HttpRequest *request,
                               const HttpResponse *asked, GError **error)
{
  (void)client, (void)request, (void)asked;
  if (!session->user)
    return error_set(
        error, EACCES, SCOPE_SIGN_IN,
        "%s wants a user name and a password: give user= and passwd_file=", session->origin);
  g_autoptr(Secret) known = password_ref(session);
  if (known)
    return TRUE;
  g_autoptr(GError) why = NULL;
  Secret *password = session->credentials.password
                         ? session->credentials.password(session->credentials.data, &why)
                         : secret_new("", 0);
  if (!password)
    no_secret(why, error);
  g_mutex_lock(&session->lock);
  session->password = password;
  g_mutex_unlock(&session->lock);
  return password != NULL;
}

static gboolean fetch_token(Session *session, HttpClient *client, const HttpRequest *request,
                            const HttpResponse *asked, GError **error)
{
  (void)client, (void)request, (void)asked;
  if (!session->credentials.token)
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "no token for %s: give token_cmd=, or leave sec=bearer out", session->origin);
  g_autoptr(GError) why = NULL;
  Secret *token = session->credentials.token(session->credentials.data, &why);
  if (!token) {
    no_secret(why, error);
    return FALSE;
  }
  g_mutex_lock(&session->lock); /* fill_bearer() reads it on other threads */
  secret_free(session->token);
  session->token = token;
  g_mutex_unlock(&session->lock);
  return TRUE;
}

/*
 * Cookies come for a wrong password too (quirk 17), and what they are fetched for may be forbidden,
 * which looks the same and ends the session (quirk 15). A path that was open before tells.
 */
static gboolean prove_cookies(Session *session, HttpClient *client, const HttpRequest *request,
                              GError **error)
{
  static const char *const headers[] = {"Translate: f", NULL};
  g_mutex_lock(&session->lock);
  const char *path = session->good_path;
  g_mutex_unlock(&session->lock);
  const HttpRequest look = {.method = "HEAD",
                            .path = path,
                            .headers = headers,
                            .origin = request->origin,
                            .anonymous = TRUE,
                            .cancel = request->cancel,
                            .deadline = request->deadline};
  g_autoptr(HttpResponse) response = NULL;
  if (!path || !RULE("forms-prove"))
    return TRUE;
  if (!http_perform(client, &look, &response, error))
    return FALSE;
  return !session->forms->is_logon(response) ||
         error_set(
             error, EACCES, SCOPE_SIGN_IN,
             "%s refused the user name or the password of %s: check that both are still right",
             session->origin, session->user);
}

static gboolean fetch_cookies(Session *session, HttpClient *client, const HttpRequest *request,
                              const HttpResponse *asked, GError **error)
{
  if (!fetch_password(session, client, request, asked, error))
    return FALSE;
  g_mutex_lock(&session->lock);
  cookies_free(session->cookies);
  session->cookies = cookies_new();
  g_mutex_unlock(&session->lock);
  HttpRequest here = *request;
  here.origin = session->origin; /* another server of the store may be the one in use */
  g_autoptr(Secret) password = password_for(session, error);
  return password &&
         session->forms->sign_in(client, &here, asked, session->user, password, error) &&
         prove_cookies(session, client, &here, error);
}

static gboolean fill_basic(Session *session, const HttpRequest *request, Grant *out, GError **error)
{
  static const char head[] = "Authorization: Basic ";
  g_autoptr(Secret) password = password_for(session, error);
  if (!password)
    return FALSE;
  const char *parts[] = {session->user, ":", secret_peek(password)};
  gsize size = sizeof head + (strlen(parts[0]) + 1 + strlen(parts[2])) * 4 / 3 + 16;
  gsize len = strlen(head);
  gint state = 0, save = 0;
  (void)request;
  out->line = g_malloc0(size);
  memcpy(out->line, head, len);
  for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
    len += g_base64_encode_step((const guchar *)parts[i], strlen(parts[i]), FALSE, out->line + len,
                                &state, &save);
  g_base64_encode_close(FALSE, out->line + len, &state, &save);
  return TRUE;
}

static gboolean fill_ntlm(Session *session, const HttpRequest *request, Grant *out, GError **error)
{
  (void)request;
  out->user = session->user;
  out->password = password_for(session, error);
  return out->password != NULL;
}

gboolean session_unwanted(Session *session, const Grant *grant, const HttpResponse *response)
{
  NtlmTurn turn = response_ntlm(response);
  int status = http_response_status(response);
  if (turn == NTLM_ASKED || status >= 500 || !RULE("ntlm-unwanted"))
    return FALSE;
  g_mutex_lock(&session->lock);
  gboolean now = grant->generation == session->generation && session->scheme == HTTP_AUTH_NTLM;
  if (now) {
    session->generation++;
    session->scheme = 0;
    session->open = TRUE;
  }
  g_mutex_unlock(&session->lock);
  return now && turn == NTLM_UNASKED_HOLLOW && status >= 300;
}

static gboolean fill_negotiate(Session *session, const HttpRequest *request, Grant *out,
                               GError **error)
{
  out->line = negotiate_line(session->negotiate, request->cancel, request->deadline, error);
  return out->line != NULL;
}

static gboolean fill_bearer(Session *session, const HttpRequest *request, Grant *out,
                            GError **error)
{
  static const char head[] = "Authorization: Bearer ";
  (void)request, (void)error;
  g_mutex_lock(&session->lock);
  const char *token = secret_peek(session->token);
  gsize size = sizeof head + strlen(token);
  out->line = g_malloc(size); /* no printf: it would leave a copy behind */
  memcpy(out->line, head, sizeof head);
  g_strlcat(out->line, token, size);
  g_mutex_unlock(&session->lock);
  return TRUE;
}

#define CHECK_BOTH                                                                                 \
  "check both (an Exchange server may want DOMAIN\\user), and that this user has a right to the "  \
  "mailbox"

static const Way ways[] = {
    {HTTP_AUTH_BASIC, fetch_password, fill_basic, "refused the user name or the password",
     CHECK_BOTH},
    {HTTP_AUTH_NTLM, fetch_password, fill_ntlm, "refused the user name or the password",
     CHECK_BOTH},
    {HTTP_AUTH_FORMS, fetch_cookies, NULL, "refused the user name or the password", CHECK_BOTH},
    {HTTP_AUTH_NEGOTIATE, NULL, fill_negotiate, "refused the Kerberos ticket",
     "check that it is for this realm, that the clocks agree, and that its owner has a right to "
     "the mailbox"},
    {HTTP_AUTH_BEARER, fetch_token, fill_bearer, "refused the token",
     "check what token_cmd= prints"},
};

const Way *way_find(HttpAuth scheme)
{
  for (gsize i = 0; i < G_N_ELEMENTS(ways); i++)
    if (ways[i].scheme == scheme)
      return &ways[i];
  g_assert_not_reached();
}
