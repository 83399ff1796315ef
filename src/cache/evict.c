/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the eviction policy; leaves the files to bodies.c. */
#include "cache/evict.h"

#include "base/rule.h"

#define SLACK_SHIFT 5 /* 1/32 of the bound is freed beyond it */

gint64 evict_excess(gint64 used, gint64 bound)
{
  if (used <= bound || !RULE("bodies-bound"))
    return 0;
  return used - bound + (bound >> SLACK_SHIFT);
}

guint evict_choose(const EvictCandidate *candidates, guint n, gint64 excess, guint *victims)
{
  guint chosen = 0;
  for (guint i = 0; i < n && excess > 0; i++) {
    if (candidates[i].held && RULE("bodies-leased"))
      continue;
    victims[chosen++] = i;
    excess -= candidates[i].size;
  }
  return chosen;
}
