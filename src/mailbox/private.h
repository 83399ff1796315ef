/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this folder share.
 *
 * Lock order: Mailbox.lock, then Body.lock; the cache's own locks last. None is held while waiting
 * for the network: whoever must keep others off a row while it talks to the server holds the row
 * (row_hold()), and waits for it as for everything else, interruptibly.
 */
#pragma once

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"
#include "cache/bodies.h"
#include "cache/index.h"
#include "cache/journal.h"
#include "mailbox/mailbox.h"

#define FILE_SIZE_MAX ((gint64)1 << 40)
#define VERSION_NONE G_MAXUINT32 /* versions have 24 bits */

struct Mailbox {
  Store *store;
  Index *index;
  Bodies *bodies;
  Journal *journal;
  int lock_fd; /* the cache directory is ours */
  MailboxOptions options;
  char *identity, *cache_dir; /* what options points to */
  GThreadPool *fetchers;      /* run body fetches */
  GThread *worker;
  Cancel *closing; /* set when the mailbox closes: ends background calls */

  GMutex lock;
  GCond changed;       /* lock: a row was let go, a listing ended, the worker has something to do */
  GHashTable *rows;    /* lock: ino -> Row, those held or open */
  GHashTable *live;    /* lock: NodeId -> Body that is arriving or leased */
  GHashTable *folders; /* lock: ino -> Folder */
  GHashTable *bounced; /* lock: ino -> Bounce; freed outside it */
  GHashTable *refused; /* lock: pid whose open was refused -> gint64 monotonic us */
  gboolean opened;     /* lock: store_open() has succeeded */
  guint line_failures; /* lock: in a row */
  gint64 line_pause;   /* lock: monotonic us until which the server is left alone */
  char *line_why;      /* lock: what the last failure said; NULL: none yet */
  gint written;        /* atomic: counts changes of sizes in rows, see attr_live() */
  gboolean owes;       /* lock: the worker should look for owed mtimes */
  StoreQuota quota;    /* lock */
};

/* --- line.c: asking the server ------------------------------------------------------------- */

typedef enum { CALL_META, CALL_DATA, CALL_BACKGROUND } CallKind;

/*
 * Prepares CALL for CALLER (NULL: the mailbox itself). EHOSTUNREACH at once while the server is
 * left alone after failures.
 */
gboolean line_begin(Mailbox *mailbox, const Caller *caller, CallKind kind, StoreCall *call,
                    GError **error);

/* Notes how a call ended; ERROR NULL: it was answered. */
void line_end(Mailbox *mailbox, const GError *error);

/* TRUE when ERROR says that the server is away and what is cached may be served instead. */
gboolean line_is_away(Mailbox *mailbox, const GError *error);

/* --- tree.c: rows as attributes ------------------------------------------------------------ */

gint64 wall_now(void); /* us since 1970 */

/* The reference of INO; TAG may be NULL. Frees with ref_clear(). ESTALE when the row is gone. */
gboolean ref_make(Mailbox *mailbox, gint64 ino, GBytes *tag, StoreRef *out, GError **error);
void ref_clear(StoreRef *ref);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(StoreRef, ref_clear)

/* NODE as the kernel shall see it; FOLDER, when not NULL, is its parent's row. */
void attr_from_node(Mailbox *mailbox, const Node *node, const Node *folder, Attr *out);

/*
 * The same for a row that was read when SINCE was the state of Mailbox.written. A row that was read
 * before a write was noted in it, and looked at after the writer was gone, would tell the size
 * before: the kernel would cut the file. Such a row is read again. FALSE: it is gone.
 */
gboolean attr_live(Mailbox *mailbox, const Node *node, const Node *folder, gint since, Attr *out);

/* Says that a row's size changed, before those who know it otherwise forget it. */
void attr_changed(Mailbox *mailbox);

/*
 * Sees to it that NODE (a row below FOLDER) is young enough, asking the server when it is not, and
 * fills NODE again. ENOENT: the server has it no more (the row is deleted).
 */
gboolean tree_refresh(Mailbox *mailbox, const Caller *caller, Node *node, GError **error);

/* Asks the server about NODE now, however young it is; as tree_refresh(), line errors included. */
gboolean tree_ask(Mailbox *mailbox, const Caller *caller, Node *node, GError **error);

/* Fills OUT with the row INO; ESTALE when there is none. */
gboolean row_read(Mailbox *mailbox, gint64 ino, Node *out, GError **error);

/* --- listing.c ----------------------------------------------------------------------------- */

/* What we remember of a folder while mounted. */
typedef struct {
  gboolean busy; /* a listing runs */
  gint64 told;   /* Node.listing when the kernel last filled its directory pages; -1 never */
  guint asked;   /* names asked for one by one since the last listing */
  guint ended;   /* listings that came to an end, well or not */
  GError *error; /* how the last one ended, for those who waited for it */
} Folder;

