/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index: what we know of the tree, in SQLite (WAL). A row is one name in one folder; its row id
 * is its inode number, never used again, so node ids and directory offsets need no table in memory.
 * A row's version counts the contents seen under it: it grows when the tag changes, and the
 * kernel's node id is (row, version).
 *
 * All calls are safe from any thread and hold Index.lock only for the SQL itself: they block for
 * disk, never for the network. Errors are SCOPE_LOCAL.
 */
#pragma once

#include "model/entry.h"

typedef struct Index Index;

#define INO_ROOT 1
#define INO_FIRST 16 /* rows below are ours: the root and what may come (".exchange") */

/* Node.state bits. */
typedef enum {
  NODE_LOCAL = 1 << 0,      /* exists here only, never sent; its bytes are in cache/local */
  NODE_HIDDEN = 1 << 1,     /* found by lookup, not listed */
  NODE_MTIME_OWED = 1 << 2, /* entry.user_mtime must still reach the server */
} NodeState;

typedef struct {
  gint64 ino, parent;
  char *name;      /* visible; unique in its folder */
  guint32 version; /* of a folder always 1: it has no contents of its own */
  guint32 state;   /* NodeState */
  Entry entry;     /* as the server said last; a size once measured stays EXACT for its version; the
                      content tag is that of the last complete listing */
  gint64 changed;  /* ns since 1970: when version or attributes last changed here (ctime) */
  gint64 checked;  /* us since 1970 (wall): when this row was last confirmed, alone or by a complete
                      listing of its folder; 0 never */
  gint64 listed;   /* folder: us since 1970 of the last complete listing; 0 never */
  gint64 listing;  /* folder: counts complete listings that changed something, and local changes */
} Node;

void node_init(Node *node);
void node_clear(Node *node);
void node_copy(const Node *from, Node *to);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Node, node_clear)

/*
 * Opens or makes DIR/index.db for the store IDENTITY (origin, root path, user). EINVAL when it
 * belongs to another store ("name another cache_dir"); EPROTONOSUPPORT when a newer version made it
 * (nothing is touched). A corrupt database is put aside as index.db.corrupt-TIME, a fresh one is
 * made and *RET_REBUILT set: what we know is rebuilt from the server. The same when the database
 * alone is missing from a directory that was in use. Its rows then get ids that no earlier one had,
 * and DIR/bodies is emptied: call before bodies_open().
 */
Index *index_open(const char *dir, const char *identity, gboolean *ret_rebuilt, GError **error);
/* The store could not be opened and nothing is known of it: the directory may serve another. */
void index_disown(Index *index);

void index_close(Index *index); /* checkpoints; NULL is fine */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Index, index_close)

/* TRUE and *OUT (initialised) filled, or FALSE: no such row (*ERROR unset), or a disk error (set).
 */
gboolean index_get(Index *index, gint64 ino, Node *out, GError **error);
gboolean index_find(Index *index, gint64 parent, const char *name, Node *out, GError **error);

/* The row of PARENT whose entry id is ID; as index_get(). */
gboolean index_find_id(Index *index, gint64 parent, GBytes *id, Node *out, GError **error);

/*
 * Calls FUNC for the rows of FOLDER with ino > AFTER, in ino order, hidden ones left out, until it
 * answers FALSE. No lock is held while FUNC runs (rows are read in batches); NODE is borrowed.
 */
typedef gboolean (*IndexRowFunc)(const Node *node, gpointer user);
gboolean index_children(Index *index, gint64 folder, gint64 after, IndexRowFunc func, gpointer user,
                        GError **error);

/* How many rows FOLDER has (hidden ones left out); -1 with ERROR. */
gint64 index_count(Index *index, gint64 folder, GError **error);

/* The same, hidden ones included, but not beyond MOST: the cost does not grow with the folder. */
gint64 index_count_upto(Index *index, gint64 folder, gint64 most);

/* TRUE when FOLDER has a member that exists here only. */
gboolean index_has_local(Index *index, gint64 folder);

/* Rows with any of the bits STATE, up to MAX, as a GArray of gint64 ino; NULL with ERROR. */
GArray *index_with_state(Index *index, guint32 state, guint max, GError **error);

/*
 * The ids from just below the root down to INO, as StoreRef.path wants them (GPtrArray of GBytes,
 * owned by the caller). NULL without ERROR when the row, or one above it, is gone or local.
 */
GPtrArray *index_path(Index *index, gint64 ino, GError **error);

/* TRUE when INO is FOLDER or lies below it. */
gboolean index_is_below(Index *index, gint64 ino, gint64 folder);

/*
 * Listing FOLDER: add what the server tells, then end or abort. Rows are matched by id, else by
 * match_key (renamed), else inserted; those not seen by the end are deleted with what is below
 * them. Rows changed by the calls further down since begin keep what those calls wrote; rows they
 * deleted do not come back. Added rows are visible at once (committed in batches); absence counts
 * only after end. One listing per folder at a time (the caller sees to it).
 */
