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
#include "net/ticket.h"
#include "net/ticket_error.h"

#include <errno.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <string.h>

/* A refusal may be a lack of right, which no new ticket heals: so often is the KDC asked for it. */
#define AFRESH_US (60 * G_USEC_PER_SEC)

static const gss_OID_desc spnego = {6, (void *)"\x2b\x06\x01\x05\x05\x02"};

struct Negotiate {
  gatomicrefcount refs; /* the owner's, and one for each token under way */
  Ticket *ticket;
  char *host, *impersonate;
  GThreadPool *pool; /* the owner's */
  gint refused;      /* atomic: the next ticket is to be a new one */

  /* the thread's own */
  gint64 afresh_at;     /* when last a new one was asked for */
  gss_cred_id_t acting; /* impersonate: what acts for the user... */
  gint64 acting_until;  /* ...until then (monotonic microseconds), ... */
  guint acting_of;      /* ...made of these tickets */
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

static void negotiate_unref(Negotiate *negotiate)
{
  OM_uint32 unused;
  if (!g_atomic_ref_count_dec(&negotiate->refs))
    return;
  gss_release_cred(&unused, &negotiate->acting);
  ticket_free(negotiate->ticket);
  g_free(negotiate->host);
  g_free(negotiate->impersonate);
  g_free(negotiate);
}

static void job_unref(gpointer item)
{
  Job *job = item;
  if (!g_atomic_ref_count_dec(&job->refs))
    return;
  negotiate_line_free(job->line);
  g_clear_error(&job->error);
  negotiate_unref(job->negotiate);
  g_cond_clear(&job->finished);
  g_mutex_clear(&job->lock);
  g_free(job);
}

/* GSSAPI's words for a failure, on one line. */
static char *gss_words(OM_uint32 major, OM_uint32 minor)
{
  GString *all = g_string_new(NULL);
  for (int kind = 0; kind < 2; kind++) {
    OM_uint32 more = 0, unused;
    do {
      gss_buffer_desc text = GSS_C_EMPTY_BUFFER;
      if (GSS_ERROR(gss_display_status(&unused, kind ? minor : major,
                                       kind ? GSS_C_MECH_CODE : GSS_C_GSS_CODE, GSS_C_NO_OID, &more,
                                       &text)))
        break;
      g_string_append_printf(all, "%s%.*s", all->len ? "; " : "", (int)text.length,
                             (const char *)text.value);
      gss_release_buffer(&unused, &text);
    } while (more);
  }
  return g_string_free(all, FALSE);
}

static gboolean fail(const Negotiate *negotiate, OM_uint32 major, OM_uint32 minor, GError **error)
{
  g_autofree char *words = gss_words(major, minor);
  if (negotiate->impersonate)
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "the KDC does not let the service of keytab= act for %s towards HTTP/%s (%s): "
                     "allow it there (S4U2Self, constrained delegation)",
                     negotiate->impersonate, negotiate->host, words);
  return error_set(error, EACCES, SCOPE_SIGN_IN,
                   "Kerberos makes no token for HTTP/%s (%s): check klist and krb5.conf",
                   negotiate->host, words);
}

static OM_uint32 import_name(const char *text, gss_name_t *ret, OM_uint32 *minor)
{
  gss_buffer_desc buffer = {strlen(text), (void *)text};
  return gss_import_name(minor, &buffer, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, ret);
}

/* The credential in the tickets' cache; asks nobody. */
static OM_uint32 acquire(const Negotiate *negotiate, gss_cred_id_t *ret, OM_uint32 *minor)
{
  gss_key_value_element_desc element = {"ccache", ticket_cache(negotiate->ticket)};
  gss_key_value_set_desc store = {1, &element};
  return gss_acquire_cred_from(minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, GSS_C_NO_OID_SET,
                               GSS_C_INITIATE, &store, ret, NULL, NULL);
}

/* Makes SERVICE the user (S4U2Self); asks the KDC. */
static gboolean act_for_user(Negotiate *negotiate, gss_cred_id_t service, GError **error)
{
  gss_name_t user = GSS_C_NO_NAME;
  OM_uint32 minor, unused, seconds = 0;
  gint64 now = g_get_monotonic_time();
  guint of = ticket_generation(negotiate->ticket);
  if (negotiate->acting && negotiate->acting_of == of && now < negotiate->acting_until)
    return TRUE;
  gss_release_cred(&unused, &negotiate->acting);
  OM_uint32 major = import_name(negotiate->impersonate, &user, &minor);
  if (!GSS_ERROR(major))
    major =
        gss_acquire_cred_impersonate_name(&minor, service, user, GSS_C_INDEFINITE, GSS_C_NO_OID_SET,
                                          GSS_C_INITIATE, &negotiate->acting, NULL, &seconds);
  gss_release_name(&unused, &user);
  if (GSS_ERROR(major))
    return fail(negotiate, major, minor, error);
  negotiate->acting_of = of;
  negotiate->acting_until = now + (gint64)seconds * G_USEC_PER_SEC * 3 / 4;
  return TRUE;
}