/* The Folder of INO, made at need. Mailbox.lock is held. */
Folder *folder_get(Mailbox *mailbox, gint64 ino);

/* Lists FOLDER, or waits for the listing that another thread runs. */
gboolean listing_refresh(Mailbox *mailbox, const Caller *caller, const Node *folder,
                         GError **error);

/* TRUE in *RET_SAME when the content tag is still that of the last listing (and confirms it). */
gboolean listing_probe(Mailbox *mailbox, const Caller *caller, const Node *folder,
                       gboolean *ret_same, GError **error);

/* --- body.c: bodies that arrive ------------------------------------------------------------- */

typedef struct Body Body;

/*
 * The body of one version: from the cache, or fetched from now on. The caller holds a reference.
 * Does not wait.
 */
Body *body_get(Mailbox *mailbox, const Node *node, GError **error);
/*
 * ID has other bytes from now on (a write of ours that stays the same version): what was read or is
 * arriving is not given to those who open it later, nor kept.
 */
void body_outdate(Mailbox *mailbox, NodeId id);

Body *body_ref(Body *body); /* Mailbox.lock is held */
void body_put(Body *body);  /* NULL is fine; takes Mailbox.lock */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Body, body_put)

/* Waits until the length is known. ESTALE: the server has another version. */
gboolean body_wait_size(Body *body, const Caller *caller, gint64 *ret_size, GError **error);

/* Waits until the bytes up to END (or all of them) are there; *RET_HAVE: how many are. */
gboolean body_wait(Body *body, const Caller *caller, gint64 end, gint64 *ret_have, GError **error);

/* The descriptor the bytes are read from; valid while BODY is held. */
int body_fd(const Body *body);

/* Runs on a thread of Mailbox.fetchers. */
void body_fetch(gpointer body, gpointer mailbox);

/* --- size.c: true sizes ----------------------------------------------------------------------- */

/* An open that was refused so that the kernel hears the true size. */
typedef struct {
  gint64 ino;
  guint32 version;
  gboolean told; /* Mailbox.lock: the kernel has looked up since */
  Body *body;    /* goes on arriving until the kernel is back */
} Bounce;

void bounce_free(gpointer bounce); /* takes Mailbox.lock */

/* The open of ID is refused now; BODY is kept for the next. */
void size_bounce(Mailbox *mailbox, NodeId id, Body *body);

/* The kernel is told INO's size. */
void size_told(Mailbox *mailbox, gint64 ino);

/* TRUE when ID's open was refused and the kernel comes back without having looked up. */
gboolean size_was_told_wrong(Mailbox *mailbox, NodeId id);

/*
 * An open of CALLER is refused: the kernel looks up again and opens what it finds, once. So that
 * this is not refused for its size, that is learnt before the lookup is answered.
 */
void size_note_refused(Mailbox *mailbox, const Caller *caller);
/* NODE may be read again; without a name: its row is gone. */
void size_after_refusal(Mailbox *mailbox, const Caller *caller, Node *node);

/* Measures NODE if its size is an estimate, and fills it again. A body that cannot be read keeps
 * its estimate; EINTR ends it. */
gboolean size_learn(Mailbox *mailbox, const Caller *caller, Node *node, GError **error);

/* The same for all of FOLDER's members, in parallel. */
gboolean sizes_learn(Mailbox *mailbox, const Caller *caller, gint64 folder, GError **error);

/* --- file.c ---------------------------------------------------------------------------------- */

NodeId file_id(const File *file);

/* The process of thread PID: the kernel tells thread ids. */
pid_t process_of(pid_t pid);

/* FALSE with the errno for a NAME that nobody may create. */
gboolean name_may_be_made(const char *name, GError **error);

/* Fills FOLDER with the row INO, in which something shall change: EROFS, ESTALE. */
gboolean folder_may_change(Mailbox *mailbox, gint64 ino, Node *folder, GError **error);

/* --- mailbox.c ------------------------------------------------------------------------------- */

/* There is something for the worker to send. */
void mailbox_wake(Mailbox *mailbox);

/* --- node.c: rows that are held or open ------------------------------------------------------ */

