/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How what a server tells goes into a row: pure functions of values, without SQL and without a
 * clock. They decide what is a new version; names and places of rows are the index's business.
 */
#pragma once

#include "cache/index.h"

typedef enum {
  MERGE_STORE = 1 << 0,   /* the row must be written */
  MERGE_SEEN = 1 << 1,    /* something a user can see changed */
  MERGE_VERSION = 1 << 2, /* the contents are others */
} MergeResult;

/*
 * Merges the filled fields of TOLD, but for the name and the content tag (which belongs to the last
 * complete listing). A file gets a new version when its tag changes; where a tag is missing on
 * either side, unless the same time, and no other size, proves that it is the same. A measured size
 * stays with its version; an owed user_mtime stays until it is sent. Folders stay version 1: they
 * have no contents of their own. Answers MergeResult bits.
 */
guint merge_told(Node *node, const Entry *told);

/*
 * Takes TOLD after a write of our own: what it does not tell about the version is unknown now, and
 * the row is no longer local. SAME_BYTES: the version stays, with SIZE (unless negative) as its
 * measured size; else it is a new one.
 */
void merge_written(Node *node, const Entry *told, gboolean same_bytes, gint64 size);
