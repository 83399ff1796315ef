/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the eviction policy; leaves the files to bodies.c. */
#include "cache/evict.h"

#include "base/rule.h"

#define SLACK_SHIFT 5 /* 1/32 of the bound is freed beyond it */
#define RESERVE_PART 8
#define RESERVE_MAX ((gint64)32 << 20)

gint64 evict_excess(gint64 used, gint64 bound)
{
  if (used <= bound || !RULE("bodies-bound"))
    return 0;
  return used - bound + (bound >> SLACK_SHIFT);
}

gint64 evict_shortage(gint64 free, gint64 total)
{
  gint64 reserve = MIN(RESERVE_MAX, total / RESERVE_PART);
  return free < reserve && RULE("bodies-reserve") ? reserve - free : 0;
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
