/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: signing in at one server: which scheme, with what, whether it held; again when
 * it ran out; never more often than a server that counts failures forgives. Any thread; one signs
 * in at a time, the others wait and use the result (protocol note WebDAV, section 3).
 */
#pragma once

#include "net/http.h"

typedef struct Session Session;

typedef struct {
  const char *origin;
  const char *host;  /* of ORIGIN, for the ticket */
  gboolean readable; /* what is sent can be read on its way, and that was not allowed */
} SessionPlace;

/* Copies what it needs of OPTIONS. EINVAL for a user name or password that cannot be sent. */
Session *session_new(const HttpOptions *options, const SessionPlace *place, GError **error);
void session_free(Session *session); /* NULL is fine */
void session_set_forms(Session *session, const HttpForms *forms);

/* What one attempt signs in with. */
typedef struct {
  guint generation;     /* of the session's credential */
  HttpAuth scheme;      /* 0: nobody */
  char *line, *cookies; /* headers, or NULL */
  const char *user;     /* for NTLM; belongs to the session */
  Secret *password;     /* for NTLM */
} Grant;
void grant_clear(Grant *grant); /* wipes */
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Grant, grant_clear)

/*
 * What REQUEST is to be sent with. May block: a person types, a command or a KDC is asked, another
 * thread signs in. A request with something to change or much to send is not spent on finding out
 * what the server wants: a small one (HEAD) goes first. Errors: EACCES (SCOPE_SIGN_IN), EINTR,
 * ETIMEDOUT, EHOSTUNREACH (the KDC), what the small request failed with.
 */
gboolean session_grant(Session *session, HttpClient *client, const HttpRequest *request, Grant *out,
                       GError **error);

/* RESPONSE asks for a sign-in, so its body is nothing for the caller. Does not block. */
gboolean session_is_challenge(const Session *session, const HttpResponse *response);

/* An answer came that is no challenge: what GRANT holds is good. Takes renewed cookies. */
void session_accepted(Session *session, const Grant *grant, const HttpRequest *request,
                      const HttpResponse *response);

/*
 * Looks whether the server wants NTLM at all; if not, it has to ask from now on. TRUE when RESPONSE
 * refuses a request whose body was kept back for NTLM: session_challenged() has it sent again.
 */
gboolean session_unwanted(Session *session, const Grant *grant, const HttpResponse *response);

typedef enum {
  CHALLENGE_AGAIN, /* signed in anew, or by another thread meanwhile: send the request again */
  CHALLENGE_TAKE,  /* the sign-in holds: the answer means "no right", the caller judges it */
  CHALLENGE_ERROR, /* no way in */
} ChallengeEnd;

/*
 * After the challenge RESPONSE to REQUEST sent with GRANT; ROUND counts the challenges to this one
 * request from 0 on. May block as session_grant(). EACCES with what was offered, what was tried and
 * what to do.
 */
ChallengeEnd session_challenged(Session *session, HttpClient *client, const HttpRequest *request,
                                const Grant *grant, const HttpResponse *response, guint round,
                                GError **error);

/* No answer came to this thread's request: nobody need wait for it. */
void session_gave_up(Session *session);

/* As http_client_signed(). */
void session_signed(Session *session, HttpAuth *ret_scheme, char **ret_as);
