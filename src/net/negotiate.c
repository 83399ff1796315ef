/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the token of an "Authorization: Negotiate" header and the thread it is made on; leaves the
 * tickets to ticket.c. Whatever may ask a KDC runs on that thread, one token after the other: so a
 * caller can leave at once, and a KDC that hangs is asked by one thread and not by many.
 */
#include "net/negotiate.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"
#include "base/secret.h"
#include "net/spnego.h"
#include "net/ticket.h"
#include "net/ticket_error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A refusal may be a lack of right, which no new ticket heals: so often is the KDC asked for it. */
#define AFRESH_US (60 * G_USEC_PER_SEC)

#define GSSAPI_CHECKSUM 0x8003 /* RFC 4121 section 4.1.1 */

struct Negotiate {
  gatomicrefcount refs; /* the owner's, the thread's, one for each token under way */
  char *host;
  gint refused; /* atomic: the next ticket is to be a new one */

  GMutex lock;
  GQueue waiting;   /* lock: Job, each a reference */
  gboolean running; /* lock: the thread is there, and looks at `waiting` before it ends */

  /* the thread's own */
  Ticket *ticket;
  gint64 afresh_at; /* when last a new one was asked for */
};

/* One token: the caller waits, the thread works, the last of both frees it. */
typedef struct {
  gatomicrefcount refs;
  Negotiate *negotiate; /* a reference */
  GMutex lock;
  GCond finished;
  gboolean done; /* lock */
  gboolean left; /* lock: nobody waits any more */
  char *line;    /* lock; written by the thread, taken by the caller */
  GError *error; /* lock; the same */
} Job;

static gint threads; /* atomic: so many are there */

/*
 * A KDC may hold a thread in libkrb5 for as long as it likes, also past the end of main(), where
 * the library's own end would take its locks away from under it: that is left out then.
 */
static void leave_at_exit(int status, void *user)
{
  (void)user;
  if (g_atomic_int_get(&threads) == 0)
    return;
  fflush(NULL);
  _exit(status);
}

static void negotiate_unref(Negotiate *negotiate)
{
  if (!g_atomic_ref_count_dec(&negotiate->refs))
    return;
  ticket_free(negotiate->ticket);
  g_mutex_clear(&negotiate->lock);
  g_free(negotiate->host);
  g_free(negotiate);
}

static void job_unref(Job *job)
{
  if (!g_atomic_ref_count_dec(&job->refs))
    return;
  negotiate_line_free(job->line);
  g_clear_error(&job->error);
  negotiate_unref(job->negotiate);
  g_cond_clear(&job->finished);
  g_mutex_clear(&job->lock);
  g_free(job);
}

/* The message that proves the owner of CREDS, for one request. */
static krb5_error_code make_ap_req(krb5_context context, krb5_creds *creds, krb5_data *ret)
{
  /* RFC 4121 section 4.1.1: the length of the bindings, none of them, no flags: nothing is asked
   * of the connection beyond this request. */
  char checksum[24] = {16};
  krb5_data about = {.length = sizeof checksum, .data = checksum};
  krb5_auth_context auth = NULL;
  krb5_error_code code = krb5_auth_con_init(context, &auth);
  if (code == 0)
    code = krb5_auth_con_setflags(context, auth, KRB5_AUTH_CONTEXT_DO_SEQUENCE); /* as GSSAPI */
  if (code == 0)
    code = krb5_auth_con_set_req_cksumtype(context, auth, GSSAPI_CHECKSUM);
  if (code == 0)
    code = krb5_mk_req_extended(context, &auth, AP_OPTS_USE_SUBKEY, &about, creds, ret);
  krb5_auth_con_free(context, auth);
  return code;
}

/* On the thread. */
static char *work(Negotiate *negotiate, GError **error)
{
  gint64 now = g_get_monotonic_time();
  gboolean afresh = g_atomic_int_compare_and_exchange(&negotiate->refused, 1, 0) &&
                    (!negotiate->afresh_at || now - negotiate->afresh_at > AFRESH_US);
  if (afresh)
    negotiate->afresh_at = now;
  krb5_context context = NULL;
  krb5_creds *creds = ticket_get(negotiate->ticket, afresh && RULE("krb-afresh"), &context, error);
  if (!creds)
    return NULL;
  krb5_data message = {0};
  krb5_error_code code = make_ap_req(context, creds, &message);
  char *line = code == 0 ? spnego_line(message.data, message.length) : NULL;
  if (code != 0)
    g_propagate_error(error, ticket_error(context, code, negotiate->host));
  else if (!line)
    error_set(
        error, EACCES, SCOPE_SIGN_IN,
        "the Kerberos ticket for HTTP/%s is too long for a header: the account is in too many "
        "groups",
        negotiate->host);
  if (message.data)
    secret_wipe(message.data, message.length);
  krb5_free_data_contents(context, &message);
  krb5_free_creds(context, creds);
  return line;
}