/* The header for the first token of a context, which is all that Kerberos needs. */
static char *make_line(const Negotiate *negotiate, gss_cred_id_t credential, GError **error)
{
  gss_name_t service = GSS_C_NO_NAME;
  gss_ctx_id_t context = GSS_C_NO_CONTEXT;
  gss_buffer_desc token = GSS_C_EMPTY_BUFFER;
  gss_OID_set_desc kerberos = {1, (gss_OID)gss_mech_krb5};
  OM_uint32 minor, unused;
  char *line = NULL;
  /* No other mechanism that may be installed is to speak for the user. */
  OM_uint32 major = gss_set_neg_mechs(&minor, credential, &kerberos);
  if (!GSS_ERROR(major))
    major = import_name(ticket_service(negotiate->ticket), &service, &minor);
  if (!GSS_ERROR(major))
    major = gss_init_sec_context(&minor, credential, &context, service, (gss_OID)&spnego, 0,
                                 GSS_C_INDEFINITE, GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER, NULL,
                                 &token, NULL, NULL);
  if (GSS_ERROR(major)) {
    fail(negotiate, major, minor, error);
  } else {
    static const char head[] = "Authorization: Negotiate ";
    gint state = 0, save = 0;
    gsize len = strlen(head);
    line = g_malloc0(sizeof head + token.length / 3 * 4 + 8);
    memcpy(line, head, len);
    len += g_base64_encode_step(token.value, token.length, FALSE, line + len, &state, &save);
    g_base64_encode_close(FALSE, line + len, &state, &save);
  }
  if (token.value)
    secret_wipe(token.value, token.length);
  gss_release_buffer(&unused, &token);
  gss_delete_sec_context(&unused, &context, GSS_C_NO_BUFFER);
  gss_release_name(&unused, &service);
  return line;
}

/* On the thread. */
static char *work(Negotiate *negotiate, GError **error)
{
  OM_uint32 minor, unused;
  gint64 now = g_get_monotonic_time();
  gboolean afresh = g_atomic_int_get(&negotiate->refused) &&
                    (!negotiate->afresh_at || now - negotiate->afresh_at > AFRESH_US);
  g_atomic_int_set(&negotiate->refused, 0);
  if (afresh) {
    negotiate->afresh_at = now;
    negotiate->acting_until = 0;
  }
  if (!ticket_get(negotiate->ticket, afresh && RULE("krb-afresh"), error))
    return NULL;
  gss_cred_id_t own = GSS_C_NO_CREDENTIAL;
  OM_uint32 major = acquire(negotiate, &own, &minor);
  char *line = NULL;
  if (GSS_ERROR(major))
    fail(negotiate, major, minor, error);
  else if (!negotiate->impersonate)
    line = make_line(negotiate, own, error);
  else if (act_for_user(negotiate, own, error))
    line = make_line(negotiate, negotiate->acting, error);
  gss_release_cred(&unused, &own);
  return line;
}

static void run_job(gpointer item, gpointer user)
{
  Job *job = item;
  GError *error = NULL;
  (void)user; /* may be gone */
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

Negotiate *negotiate_new(const char *host, const HttpKerberos *options)
{
  Negotiate *negotiate = g_new0(Negotiate, 1);
  g_atomic_ref_count_init(&negotiate->refs);
  negotiate->ticket = ticket_new(host, options);
  negotiate->host = g_strdup(host);
  negotiate->impersonate = options->keytab ? g_strdup(options->impersonate) : NULL;
  negotiate->acting = GSS_C_NO_CREDENTIAL;
  negotiate->pool = g_thread_pool_new_full(run_job, NULL, job_unref, 1, FALSE, NULL);
  return negotiate;
}

void negotiate_free(Negotiate *negotiate)
{
  if (!negotiate)
    return;
  /* A token under way is finished for nobody, on the thread, whenever the KDC lets go of it. */
  g_thread_pool_free(negotiate->pool, TRUE, FALSE);
  negotiate_unref(negotiate);
}

gboolean negotiate_ready(Negotiate *negotiate, char **ret_as, GError **error)
{
  return ticket_look(negotiate->ticket, ret_as, error);
}

static Job *job_start(Negotiate *negotiate)
{
  Job *job = g_new0(Job, 1);
  g_atomic_ref_count_init(&job->refs);
  g_atomic_ref_count_inc(&job->refs); /* the thread's */
  g_atomic_ref_count_inc(&negotiate->refs);
  job->negotiate = negotiate;
  g_mutex_init(&job->lock);
  g_cond_init(&job->finished);
  g_thread_pool_push(negotiate->pool, job, NULL); /* without a thread to be had: it waits for one */
  return job;
}

char *negotiate_line(Negotiate *negotiate, Cancel *cancel, gint64 deadline, GError **error)
{
  Job *job = job_start(negotiate);
  int result = 0;
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
