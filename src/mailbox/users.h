/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The users of one mount (-o multiuser): to each uid a mailbox of its own, opened when its user
 * first comes and closed with the mount. Nothing is shared between two of them but this table, so
 * what one user fetched is not there to be given to another.
 *
 * Calls may run on any thread and concurrently. Errors are XFS_ERROR.
 */
#pragma once

#include "mailbox/mailbox.h"

typedef struct Users Users;

/* As many as have ever come; each holds a range of inode numbers. */
#define USERS_MAX 4095u

/* A user whose mailbox is open; stays as it is until users_close(). */
typedef struct {
  guint index; /* 1 to USERS_MAX; the same in each mount with this cache directory */
  uid_t uid;
  gid_t gid;        /* the primary group */
  const char *name; /* of the user's directory: see users_show_name() */
  gint64 since;     /* ns since 1970: when the mailbox was opened */
  Mailbox *mailbox;
} User;

/*
 * Opens the mailbox of UID. Blocks as long as a mount may; CANCEL ends it with EINTR. Runs on a
 * thread of its own, for several users at once. Errors are for the log: one sentence.
 */
typedef Mailbox *(*UsersOpenFunc)(const char *name, uid_t uid, Cancel *cancel, gpointer data,
                                  GError **error);

/*
 * A table without users. DIR, made private and locked for this mount, remembers who has which
 * range. WAIT_MS: how long after the start of an opening calls wait for it. Blocks on the disk.
 */
Users *users_open(const char *dir, gint64 wait_ms, UsersOpenFunc func, gpointer data,
                  GError **error);

/* Ends what is being opened, closes all mailboxes, several at once. As mailbox_close(). */
void users_close(Users *users);

/*
 * UID, on whose behalf CALLER runs, looks NAME up: the user of that name, if open. UID's own name
 * opens UID's mailbox; the wait for that ends with the caller's token (EINTR) or WAIT_MS
 * (ETIMEDOUT), the opening goes on. Why it failed (a scope of SCOPE_STORE or more) is told to all
 * who come within USERS_MEMORY_US, without asking again. ENOENT with SCOPE_ITEM: no such user has
 * come. ENOSPC: USERS_MAX have. May block in the host's user database as well.
 */
#define USERS_MEMORY_US (3 * G_USEC_PER_SEC)
const User *users_lookup(Users *users, const Caller *caller, uid_t uid, const char *name,
                         GError **error);

/* The user INDEX, NULL when not open. Never blocks. */
const User *users_find(Users *users, guint index);

/* The open user UID, NULL when there is none. */
const User *users_find_uid(Users *users, uid_t uid);

/* What UID's directory is called: the login name, as far as it can be; may block there. */
char *users_name(uid_t uid, gid_t *ret_gid);

/*
 * The name to show for UID, whose login name is LOGIN (NULL: unknown to the host): that, unless it
 * cannot be a file's name or could be taken for another's uid; else the uid in digits.
 */
char *users_show_name(const char *login, uid_t uid);
