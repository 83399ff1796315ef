/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server is, offers and demands, and how far we get: for `exchangefs probe`. Only questions
 * are asked; no request can change anything.
 */
#pragma once

#include "net/inspect.h"
#include "store/store.h"

/* One virtual directory, asked without a sign-in. */
typedef struct {
  char *path;
  const char *purpose; /* "mailboxes" */
  int status;          /* HTTP; 0: no answer, see `error` */
  guint offered;       /* HttpAuth; HTTP_AUTH_FORMS: it leads to a logon page */
  char *location;      /* of a redirect, or NULL */
  char *error;         /* why no answer came, or NULL */
} SurveyPlace;

typedef enum { SURVEY_UNKNOWN, SURVEY_EXCHANGE, SURVEY_WEBDAV, SURVEY_OTHER } SurveyKind;

typedef enum {
  SURVEY_REACHABLE,
  SURVEY_REFUSED,     /* it answers, and does not let us in */
  SURVEY_UNREACHABLE, /* no answer, or no handshake */
  SURVEY_NOT_EXCHANGE /* neither Exchange nor any other WebDAV */
} SurveyVerdict;

/* Texts are NULL where nothing was seen; sentences are for the user. */
typedef struct {
  SurveyVerdict verdict;
  SurveyKind kind;
  char *product; /* "Exchange 2003 SP1", as far as its headers tell */
  char *build, *server, *owa, *activesync;
  gboolean tls; /* the address is https */
  HttpTlsFacts tls_facts;
  char *tls_error;
  GPtrArray *places; /* SurveyPlace *; the first is the one asked for */
  char *ticket_of, *no_ticket;
  HttpAuth scheme; /* what was signed in with; 0: nothing */
  char *signed_as;
  char *mailbox_error; /* NULL: it was opened, and `caps` hold */
  StoreCaps caps;
  char *description;  /* what caps.description points to */
  char *public_error; /* NULL: there are public folders */
  gint64 ms;
} Survey;

/*
 * Fills OUT (zero) about the store at PATH (percent-encoded, ends in '/') behind CLIENT, which it
 * takes over. Blocks; each question has a limit of its own, so that a silent server takes seconds.
 */
void survey_run(HttpClient *client, const char *path, Survey *out);

void survey_clear(Survey *survey);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Survey, survey_clear)
