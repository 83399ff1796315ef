/* SPDX-License-Identifier: Apache-2.0 */
/* The mailbox's tuned numbers and judgements, as pure functions of values. */
#pragma once

#include <glib.h>

/* What must be asked before a name can be answered. */
typedef enum {
  ASK_NOTHING, /* what we know is young enough */
  ASK_PROBE,   /* one request tells whether the folder changed at all */
  ASK_ITEM,    /* ask for this one name */
  ASK_LISTING, /* list the folder */
} Ask;

/* A folder with more members is not listed for the sake of single names. */
#define POLICY_MEMBERS_MAX 5000

typedef struct {
  gint64 now, ttl;      /* us, wall clock */
  gint64 folder_listed; /* us, wall clock; 0 never */
  gint64 row_checked;   /* us, wall clock; 0: no such row, or never */
  gboolean can_probe;   /* the folder has a content tag to compare */
  guint asked;          /* names asked for one by one in this folder since it was listed */
  gint64 members;       /* rows of the folder; beyond POLICY_MEMBERS_MAX it need not be true */
} LookupFacts;

/*
 * TRUE when something confirmed at THEN (us, wall clock, 0 never) may be served at NOW. A clock
 * that was set back makes nothing fresh.
 */
gboolean policy_fresh(gint64 now, gint64 then, gint64 ttl);

/* How long (us) what was confirmed at THEN may still be kept; 0 when not fresh. */
gint64 policy_valid(gint64 now, gint64 then, gint64 ttl);

/* Whom to ask about one name. A folder that is asked for many names one by one is listed instead.
 */
Ask policy_lookup(const LookupFacts *facts);

/* Whom to ask before a directory is read. */
Ask policy_opendir(gint64 now, gint64 ttl, gint64 listed, gboolean can_probe);

/* TRUE when the rest of a body that nobody waits for any more is worth fetching. */
gboolean policy_finish_body(gint64 have, gint64 total);

/* How long (us) the server is left alone after FAILURES line failures in a row. */
gint64 policy_line_pause(guint failures);
