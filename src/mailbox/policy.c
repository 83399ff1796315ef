/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the numbers; does no I/O and knows no clock. */
#include "mailbox/policy.h"

/* So many single questions cost as much as a page of a listing. */
#define ASKS_BEFORE_LISTING 16

gboolean policy_fresh(gint64 now, gint64 then, gint64 ttl)
{
  return then > 0 && then <= now && now - then < ttl;
}

gint64 policy_valid(gint64 now, gint64 then, gint64 ttl)
{
  return policy_fresh(now, then, ttl) ? ttl - (now - then) : 0;
}

Ask policy_lookup(const LookupFacts *facts)
{
  if (policy_fresh(facts->now, facts->folder_listed, facts->ttl) ||
      policy_fresh(facts->now, facts->row_checked, facts->ttl))
    return ASK_NOTHING;
  if (facts->can_probe && facts->folder_listed > 0)
    return ASK_PROBE;
  if (facts->folder_listed > 0 && facts->ttl > 0 && facts->asked >= ASKS_BEFORE_LISTING &&
      facts->members <= POLICY_MEMBERS_MAX)
    return ASK_LISTING;
  return ASK_ITEM;
}

Ask policy_opendir(gint64 now, gint64 ttl, gint64 listed, gboolean can_probe)
{
  if (policy_fresh(now, listed, ttl))
    return ASK_NOTHING;
  return can_probe && listed > 0 ? ASK_PROBE : ASK_LISTING;
}

gboolean policy_finish_body(gint64 have, gint64 total)
{
  return total >= 0 && total - have <= 256 * 1024;
}

gint64 policy_line_pause(guint failures)
{
  return failures == 0 ? 0
                       : MIN((gint64)G_USEC_PER_SEC << MIN(failures - 1, 4), 10 * G_USEC_PER_SEC);
}
