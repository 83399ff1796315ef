/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the state of a sign-in and what a challenge means; leaves the schemes to session_way.c, the
 * choice among them to auth.c, the logon page to the back-end.
 *
 * Session.lock is held for moments only; who signs in holds `busy` instead, and must not wait for
 * another request's end but its own.
 */
#include "net/session_private.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"
#include "net/auth.h"

#include <errno.h>
#include <string.h>

/* After a refusal nobody tries again for so long; a password four times as long with each: five
 * refusals within half an hour lock many an account. Tickets and tokens lock none. */
#define HOLD_MS 30000u
#define HOLD_FACTOR_BITS 2u
#define HOLD_BITS_MAX 7u /* about an hour */
#define ROUNDS_MAX 4u

static gboolean is_one(guint set)
{
  return set && !(set & (set - 1));
}

Session *session_new(const HttpOptions *options, const SessionPlace *place, GError **error)
{
  if (options->user && strchr(options->user, ':')) {
    error_set(error, EINVAL, SCOPE_SIGN_IN,
              "a user name with ':' cannot be sent: leave the ':' out");
    return NULL;
  }
  Session *session = g_new0(Session, 1);
  g_mutex_init(&session->lock);
  g_cond_init(&session->changed);
  session->origin = g_strdup(place->origin);
  session->user = g_strdup(options->user);
  session->allowed = options->schemes;
  session->hold_us = (gint64)(options->hold_ms ? options->hold_ms : HOLD_MS) * 1000;
  session->readable = place->readable;
  session->safe = !place->readable;
  session->credentials = options->credentials;
  session->cookies = cookies_new();
  if (options->password)
    session->password =
        secret_new(secret_peek(options->password), strlen(secret_peek(options->password)));
  if (session->allowed & HTTP_AUTH_NEGOTIATE)
    session->negotiate = negotiate_new(place->host, &options->kerberos);
  return session;
}

void session_free(Session *session)
{
  if (!session)
    return;
  negotiate_free(session->negotiate);
  cookies_free(session->cookies);
  secret_free(session->password);
  secret_free(session->token);
  g_clear_error(&session->refusal);
  g_free(session->good_path);
  g_free(session->origin);
  g_free(session->user);
  g_cond_clear(&session->changed);
  g_mutex_clear(&session->lock);
  g_free(session);
}

void session_set_forms(Session *session, const HttpForms *forms)
{
  session->forms = forms;
}

static void wipe_line(char **line)
{
  if (*line)
    secret_wipe(*line, strlen(*line));
  g_clear_pointer(line, g_free);
}

void grant_clear(Grant *grant)
{
  wipe_line(&grant->line);
  wipe_line(&grant->cookies);
  secret_free(grant->password);
  *grant = (Grant){0};
}

/* Called with the lock: whoever waits for this thread's turn to end may go on. */
static void end_turn(Session *session)
{
  if (session->busy != g_thread_self())
    return;
  session->busy = NULL;
  g_cond_broadcast(&session->changed);
}

/* Called with the lock: waits until nobody else signs in. */
static gboolean wait_turn(Session *session, const HttpRequest *request, GError **error)
{
  int result = 0;
  while (session->busy && session->busy != g_thread_self() && result == 0)
    result = cancel_wait(request->cancel, &session->changed, &session->lock, request->deadline);
  if (!session->busy || session->busy == g_thread_self())
    return TRUE;
  return error_set(error, result, SCOPE_LINE, "%s: the sign-in took too long: try again",
                   session->origin);
}

/* Called with the lock and nobody busy: FALSE while a refusal is fresh. */
static gboolean may_try(Session *session, GError **error)
{
  if (!session->refusal || g_get_monotonic_time() >= session->held_until || !RULE("session-hold"))
    return TRUE;
  if (error)
    *error = g_error_copy(session->refusal);
  return FALSE;
}

/*
 * Called with the lock: nobody asks the server again for a while, and then with what the source of
 * the password says by then. What was sent before and is answered late belongs to the past
 * generation. Answers a copy of ERROR, which is taken over.
 */
