/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to session.c (the state: who signs in when, what a challenge means) and session_way.c
 * (one row for each scheme: what it needs, what it puts on a request).
 */
#pragma once

#include "net/cookies.h"
#include "net/negotiate.h"
#include "net/session.h"

struct Session {
  /* constant once requests are made */
  char *origin, *user;
  guint allowed;
  gint64 hold_us;
  gboolean readable, safe; /* `safe`: cookies marked secure may be sent */
  HttpCredentials credentials;
  const HttpForms *forms; /* NULL: none */
  Negotiate *negotiate;   /* NULL: not allowed */

  GMutex lock;
  GCond changed;
  GThread *busy;            /* lock: signs in; NULL: nobody does */
  gboolean checks;          /* lock: ...or asks whether the credential still holds */
  guint generation;         /* lock: moves with every new credential */
  HttpAuth scheme;          /* lock: in use; 0: none found necessary yet */
  gboolean open;            /* lock: a request without a sign-in was answered */
  gboolean proven;          /* lock: this generation's credential was accepted */
  gboolean good;            /* lock: some generation's was: the password is right */
  guint refused;            /* lock: schemes that were tried and refused */
  char *good_path;          /* lock until set, then constant: a path a credential has opened */
  Cookies *cookies;         /* lock */
  Secret *password, *token; /* lock; NULL: to be asked for */
  GError *refusal;          /* lock: answered at once until... */
  gint64 held_until; /* lock: ...then (monotonic microseconds), so that no account gets locked */
  guint holds;       /* lock: so often in a row */
};

/* One way to sign in. */
typedef struct {
  HttpAuth scheme;
  /* Gets what is needed, by the thread that signs in, without the lock; ASKED: the challenge or
   * NULL. NULL: nothing is. */
  gboolean (*fetch)(Session *session, HttpClient *client, const HttpRequest *request,
                    const HttpResponse *asked, GError **error);
  /* Fills OUT; without the lock. NULL: cookies say it all. */
  gboolean (*fill)(Session *session, const HttpRequest *request, Grant *out, GError **error);
  const char *refused; /* what the server said by refusing a fresh credential */
  const char *step;
} Way;

/* The row of SCHEME, which is one of HttpAuth. */
const Way *way_find(HttpAuth scheme);
