/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of fs/ share: the mount, one request under way, the operations by name.
 *
 * Node ids: (version << 40) | ino, so an inode of the kernel is one version of one file, its pages
 * never go stale, and nothing here has to remember what the kernel knows (forget does nothing).
 * Versions wrap at 24 bits: the mailbox is handed what was packed. In a mount for many users the
 * upper 12 of the 40 bits are the user's index (0: the mount's root), see users.c.
 */
#pragma once

#define FUSE_USE_VERSION 314
#include "fs/fs.h"

#include <fuse_lowlevel.h>

#define NS_PER_SECOND ((gint64)1000000000)

/* Directory offsets of what is no member. */
#define DOT 1
#define DOT_DOT 2

/* The largest READ and WRITE; the kernel may settle for less. */
#define MAX_TRANSFER (1u << 20)

struct Fs {
  Mailbox *mailbox;   /* NULL with users */
  Users *users;       /* NULL: everything is one mailbox's */
  gint64 since;       /* ns since 1970: when it was mounted */
  guint32 generation; /* with users: in each file handle, so that nobody can make one up */
  struct fuse_session *session;
  char *path;
  gboolean mounted;
  uid_t uid;
  gid_t gid;
  mode_t file_mode, folder_mode; /* with the umask and -o ro taken off */
  Cancel *ending;                /* set when the mount ends: every request's token follows it */
  GMutex lock;
  GHashTable *files;       /* lock: File that the kernel holds open */
  GHashTable *attrs_until; /* lock: folder ino -> gint64 monotonic us, see op_dir.c */
  guint64 init_unique;     /* kernel.c: the INIT request under way; before any thread */
  guint32 init_offered;
  gint over; /* atomic: the loop has returned */
};

/* One request, from the kernel's question to the one answer; on the worker's stack. */
typedef struct {
  Fs *fs;
  Mailbox *mailbox; /* whose node this is about; set by call_enter() */
  const User *user; /* the same; NULL: nobody in particular */
  fuse_req_t req;   /* NULL once answered */
  const char *what;
  Caller caller;
  gulong ending_id;
  gboolean loud; /* an error is for the log, whatever its errno */
  GError *error; /* set by the mailbox; answered and freed by call_end() */
} Call;

/* intr.c: starts a call whose token is set by an interrupt and by the end of the mount. */
void call_begin(Call *call, fuse_req_t req, const char *what);
/*
 * users.c: finds what NODE is to its mailbox. FALSE when the caller may not have it, which is
 * answered or in call->error then.
 */
gboolean call_enter(Call *call, fuse_ino_t node, NodeId *ret);
/*
 * users.c: the same for whoever asks about FILE, open; NULL: by name. The owner opened it, and has
 * handed the descriptor on or become another since.
 */
gboolean call_enter_open(Call *call, fuse_ino_t node, const File *file, NodeId *ret);
/* intr.c: lets go of the token. Before each answer: an answer frees the request. */
void call_settle(Call *call);
/* reply.c: answers call->error (EIO when there is none) unless the call was answered. */
void call_end(Call *call);

/* reply.c: the one answer of a call. */
void reply_done(Call *call);
void reply_errno(Call *call, int errnum);
void reply_entry(Call *call, const Attr *attr);
void reply_attr(Call *call, const Attr *attr);
/* FALSE: the caller is gone, or told of call->error, and will never release what it would have
 * opened. */
gboolean reply_open(Call *call, const struct fuse_file_info *info);
gboolean reply_create(Call *call, const Attr *attr, const struct fuse_file_info *info);
void reply_bytes(Call *call, const void *bytes, gsize len);
void reply_written(Call *call, gsize len);
/* ST or ENTRY is made by hand: see entry_fill(); VALID in seconds. */
void reply_stat(Call *call, const struct stat *st, double valid);
void reply_made_entry(Call *call, const struct fuse_entry_param *entry);
void reply_fd(Call *call, int fd, gint64 offset, gsize len);

void reply_statfs(Call *call, const struct statvfs *st);

/* reply.c: how ATTR, of the mailbox of CALL, looks to the kernel. FALSE with call->error when it
 * cannot be told. */
gboolean entry_fill(Call *call, const Attr *attr, struct fuse_entry_param *out);

/* users.c: where the inode numbers of the mailbox of CALL begin; 0 for the only one. */
guint64 call_base(const Call *call);
/* users.c: FALSE with call->error: INO is beyond the range of its user. */
gboolean call_fits(Call *call, gint64 ino);

/* users.c: TRUE for the root of a mount for many users, which is no mailbox's; then these. */
gboolean is_users_root(const Fs *fs, fuse_ino_t node);
void root_lookup(Call *call, const char *name);
void root_getattr(Call *call);
void root_readdir(Call *call, size_t size, off_t offset, gboolean plus);

fuse_ino_t node_pack(NodeId id);
NodeId node_unpack(fuse_ino_t node);

/* op_file.c: what is still open when the mount ends. */
void files_release_all(Fs *fs);

/* kernel.c: hooks between libfuse and /dev/fuse; 0 or -errno. */
int kernel_hook(Fs *fs);

void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_getattr(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *info);
void op_setattr(fuse_req_t req, fuse_ino_t node, struct stat *to, int what,
                struct fuse_file_info *info);
void op_statfs(fuse_req_t req, fuse_ino_t node);
void op_opendir(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *info);
void op_readdir(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                struct fuse_file_info *info);
void op_readdirplus(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
                    struct fuse_file_info *info);
void op_open(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *info);
void op_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
               struct fuse_file_info *info);
void op_read(fuse_req_t req, fuse_ino_t node, size_t size, off_t offset,
             struct fuse_file_info *info);
void op_write(fuse_req_t req, fuse_ino_t node, const char *bytes, size_t size, off_t offset,
              struct fuse_file_info *info);
void op_flush(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *info);
void op_fsync(fuse_req_t req, fuse_ino_t node, int datasync, struct fuse_file_info *info);
void op_release(fuse_req_t req, fuse_ino_t node, struct fuse_file_info *info);
void op_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t device);
void op_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void op_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void op_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
               const char *new_name, unsigned flags);
void op_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name);
void op_link(fuse_req_t req, fuse_ino_t node, fuse_ino_t new_parent, const char *new_name);