static GError *hold(Session *session, GError *error)
{
  session->generation++;
  session->scheme = 0;
  session->proven = FALSE;
  session->refused = 0; /* after the pause all of them count again */
  g_clear_error(&session->refusal);
  session->refusal = error;
  guint bits = RULE("session-lockout") ? session->holds * HOLD_FACTOR_BITS : 0;
  session->held_until = g_get_monotonic_time() + (session->hold_us << MIN(bits, HOLD_BITS_MAX));
  session->holds += session->password && session->holds < HOLD_BITS_MAX;
  if (session->credentials.password && RULE("session-ask-again"))
    g_clear_pointer(&session->password, secret_free);
  return g_error_copy(error);
}

/*
 * Called with the lock and nobody busy, lets go of it meanwhile: gets what SCHEME needs and makes
 * it the one in use.
 */
static gboolean adopt(Session *session, HttpAuth scheme, HttpClient *client,
                      const HttpRequest *request, const HttpResponse *asked, GError **error)
{
  const Way *way = way_find(scheme);
  g_autoptr(GError) why = NULL;
  session->busy = g_thread_self();
  g_mutex_unlock(&session->lock);
  gboolean good = !way->fetch || way->fetch(session, client, request, asked, &why);
  g_mutex_lock(&session->lock);
  session->busy = NULL;
  g_cond_broadcast(&session->changed);
  if (!good) {
    /* Without a password nothing was asked of the server. */
    gboolean refused = scheme == HTTP_AUTH_FORMS &&
                       (session->password || !RULE("session-no-password")) &&
                       error_errno(why) == EACCES;
    if (RULE("session-form-lost"))
      error_set_maybe_applied(why, FALSE); /* a form that was lost is not the request */
    g_propagate_error(error,
                      refused ? hold(session, g_steal_pointer(&why)) : g_steal_pointer(&why));
    return FALSE;
  }
  session->scheme = scheme;
  session->generation++;
  /* Cookies were tried on the good path. */
  session->proven = scheme == HTTP_AUTH_FORMS && session->good_path && RULE("forms-prove");
  g_clear_error(&session->refusal);
  return TRUE;
}

/* What there is to sign in with; *RET_NO_TICKET keeps the text alive. */
static AuthMeans find_means(const Session *session, GError **ret_no_ticket)
{
  AuthMeans means = {
      .user = session->user,
      .password = session->user && (session->password || session->credentials.password),
      .token = session->credentials.token != NULL,
      .readable = session->readable,
  };
  means.ticket = session->negotiate && negotiate_ready(session->negotiate, NULL, ret_no_ticket);
  means.no_ticket = *ret_no_ticket ? (*ret_no_ticket)->message : NULL;
  return means;
}

/*
 * Called with the lock and nobody busy, after a 401 to a request that was sent without a sign-in,
 * or with one that was refused.
 */
static gboolean choose(Session *session, HttpClient *client, const HttpRequest *request,
                       const HttpResponse *response, GError **error)
{
  g_autoptr(GError) no_ticket = NULL;
  guint offered = auth_offered(response);
  AuthMeans means = find_means(session, &no_ticket);
  HttpAuth scheme = auth_choose(offered, session->allowed & ~session->refused, &means);
  if (scheme) {
    g_autofree char *name = auth_names(scheme);
    log_debug("net", "%s: signing in by %s", session->origin, name);
    return adopt(session, scheme, client, request, response, error);
  }
  if (!session->refused) {
    g_propagate_error(error, auth_refusal(session->origin, offered, session->allowed, &means));
    return FALSE;
  }
  const Way *way = way_find(session->scheme);
  const char *challenge = http_response_header(response, "WWW-Authenticate");
  g_autofree char *why =
      session->negotiate && challenge ? negotiate_explain(session->negotiate, challenge) : NULL;
  g_autofree char *theirs = auth_names(offered), *tried = auth_names(session->refused);
  GError *said =
      offered && !(offered & session->refused) /* it never looked at what it was shown */
          ? auth_refusal(session->origin, offered, session->allowed, &means)
          : error_new(EACCES, SCOPE_SIGN_IN, "%s %s%s%s%s%s%s (it offers %s; tried: %s): %s",
                      session->origin, way->refused, session->user ? " of " : "",
                      session->user ? session->user : "", why ? " (" : "", why ? why : "",
                      why ? ")" : "", theirs, tried, way->step);
  g_propagate_error(error, hold(session, said));
  return FALSE;
}

