/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mailbox as a user sees it: a tree of folders and files, backed by the store and the cache.
 * This is all that fs/ knows.
 *
 * Calls block (network, disk) until done, the caller's token is set (EINTR) or the time allowed has
 * passed (ETIMEDOUT); they may run on any thread and concurrently. Errors are XFS_ERROR; their
 * errno is what the system call shall fail with. Outputs are untouched on failure.
 */
#pragma once

#include "base/cancel.h"
#include "model/entry.h"
#include "store/store.h"

#include <sys/types.h>

typedef struct Mailbox Mailbox;
typedef struct File File; /* an open file */

typedef struct {
  const char *cache_dir; /* this mount's alone */
  const char *identity;  /* origin, root and user: the cache belongs to it */
  gint64 cache_size;     /* bytes of bodies kept */
  gint64 attr_ttl_ms;    /* what we know may be served so long without asking (60,000) */
  gint64 timeo_ms;       /* reads and commits: no progress for so long is ETIMEDOUT (30,000) */
  gint64 timeo_meta_ms;  /* namespace operations end after (5,000) */
  gboolean sizes_exact;  /* learn true sizes before they are told (-o sizes=exact) */
  gboolean read_only;    /* -o ro: nothing is ever sent that could change the server */
  gboolean offline;      /* serve what is cached while the server is away (-o offline=auto) */
  Cancel *cancel;        /* ends mailbox_open() with EINTR; NULL: nothing does */
} MailboxOptions;

/* One version of one file, or a folder (version 0). fs/ packs both into the kernel's node id. */
typedef struct {
  gint64 ino;
  guint32 version;
} NodeId;

typedef struct {
  NodeId id;
  gboolean folder, read_only;
  gint64 size;         /* bytes; an estimate is an upper bound and never 0 */
  gint64 mtime, ctime; /* ns since 1970 */
  gint64 valid_us;     /* the kernel may keep this answer so long (microseconds, 0: not at all) */
} Attr;

/* On whose behalf a call runs. */
typedef struct {
  Cancel *cancel; /* set by an interrupt; NULL: cannot be interrupted */
  pid_t pid;      /* thread id as the kernel tells it; 0: nobody's (RELEASE, mmap) */
} Caller;

/*
 * Opens cache and store. Takes STORE over, also on failure. When the server cannot be reached and
 * offline is set and the cache knows this store, the mailbox starts from the cache. Errors are for
 * the user at mount time: one sentence with the next step.
 */
Mailbox *mailbox_open(Store *store, const MailboxOptions *options, GError **error);

/*
 * Sends what is still owed for as long as the line answers (bounded by timeo), stops the threads,
 * closes cache and store. No other call may be under way, no file open. NULL is fine.
 */
void mailbox_close(Mailbox *mailbox);

/* The server in one line, for log and status; borrowed. */
const char *mailbox_description(const Mailbox *mailbox);

/* Finds NAME in the folder PARENT. ENOENT only when the server (or a complete listing) says so. */
gboolean mailbox_lookup(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                        Attr *out, GError **error);

/*
 * Attributes of a node; FILE, when not NULL, is an open file of it, which is asked rather than the
 * tree. Does not ask the server for a file whose version is outdated: it answers what was.
 */
gboolean mailbox_getattr(Mailbox *mailbox, const Caller *caller, NodeId id, File *file, Attr *out,
                         GError **error);

/* Sets the mtime (ns since 1970); kept at once here, sent in the background. */
gboolean mailbox_set_mtime(Mailbox *mailbox, const Caller *caller, NodeId id, File *file,
                           gint64 mtime, Attr *out, GError **error);

/*
 * Truncates or extends to SIZE; without FILE it is an overwrite of its own, sent before this
 * returns. EFBIG over the limit of a file (1 TiB), at once.
 */
gboolean mailbox_truncate(Mailbox *mailbox, const Caller *caller, NodeId id, File *file,
                          gint64 size, Attr *out, GError **error);

/*
 * Makes sure that FOLDER's listing is known and fresh. *RET_SAME: nothing in it changed since the
 * last opendir, so the kernel may keep the directory pages it has.
 */
gboolean mailbox_opendir(Mailbox *mailbox, const Caller *caller, gint64 folder, gboolean *ret_same,
                         GError **error);

/*
 * Calls FUNC for the members of FOLDER with ino > AFTER, in ino order (ino serves as the offset),
 * until it answers FALSE. Only after a mailbox_opendir(). Attributes are those of the live row.
 */
typedef gboolean (*MailboxDirFunc)(const char *name, const Attr *attr, gpointer user);
gboolean mailbox_readdir(Mailbox *mailbox, gint64 folder, gint64 after, MailboxDirFunc func,
                         gpointer user, GError **error);

/* The folder that holds FOLDER (the root's is the root). */
gint64 mailbox_parent(Mailbox *mailbox, gint64 folder);

/*
 * Opens one version (FLAGS as open(2): access mode, O_TRUNC, O_APPEND). ESTALE: that version is
 * outdated, or its true size was just learnt and differs from what was told: the kernel looks up
 * again. *RET_SIZE_TOLD_WRONG: the kernel came back without looking up (a reopen through /proc):
 * drop its attributes (notify_inval_inode with offset -1) before answering the open.
 */
gboolean mailbox_open_file(Mailbox *mailbox, const Caller *caller, NodeId id, int flags, File **ret,
                           gboolean *ret_size_told_wrong, GError **error);

/* Creates NAME in PARENT and opens it. EEXIST, EINVAL, EILSEQ, ENAMETOOLONG before anything is
 * sent. */
gboolean mailbox_create(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                        File **ret, Attr *out, GError **error);

/*
 * Bytes of FILE: waits until LEN bytes from OFFSET on (or all up to the end) are on disk. *RET_FD
 * holds them at the same offset and stays valid until file_release(); *RET_LEN is less than LEN
 * only at the end of the file. ESTALE: the version is no more and was not kept.
 */
gboolean file_read(File *file, const Caller *caller, gint64 offset, gsize len, int *ret_fd,
                   gsize *ret_len, GError **error);

/* Writes LEN bytes at OFFSET into the staged copy. ENOSPC, EFBIG, EROFS. */
gboolean file_write(File *file, const Caller *caller, const void *bytes, gsize len, gint64 offset,
                    GError **error);

/*
 * One close(2) of a descriptor of FILE: sends what was written and answers the server's verdict, if
 * anything was written and CALLER is of the process that opened it. An interrupted one is
 * withdrawn: nothing of it stays on the server, EINTR.
 */
gboolean file_flush(File *file, const Caller *caller, GError **error);

/* Sends what was written, whoever asks; TRUE: it is on the server. */
gboolean file_fsync(File *file, const Caller *caller, GError **error);

/* The last close: sends what no flush covered; a failure goes to .exchange/unsent and the log. */
void file_release(File *file);

gboolean mailbox_mkdir(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                       Attr *out, GError **error);
gboolean mailbox_unlink(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                        GError **error);
gboolean mailbox_rmdir(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                       GError **error);

/* FLAGS as renameat2(2): 0 or RENAME_NOREPLACE, others EINVAL. EXDEV where the caller must copy. */
gboolean mailbox_rename(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                        gint64 new_parent, const char *new_name, unsigned flags, GError **error);

/* What the server tells of its room, as known by now: never waits. */
void mailbox_quota(Mailbox *mailbox, StoreQuota *out);
