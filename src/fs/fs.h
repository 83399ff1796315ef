/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shows a mailbox to the kernel as a directory (libfuse3, low-level). What the kernel does with our
 * answers decides most of this layer; errno for the kernel begins here, in reply.c.
 */
#pragma once

#include "mailbox/mailbox.h"
#include "mailbox/users.h"

typedef struct Fs Fs;

typedef struct {
  const char *source;   /* what mount(8) shows as the device */
  uid_t uid;            /* owner of everything shown */
  gid_t gid;            /* group of everything shown */
  mode_t umask;         /* taken from 0666 for files and 0777 for folders */
  gboolean read_only;   /* mounted ro; nothing shows a w bit */
  gboolean allow_other; /* other users may enter; the mode bits still hold for them */
  Users *users;         /* a directory for each of these (borrowed until fs_free()), or NULL */
} FsOptions;

/*
 * Checks that PATH can be mounted on: an empty directory (any, with NONEMPTY) with nothing of ours
 * on it, and that this process may mount at all. A mount whose daemon died is removed first.
 * Errors are one sentence for the user. Blocks on the disk that holds PATH.
 */
gboolean fs_check_mountpoint(const char *path, gboolean nonempty, GError **error);

/*
 * Mounts on PATH (absolute). From now on the kernel takes requests; they wait for fs_serve().
 * MAILBOX (NULL with users) is borrowed until fs_free(). OPTIONS is not kept. NULL with a sentence
 * for the user.
 */
Fs *fs_mount(Mailbox *mailbox, const char *path, const FsOptions *options, GError **error);

/*
 * Answers requests until the mount is removed, or SIGTERM, SIGINT or SIGHUP comes (each keeps the
 * handler it had, if it is ignored). Then running waits end with EINTR, every request read is
 * answered, the mount is removed and open files are released. Must be called from the thread that
 * called fs_mount(), once. FALSE when the kernel's end of it broke.
 */
gboolean fs_serve(Fs *fs, GError **error);

/* Removes the mount if it is still there. NULL is fine. */
void fs_free(Fs *fs);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Fs, fs_free)