/* One version of one file while it is open; shared by all its handles. */
typedef struct {
  NodeId id;
  guint handles; /* Mailbox.lock */
  struct Row *row;
  /* Below: Mailbox.lock to read; written by who holds the row as well. */
  Body *body;         /* what was opened; NULL until it is needed */
  GPtrArray *retired; /* failed bodies: a reply may still read from their descriptors */
  int stage;          /* the written copy, -1 while nothing was written */
  gint64 size;        /* of the stage, else of the version */
  gint64 written;     /* ns since 1970 of the last write; TIME_UNKNOWN */
  gint64 mtime;       /* what a user set since; TIME_UNKNOWN */
  guint32 base;       /* the version the stage changes; VERSION_NONE after a conflict */
  gboolean dirty;     /* bytes the server does not have */
  gboolean told;      /* a caller was told that these bytes were refused */
  gboolean kept;      /* the stage is the file of a local row (bodies_local_keep) */
  gboolean unnoted;   /* sent, but the index had no room to say so */
  int broken;         /* errno of a write that failed: what is staged is not whole; 0 */
  gboolean withdrawn; /* the writer was killed: these bytes are not wanted */
  gboolean unlinked;  /* no name any more: nothing is sent */
} OpenNode;

typedef struct Row {
  gint64 ino;
  guint users;      /* handles and waiters */
  gboolean held;    /* somebody changes it */
  GPtrArray *nodes; /* OpenNode, one for each version that is open */
} Row;

/* A handle. */
struct File {
  Mailbox *mailbox;
  OpenNode *open;
  pid_t process;          /* who opened it */
  gboolean flushed_empty; /* by its first close; under the row's hold */
};

/*
 * Keeps all others who change INO off until row_let_go(). EINTR, ETIMEDOUT. *RET stays valid until
 * then.
 */
gboolean row_hold(Mailbox *mailbox, const Caller *caller, gint64 ino, Row **ret, GError **error);
void row_let_go(Mailbox *mailbox, Row *row);

/* The open node of ID, with one more handle; made from NODE at need. */
OpenNode *open_node_get(Mailbox *mailbox, const Node *node);
/* Gives a handle back; the last one frees it. */
void open_node_put(Mailbox *mailbox, OpenNode *open);

/* Nobody finds OPEN any more, unless others have handles of it: FALSE. */
gboolean open_node_detach(Mailbox *mailbox, OpenNode *open);

/* The open node of (INO, VERSION), or NULL. Mailbox.lock is held. */
OpenNode *open_node_find(Mailbox *mailbox, NodeId id);

/* The body of OPEN, asked for at need; the caller gets a reference of its own. ESTALE. */
Body *open_node_body(Mailbox *mailbox, OpenNode *open, GError **error);

/* After BODY failed: the next reader of OPEN asks anew. */
void open_node_drop_body(Mailbox *mailbox, OpenNode *open, Body *body);

/* Waits until OPEN's body is here whole. */
gboolean open_node_wait_whole(Mailbox *mailbox, const Caller *caller, OpenNode *open,
                              gint64 *ret_size, GError **error);

/*
 * Gives OPEN a stage that holds the first KEEP bytes of its body (-1: all). The row is held. Waits
 * for the body.
 */
gboolean open_node_stage(Mailbox *mailbox, const Caller *caller, OpenNode *open, gint64 keep,
                         GError **error);

/*
 * Before the server forgets the row's body: waits until every open version is here whole. The row
 * is held.
 */
gboolean row_keep_bodies(Mailbox *mailbox, const Caller *caller, Row *row, GError **error);

/* --- change/: what can change the server ------------------------------------------------------ */

/*
 * Sends OPEN's stage: a new item, or the replacement of the version it was made from. The row is
 * held. ESTALE: a conflict; the bytes are in .exchange/unsent.
 */
gboolean put_upload(Mailbox *mailbox, const Caller *caller, OpenNode *open, GError **error);

/* The same for the last close, with nobody to tell: journalled, and kept if it fails. */
void put_last(Mailbox *mailbox, OpenNode *open);

/* Sends the SIZE bytes of FD as NAME in FOLDER, over TARGET (NULL: it must not exist). */
gboolean put_local(Mailbox *mailbox, const Caller *caller, int fd, gint64 size, gint64 folder,
                   const char *name, const Node *target, Entry *out, GError **error);

/* Finishes, or puts aside, what an earlier mount left in the journal. FALSE: the line failed. */
gboolean put_recover(Mailbox *mailbox);

/* Sends owed mtimes until there are none, DEADLINE, or the line fails. TRUE: none left. */
gboolean mtime_send_owed(Mailbox *mailbox, gint64 deadline);

/* --- unsent.c -------------------------------------------------------------------------------- */

/* Makes sure .exchange/unsent exists and removes what an earlier crash left half made. */
gboolean unsent_prepare(Mailbox *mailbox, gboolean rebuilt, GError **error);

/* Keeps the SIZE bytes of FD as NAME in .exchange/unsent and says so in the log, with WHY. */
gboolean unsent_keep(Mailbox *mailbox, const char *name, int fd, gint64 size, const char *why,
                     GError **error);