/* Called with the lock and nobody busy: a HEAD in place of REQUEST, to see what is wanted. */
static gboolean discover(Session *session, HttpClient *client, const HttpRequest *request,
                         GError **error)
{
  static const char *const headers[] = {"Translate: f",
                                        NULL}; /* else Exchange shows its web page */
  const HttpRequest look = {.method = "HEAD",
                            .path = request->path,
                            .headers = headers,
                            .origin = RULE("session-own-server") ? session->origin : NULL,
                            .anonymous = TRUE,
                            .cancel = request->cancel,
                            .deadline = request->deadline};
  g_autoptr(HttpResponse) response = NULL;
  g_autoptr(GError) why = NULL;
  session->busy = g_thread_self();
  g_mutex_unlock(&session->lock);
  gboolean good = http_perform(client, &look, &response, &why);
  g_mutex_lock(&session->lock);
  session->busy = NULL;
  g_cond_broadcast(&session->changed);
  if (!good && error_errno(why) == EHOSTUNREACH)
    return TRUE; /* the request will find that out, and where else to go */
  if (!good) {
    g_propagate_error(error, g_steal_pointer(&why));
    return FALSE;
  }
  if (http_response_status(response) == 401)
    return choose(session, client, request, response, error);
  if (session_is_challenge(session, response) && (session->allowed & HTTP_AUTH_FORMS))
    return adopt(session, HTTP_AUTH_FORMS, client, request, response, error);
  session->open = TRUE;
  return TRUE;
}

/* Called with the lock, nobody busy. */
static gboolean find_scheme(Session *session, HttpClient *client, const HttpRequest *request,
                            GError **error)
{
  gboolean costly = request->changes || request->has_body_fd || request->body_size > 0;
  if (session->scheme || !session->allowed)
    return TRUE;
  if (is_one(session->allowed) && session->allowed != HTTP_AUTH_FORMS && !session->open)
    return adopt(session, (HttpAuth)session->allowed, client, request, NULL, error);
  if (costly && !session->open && RULE("session-foresee"))
    return discover(session, client, request, error);
  return TRUE;
}

gboolean session_grant(Session *session, HttpClient *client, const HttpRequest *request, Grant *out,
                       GError **error)
{
  g_mutex_lock(&session->lock);
  if (request->anonymous) {
    gboolean ours = session->busy == g_thread_self(), checks = ours && session->checks;
    if (ours)
      out->cookies = cookies_line(session->cookies); /* those of the sign-in under way */
    out->scheme = checks ? session->scheme : 0;
    g_mutex_unlock(&session->lock);
    return !checks || way_find(out->scheme)->fill(session, request, out, error);
  }
  gboolean good = wait_turn(session, request, error) && may_try(session, error) &&
                  find_scheme(session, client, request, error);
  out->generation = session->generation;
  out->scheme = session->scheme;
  if (good)
    out->cookies = cookies_line(session->cookies);
  else
    end_turn(session);
  g_mutex_unlock(&session->lock);

  const Way *way = good && out->scheme ? way_find(out->scheme) : NULL;
  if (way && way->fill)
    good = way->fill(session, request, out, error);
  return good;
}

gboolean session_is_challenge(const Session *session, const HttpResponse *response)
{
  return session->allowed && (http_response_status(response) == 401 ||
                              (session->forms && session->forms->is_logon(response)));
}

