/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what a call to the store carries and what we think of the line: after a failed connection
 * the server is left alone for a moment, so that a mount without a line answers at once from what
 * it knows. Leaves retrying a single request to net/.
 */
#include "mailbox/policy.h"
#include "mailbox/private.h"

#include <errno.h>

gboolean line_begin(Mailbox *mailbox, const Caller *caller, CallKind kind, StoreCall *call,
                    GError **error)
{
  gint64 now = g_get_monotonic_time();
  g_mutex_lock(&mailbox->lock);
  gboolean alone = !mailbox->opened || now < mailbox->line_pause;
  g_autofree char *why = alone ? g_strdup(mailbox->line_why) : NULL;
  g_mutex_unlock(&mailbox->lock);
  if (alone)
    return error_set(error, EHOSTUNREACH, SCOPE_LINE, "%s (it is tried again in a moment)",
                     why ? why : "the server cannot be reached: check the network");

  const gint64 allowed[] = {[CALL_META] = mailbox->options.timeo_meta_ms * 1000,
                            [CALL_DATA] = 0, /* bounded by progress alone (net/) */
                            [CALL_BACKGROUND] = mailbox->options.timeo_ms * 1000};
  *call = (StoreCall){.cancel = caller ? caller->cancel : mailbox->closing,
                      .deadline = allowed[kind] ? now + allowed[kind] : G_MAXINT64,
                      .background = kind == CALL_BACKGROUND};
  return TRUE;
}

/* A refused or impossible connection; one request that stalls says nothing about the others. */
static gboolean is_down(const GError *error)
{
  int code = error_errno(error);
  return error_scope(error) == SCOPE_LINE &&
         (code == EHOSTUNREACH || code == ECONNREFUSED || code == ENETUNREACH);
}

void line_end(Mailbox *mailbox, const GError *error)
{
  g_mutex_lock(&mailbox->lock);
  if (is_down(error)) {
    mailbox->line_failures++;
    g_free(mailbox->line_why);
    mailbox->line_why = g_strdup(error->message);
    mailbox->line_pause = g_get_monotonic_time() + policy_line_pause(mailbox->line_failures);
  } else if (!error || error_scope(error) != SCOPE_LINE) {
    mailbox->line_failures = 0;
    mailbox->line_pause = 0;
  }
  g_mutex_unlock(&mailbox->lock);
}

gboolean line_is_away(Mailbox *mailbox, const GError *error)
{
  /* An answer that broke off or is nonsense is an error: the server is there. */
  return mailbox->options.offline && RULE("offline") &&
         (is_down(error) || (error_scope(error) == SCOPE_LINE && error_errno(error) == ETIMEDOUT));
}
