/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the index share: its lock, its statements, rows as Nodes.
 *
 * Every function here wants Index.lock held. Those that change rows want a transaction
 * (index_change_begin()).
 */
#pragma once

#include "cache/db.h"
#include "cache/index.h"

struct Index {
  GMutex lock; /* guards all of this */
  Db *db;
  GPtrArray *listings;  /* IndexListing that run; owned by who lists */
  GPtrArray *questions; /* IndexQuestion under way; owned by who asks */
  GHashTable *claims;   /* set of ino */
  gint64 last_listing;
};

struct IndexListing {
  Index *index;
  gint64 folder;
  gint64 number; /* names it in the table seen */
  /* The lister's own, no lock: */
  Entry *batch;
  guint n_batch, batch_size;
  /* Index.lock: */
  gboolean first;     /* the folder was empty when it began: nothing to match */
  GHashTable *gone;   /* ids (GBytes) that were deleted or moved away here since it began */
  gboolean has_local; /* some rows of it are SEEN_LOCAL */
  gboolean has_twin;  /* some rows of it are SEEN_TWIN */
  gboolean changed;   /* a row that a user can see changed */
  gboolean forgotten; /* its folder is doubted since it began: it confirms nothing */
};

/* Bits of seen.flags; the table seen (ino by listing) is temporary. */
enum {
  SEEN_LOCAL = 1 << 0, /* written by a call other than the listing: what it wrote stays */
  SEEN_TWIN = 1 << 1,  /* got a twin name while the plain one may still come free */
};

/* Places in the statement table (index_row.c). */
enum {
  SQL_GET,
  SQL_FIND,
  SQL_FIND_ID,
  SQL_MATCH_ID,
  SQL_MATCH_KEY,
  SQL_CHILDREN,
  SQL_ANY_CHILD,
  SQL_COUNT,
  SQL_COUNT_UPTO,
  SQL_HAS_LOCAL,
  SQL_WITH_STATE,
  SQL_UP,
  SQL_NAME_TAKEN,
  SQL_INSERT,
  SQL_UPDATE,
  SQL_UPDATE_ATTRS,
  SQL_DELETE,
  SQL_BUMP,
  SQL_CONFIRM,
  SQL_FORGET,
  SQL_LISTED,
  SQL_SEEN_ADD,
  SQL_SEEN_GET,
  SQL_SEEN_CLEAR,
  SQL_UNSEEN_DELETE,
  SQL_TWINS,
  SQL_N,
};
extern const DbSchema index_schema;

/* --- index_row.c --------------------------------------------------------------------------- */

/* The row STMT stands on, into OUT (initialised). */
void row_load(sqlite3_stmt *stmt, Node *out);

/* The only row of STMT into OUT, which is as it was unless ROW_FOUND. */
RowResult row_one(Index *index, sqlite3_stmt *stmt, Node *out, GError **error);
RowResult row_get(Index *index, gint64 ino, Node *out, GError **error);
RowResult row_find(Index *index, gint64 parent, const char *name, Node *out, GError **error);
RowResult row_find_id(Index *index, gint64 parent, GBytes *id, Node *out, GError **error);

/* As index_is_below(). */
gboolean row_is_below(Index *index, gint64 ino, gint64 folder);

/* Inserts NODE and sets its ino. *RET_TAKEN, and nothing done: its folder has the name or id. */
gboolean row_insert(Index *index, Node *node, gboolean *ret_taken, GError **error);

/* Writes NODE over its row; ATTRS_ONLY: parent, name, id, match key and state are as they were. */
gboolean row_update(Index *index, const Node *node, gboolean attrs_only, GError **error);

/* Deletes the row and all below it. */
gboolean row_delete(Index *index, gint64 ino, GError **error);

/* *RET: the ino of the row NAME in PARENT, 0 when the name is free. */
gboolean row_name_taken(Index *index, gint64 parent, const char *name, gint64 *ret, GError **error);

/*
 * NODE takes a new name of the server's (in memory, to be written). One whose server name is the
 * same keeps what it is called, whatever the order of a listing. *RET_CHANGED: it took one;
 * *RET_TWIN: the plain form was taken by another row.
 */
gboolean row_take_name(Index *index, Node *node, const Entry *told, gboolean *ret_changed,
                       gboolean *ret_twin, GError **error);

/* The first of VISIBLE's twin names that no row of PARENT has; NULL with ERROR. */
char *row_free_twin(Index *index, gint64 parent, const char *visible, GError **error);

/* --- index_list.c: what the other calls tell the listings that run -------------------------- */

/* INO, a row of PARENT, was written: listings of PARENT leave it as it is. */
gboolean listing_note_written(Index *index, gint64 parent, gint64 ino, GError **error);

/* ID is no longer in PARENT: listings do not bring it back. ID may be NULL. */
void listing_note_gone(Index *index, gint64 parent, GBytes *id);

/* --- index_claim.c -------------------------------------------------------------------------- */

gboolean is_claimed(const Index *index, gint64 ino);

/* A listing that begins leaves the rows that are claimed as they are. */
void claims_join_listing(Index *index);

/* --- index_change.c ------------------------------------------------------------------------- */

gint64 wall_us(void);

/* Moves NODE's ctime: forward, whatever the clock does. */
void node_stamp(Node *node);

/* Notes in FOLDER's row that its members changed. ENOENT when there is no such row. */
gboolean folder_bump(Index *index, gint64 folder, GError **error);

/* Takes the lock and begins a transaction; index_change_end() ends both. */
gboolean index_change_begin(Index *index, GError **error);
gboolean index_change_end(Index *index, gboolean ok, GError **error);
