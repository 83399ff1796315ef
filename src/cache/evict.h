/* SPDX-License-Identifier: Apache-2.0 */
/* Which bodies go when there are too many: a pure choice, so that it can be tested by tables. */
#pragma once

#include <glib.h>

typedef struct {
  gint64 size;
  gboolean held; /* leased: must stay */
} EvictCandidate;

/*
 * How many bytes must go so that USED fits in BOUND again; 0 when it does. A little more than that,
 * so that not every new body evicts one.
 */
gint64 evict_excess(gint64 used, gint64 bound);

/*
 * How many bytes must go so that a disk of TOTAL bytes, FREE of them, keeps a reserve: the index,
 * the journal and what is being written share it with the bodies, and cannot make way.
 */
gint64 evict_shortage(gint64 free, gint64 total);

/*
 * Chooses from the N CANDIDATES, least recently used first, those that go so that EXCESS bytes come
 * free, and puts their places, ascending, into VICTIMS (room for N). Answers how many. Fewer bytes
 * than asked for when the rest is held.
 */
guint evict_choose(const EvictCandidate *candidates, guint n, gint64 excess, guint *victims);