static void run_job(Job *job)
{
  GError *error = NULL;
  g_mutex_lock(&job->lock);
  gboolean wanted = !job->left;
  g_mutex_unlock(&job->lock);
  char *line = wanted ? work(job->negotiate, &error) : NULL;
  g_mutex_lock(&job->lock);
  job->line = line;
  job->error = error;
  job->done = TRUE;
  g_cond_broadcast(&job->finished);
  g_mutex_unlock(&job->lock);
  job_unref(job);
}

/* The thread: until nothing waits. */
static gpointer run(gpointer user)
{
  Negotiate *negotiate = user;
  Job *job;
  do {
    g_mutex_lock(&negotiate->lock);
    job = g_queue_pop_head(&negotiate->waiting);
    negotiate->running = job != NULL;
    g_mutex_unlock(&negotiate->lock);
    if (job)
      run_job(job);
  } while (job);
  negotiate_unref(negotiate);
  g_atomic_int_dec_and_test(&threads);
  return NULL;
}

Negotiate *negotiate_new(const char *host, const HttpKerberos *options)
{
  static gsize once = 0;
  if (g_once_init_enter(&once)) {
    on_exit(leave_at_exit, NULL);
    g_once_init_leave(&once, 1);
  }
  Negotiate *negotiate = g_new0(Negotiate, 1);
  g_atomic_ref_count_init(&negotiate->refs);
  g_mutex_init(&negotiate->lock);
  g_queue_init(&negotiate->waiting);
  negotiate->ticket = ticket_new(host, options);
  negotiate->host = g_strdup(host);
  return negotiate;
}

void negotiate_free(Negotiate *negotiate)
{
  if (negotiate)
    negotiate_unref(negotiate); /* what nobody waits for the thread drops */
}

gboolean negotiate_ready(Negotiate *negotiate, char **ret_as, GError **error)
{
  return ticket_look(negotiate->ticket, ret_as, error);
}

/* Makes sure of a thread; called with the lock. */
static gboolean need_thread(Negotiate *negotiate, GError **error)
{
  if (negotiate->running)
    return TRUE;
  g_atomic_ref_count_inc(&negotiate->refs);
  g_atomic_int_inc(&threads);
  GThread *thread = g_thread_try_new("kerberos", run, negotiate, NULL);
  if (!thread) {
    g_atomic_int_dec_and_test(&threads);
    g_atomic_ref_count_dec(&negotiate->refs); /* not the last: the caller's is there */
    return error_set(error, EAGAIN, SCOPE_LOCAL, "there is no thread to be had: try again");
  }
  negotiate->running = TRUE;
  g_thread_unref(thread);
  return TRUE;
}

/* NULL with ERROR when there is no thread for it. */
static Job *job_start(Negotiate *negotiate, GError **error)
{
  g_mutex_lock(&negotiate->lock);
  Job *job = NULL;
  if (need_thread(negotiate, error)) {
    job = g_new0(Job, 1);
    g_atomic_ref_count_init(&job->refs);
    g_atomic_ref_count_inc(&job->refs); /* the thread's */
    g_atomic_ref_count_inc(&negotiate->refs);
    job->negotiate = negotiate;
    g_mutex_init(&job->lock);
    g_cond_init(&job->finished);
    g_queue_push_tail(&negotiate->waiting, job);
  }
  g_mutex_unlock(&negotiate->lock);
  return job;
}

char *negotiate_line(Negotiate *negotiate, Cancel *cancel, gint64 deadline, GError **error)
{
  Job *job = job_start(negotiate, error);
  int result = 0;
  if (!RULE("krb-leave"))
    cancel = NULL, deadline = G_MAXINT64;
  if (!job)
    return NULL;
  g_mutex_lock(&job->lock);
  while (!job->done && result == 0)
    result = cancel_wait(cancel, &job->finished, &job->lock, deadline);
  char *line = g_steal_pointer(&job->line);
  if (job->error)
    g_propagate_error(error, g_steal_pointer(&job->error));
  else if (!line && result == EINTR)
    error_set(error, EINTR, SCOPE_LINE, "interrupted while a Kerberos token was made");
  else if (!line)
    error_set(error, ETIMEDOUT, SCOPE_LINE,
              "no KDC answered in time for HTTP/%s: check the network and krb5.conf",
              negotiate->host);
  job->left = TRUE;
  g_mutex_unlock(&job->lock);
  job_unref(job);
  return line;
}

void negotiate_line_free(char *line)
{
  if (line)
    secret_wipe(line, strlen(line));
  g_free(line);
}

void negotiate_refused(Negotiate *negotiate)
{
  g_atomic_int_set(&negotiate->refused, 1);
}

char *negotiate_explain(Negotiate *negotiate, const char *challenge)
{
  (void)negotiate;
  return ticket_challenge_text(challenge);
}