void session_accepted(Session *session, const Grant *grant, const HttpRequest *request,
                      const HttpResponse *response)
{
  g_mutex_lock(&session->lock);
  gboolean signing = request->anonymous && session->busy == g_thread_self();
  gboolean renews = !request->anonymous && grant->generation == session->generation;
  if (signing || (renews && RULE("session-renew")))
    cookies_learn(session->cookies, response, session->safe);
  if (!request->anonymous && grant->generation == session->generation) {
    session->open |= grant->scheme == 0;
    if (grant->scheme && !session->proven && http_response_status(response) < 500) {
      session->proven = session->good = TRUE;
      session->holds = 0;
      session->refused = 0;
      if (!session->good_path) /* the mount's root: asked first, and open as long as any */
        session->good_path = g_strdup(request->path);
    }
  }
  if (!request->anonymous)
    end_turn(session);
  g_mutex_unlock(&session->lock);
}

/*
 * Called with the lock and nobody busy, lets go of it meanwhile. An accepted credential met a 401:
 * has it run out (the password was changed), or is there just no right to this path? The path that
 * it once opened tells. NTLM has no line to ask with: the sign-in of a connection is the question.
 * Cookies go along with any look; a server that no longer knows forms answers them with 401.
 */
static gboolean has_run_out(Session *session, HttpClient *client, const HttpRequest *request,
                            const Grant *grant)
{
  const char *headers[] = {"Translate: f", grant->line, NULL};
  g_autofree char *path = g_strdup(session->good_path);
  gboolean checks = grant->scheme == HTTP_AUTH_NTLM && RULE("session-check-ntlm");
  gboolean cookies = grant->scheme == HTTP_AUTH_FORMS && RULE("session-forms-off");
  if (!(grant->line || checks || cookies) || !path || !RULE("session-run-out"))
    return FALSE;
  if (strcmp(path, request->path) == 0)
    return !request->changes;
  const HttpRequest look = {.method = "HEAD",
                            .path = path,
                            .headers = headers,
                            .origin = RULE("session-own-server") ? session->origin : NULL,
                            .anonymous = TRUE,
                            .cancel = request->cancel,
                            .deadline = request->deadline};
  g_autoptr(HttpResponse) response = NULL;
  if (RULE("session-one-looks"))
    session->busy = g_thread_self(); /* a wrong password counts at the server each time */
  session->checks = checks;
  g_mutex_unlock(&session->lock);
  gboolean asked = http_perform(client, &look, &response, NULL);
  g_mutex_lock(&session->lock);
  session->checks = FALSE;
  end_turn(session);
  return asked && http_response_status(response) == 401;
}

/* Called with the lock, nobody busy, GRANT is of this generation. */
static ChallengeEnd after_401(Session *session, HttpClient *client, const HttpRequest *request,
                              const Grant *grant, const HttpResponse *response, guint round,
                              GError **error)
{
  /* A token is renewed for a path without right too, so a new one may meet that first. */
  if (grant->scheme && (session->proven || (grant->scheme == HTTP_AUTH_BEARER && session->good &&
                                            RULE("session-token-right")))) {
    if (grant->scheme == HTTP_AUTH_BEARER && round == 0)
      return adopt(session, HTTP_AUTH_BEARER, client, request, response, error) ? CHALLENGE_AGAIN
                                                                                : CHALLENGE_ERROR;
    if (grant->scheme == HTTP_AUTH_NEGOTIATE)
      negotiate_refused(session->negotiate);
    /* A token of Kerberos is good for one request, an NTLM connection may have been closed. */
    if ((grant->scheme == HTTP_AUTH_NEGOTIATE || grant->scheme == HTTP_AUTH_NTLM) && round == 0)
      return CHALLENGE_AGAIN;
    if (grant->scheme == HTTP_AUTH_NEGOTIATE || !has_run_out(session, client, request, grant))
      return CHALLENGE_TAKE;
    if (grant->generation != session->generation)
      return CHALLENGE_AGAIN;
  }
  if (!grant->scheme && session->open && auth_offered(response) == 0)
    return CHALLENGE_TAKE; /* it lets anybody in, only not there */
  session->refused |= (guint)grant->scheme;
  return choose(session, client, request, response, error) ? CHALLENGE_AGAIN : CHALLENGE_ERROR;
}