typedef struct IndexListing IndexListing;
IndexListing *index_list_begin(Index *index, gint64 folder);
gboolean index_list_add(IndexListing *listing, const Entry *entry, GError **error);
/* Takes LISTING. CONTENT_TAG may be NULL. *RET_CHANGED: the folder's members or they changed. */
gboolean index_list_end(IndexListing *listing, GBytes *content_tag, gboolean *ret_changed,
                        GError **error);
void index_list_abort(IndexListing *listing);

/*
 * A call is about to change INO on the server, and the row when the answer is there. Until
 * index_unclaim(), what the server says of it may be from before or after: listings that run keep
 * the row as it is (and add no other for its name), questions under way are overtaken. One claim of
 * a row at a time (the caller sees to it).
 */
void index_claim(Index *index, gint64 ino);
void index_unclaim(Index *index, gint64 ino);

/* The server is being asked about one row; the caller's, registered while it is under way. */
typedef struct {
  gint64 ino;
  gboolean overtaken; /* Index.lock: the row was claimed since */
} IndexQuestion;

/* Begins QUESTION, which ends with index_update(), or index_unask() when no answer came. */
void index_ask(Index *index, gint64 ino, IndexQuestion *question);
void index_unask(Index *index, IndexQuestion *question);

/*
 * Merges the answer to QUESTION. Same rules as a listing: a new tag (or, without tags, another time
 * or size) is a new version; the measured size of a version is kept. ENTRY NULL: the server has it
 * no more, the row is deleted. An overtaken answer changes nothing. OUT, when not NULL, is the row
 * after it. FALSE without ERROR: the row is gone.
 */
gboolean index_update(Index *index, IndexQuestion *question, const Entry *entry, Node *out,
                      GError **error);

/*
 * A row for what the server showed or took under NAME in PARENT: updates the row of that id (or
 * name), else inserts. For a fresh local row, ENTRY holds size and times and STATE is NODE_LOCAL; a
 * local row keeps its name, what the server has under it gets a twin name. ENOENT: no such PARENT.
 */
gboolean index_insert(Index *index, gint64 parent, const char *name, const Entry *entry,
                      guint32 state, Node *out, GError **error);

/*
 * After our own write of the row's bytes: takes id, tag, times; size becomes EXACT SIZE when
 * SAME_BYTES, and the version stays (the kernel holds these very bytes); else a new version with
 * ENTRY's size. Clears NODE_LOCAL. What ENTRY does not tell of tag and times is unknown then, but
 * for an owed mtime. Another row of the same id in the folder (a listing saw the item before its
 * reply came) goes. FALSE without ERROR: the row is gone.
 */
gboolean index_written(Index *index, gint64 ino, const Entry *entry, gboolean same_bytes,
                       gint64 size, Node *out, GError **error);

/*
 * After our own change of the row's properties (not its bytes): takes id, tag and times from ENTRY;
 * version and size stay. The row no longer owes its mtime if that is still MTIME.
 */
gboolean index_patched(Index *index, gint64 ino, const Entry *entry, gint64 mtime, GError **error);

/*
 * The kernel may hold bytes under VERSION that the server never took: the row gets another version
 * (unless it has, or is local).
 */
void index_renew(Index *index, gint64 ino, guint32 version);

/* The measured size of VERSION (ignored when the row has moved on). */
gboolean index_set_size(Index *index, gint64 ino, guint32 version, gint64 size, GError **error);

/* The mtime a user set; OWED: must still reach the server. */
gboolean index_set_mtime(Index *index, gint64 ino, gint64 mtime, gboolean owed, GError **error);

/*
 * Renames INO to NAME in PARENT in one transaction; a row of that name is deleted (with what is
 * below it). ENTRY, when not NULL, replaces the row's entry as index_written() does with
 * SAME_BYTES, but size and times it does not tell stay. FALSE without ERROR: the row is gone.
 * EINVAL: into itself.
 */
gboolean index_rename(Index *index, gint64 ino, gint64 parent, const char *name, const Entry *entry,
                      GError **error);

/* Deletes the row and what is below it; TRUE also when it is gone already. */
gboolean index_delete(Index *index, gint64 ino, GError **error);

/* The server may have INO otherwise than we think: whoever needs it or its folder next asks. */
void index_doubt(Index *index, gint64 ino);

/* Marks FOLDER as never listed, so that the next reader asks the server. */
gboolean index_forget_listing(Index *index, gint64 folder, GError **error);

/* Sets listed/checked of FOLDER to now: a probe said that nothing changed. */
gboolean index_confirm(Index *index, gint64 folder, GError **error);