/*
 * The same for 440 or a redirect to the logon page. Exchange says so for "forbidden" as well, and
 * ends the session with it, for all who use it (quirk 15). So a request is sent again with a new
 * session that nobody else has until the answer is there (ALONE): a second 440 is then meant for
 * this request. What takes long to send goes along with the others once, then alone too.
 */
static ChallengeEnd after_logon(Session *session, HttpClient *client, const HttpRequest *request,
                                const Grant *grant, const HttpResponse *response, guint round,
                                gboolean alone, GError **error)
{
  if (!(session->allowed & HTTP_AUTH_FORMS) || !session->user) {
    error_set(error, EACCES, SCOPE_SIGN_IN, "%s wants to be signed in to by a web form: %s",
              session->origin,
              session->user ? "leave sec= out, or write sec=forms"
              : session->allowed & HTTP_AUTH_FORMS
                  ? "give user= and passwd_file="
                  : "give user= and passwd_file=, and leave sec= out");
    return CHALLENGE_ERROR;
  }
  if (session->readable && RULE("net-plain-password")) {
    error_set(error, EACCES, SCOPE_SIGN_IN,
              "%s wants the password in a web form, where it would travel readable: use https, or "
              "allow it with the option insecure_basic",
              session->origin);
    return CHALLENGE_ERROR;
  }
  if (alone && RULE("session-forbidden"))
    return CHALLENGE_TAKE;
  if (grant->scheme == HTTP_AUTH_FORMS && !session->proven) {
    g_propagate_error(
        error, hold(session, error_new(EACCES, SCOPE_SIGN_IN,
                                       "%s ended the session of %s at once: check the user name "
                                       "and the password (it may want DOMAIN\\user), and that "
                                       "this user has a right to the mailbox",
                                       session->origin, session->user)));
    return CHALLENGE_ERROR;
  }
  g_autoptr(GError) why = NULL;
  if (!adopt(session, HTTP_AUTH_FORMS, client, request, response, &why)) {
    /* Signed in by other means, and no form anywhere: 440 was the server's way to say no. */
    if (grant->scheme && grant->scheme != HTTP_AUTH_FORMS && error_errno(why) == EPROTO)
      return CHALLENGE_TAKE;
    g_propagate_error(error, g_steal_pointer(&why));
    return CHALLENGE_ERROR;
  }
  if (session->proven && (round > 0 || !request->has_body_fd) && RULE("session-alone"))
    session->busy = g_thread_self();
  return CHALLENGE_AGAIN;
}

ChallengeEnd session_challenged(Session *session, HttpClient *client, const HttpRequest *request,
                                const Grant *grant, const HttpResponse *response, guint round,
                                GError **error)
{
  ChallengeEnd end = CHALLENGE_ERROR;
  g_mutex_lock(&session->lock);
  gboolean alone = session->busy == g_thread_self();
  gboolean unauthorized = http_response_status(response) == 401;
  end_turn(session);
  if (!wait_turn(session, request, error) || !may_try(session, error))
    end = CHALLENGE_ERROR;
  else if (round >= ROUNDS_MAX)
    end = CHALLENGE_TAKE;
  else if (grant->generation != session->generation && (round == 0 || unauthorized))
    end = CHALLENGE_AGAIN;
  else if (unauthorized)
    end = after_401(session, client, request, grant, response, round, error);
  else
    end = after_logon(session, client, request, grant, response, round, alone, error);
  g_mutex_unlock(&session->lock);
  return end;
}

void session_gave_up(Session *session)
{
  g_mutex_lock(&session->lock);
  end_turn(session);
  g_mutex_unlock(&session->lock);
}

void session_signed(Session *session, HttpAuth *ret_scheme, char **ret_as)
{
  char *as = NULL;
  g_mutex_lock(&session->lock);
  *ret_scheme = session->proven ? session->scheme : 0;
  g_mutex_unlock(&session->lock);
  if (*ret_scheme == HTTP_AUTH_NEGOTIATE)
    negotiate_ready(session->negotiate, &as, NULL);
  else if (*ret_scheme && *ret_scheme != HTTP_AUTH_BEARER)
    as = g_strdup(session->user);
  *ret_as = as;
}
