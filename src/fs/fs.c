/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the session: mounting, what is agreed with the kernel, the loop, its end. The operations are
 * in op_*.c; those not in the table (xattrs, fallocate, lseek, locks, forget) are libfuse's answer
 * or the kernel's own, which is what they should be: ENOSYS once, never asked again.
 */
#include "fs/private.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Each may wait for the server, so ten, the default, would freeze the mount. */
#define THREADS_MAX 256u
#define THREADS_IDLE 16u
#define BACKGROUND_MAX 256u

static void op_init(void *user, struct fuse_conn_info *conn)
{
  (void)user;
  /* A buffered read is interruptible only when it is synchronous. */
  if (RULE("fs-sync-read"))
    conn->want &= ~(unsigned)FUSE_CAP_ASYNC_READ;
  /* Pages belong to a version: a new mtime says nothing about them. Listings carry attributes
   * always, so that no program comes to a request for each file: for 10,000 files this costs a
   * plain `ls` 20 ms and saves one that lists first and looks later 300. Moving pages out of the
   * cache's file (SPLICE_MOVE) was slower than copying them. */
  conn->want &= ~(unsigned)(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_READDIRPLUS_AUTO |
                            FUSE_CAP_WRITEBACK_CACHE | FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_MOVE);
  conn->want |=
      conn->capable & (FUSE_CAP_ATOMIC_O_TRUNC | FUSE_CAP_READDIRPLUS | FUSE_CAP_SPLICE_WRITE);
  conn->max_write = MIN(conn->max_write, MAX_TRANSFER);
  conn->max_background = BACKGROUND_MAX;
  conn->congestion_threshold = BACKGROUND_MAX * 3 / 4;
}

static const struct fuse_lowlevel_ops operations = {
    .init = op_init,
    .lookup = op_lookup,
    .getattr = op_getattr,
    .setattr = op_setattr,
    .statfs = op_statfs,
    .opendir = op_opendir,
    .readdir = op_readdir,
    .readdirplus = op_readdirplus,
    .open = op_open,
    .create = op_create,
    .read = op_read,
    .write = op_write,
    .flush = op_flush,
    .fsync = op_fsync,
    .release = op_release,
    .mknod = op_mknod,
    .mkdir = op_mkdir,
    .unlink = op_unlink,
    .rmdir = op_rmdir,
    .rename = op_rename,
    .symlink = op_symlink,
    .link = op_link,
};

/* libfuse's last words, for the sentence of a mount that failed. */
static char last_words[256];

static void fuse_says(enum fuse_log_level level, const char *format, va_list args)
{
  (void)level;
  char text[sizeof last_words];
  g_vsnprintf(text, sizeof text, format, args);
  g_strchomp(text);
  log_debug("fs", "%s", text);
  memcpy(last_words, text, sizeof text);
}

static struct fuse_session *session_new(Fs *fs, const FsOptions *options)
{
  struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
  char *list = NULL;
  g_autofree char *source = g_strdup_printf("fsname=%s", options->source);
  gboolean ok = fuse_opt_add_opt(&list, "nosuid,nodev,noexec,subtype=exchangefs") == 0 &&
                fuse_opt_add_opt_escaped(&list, source) == 0;
  /* Without it a 0600 file is read by anybody whom allow_other lets in. */
  if (ok && RULE("fs-default-permissions"))
    ok = fuse_opt_add_opt(&list, "default_permissions") == 0;
  if (ok && options->allow_other)
    ok = fuse_opt_add_opt(&list, "allow_other") == 0;
  if (ok && options->read_only)
    ok = fuse_opt_add_opt(&list, "ro") == 0;
  ok = ok && fuse_opt_add_arg(&args, "exchangefs") == 0 && fuse_opt_add_arg(&args, "-o") == 0 &&
       fuse_opt_add_arg(&args, list) == 0;
  struct fuse_session *session =
      ok ? fuse_session_new(&args, &operations, sizeof operations, fs) : NULL;
  fuse_opt_free_args(&args);
  free(list);
  return session;
}

Fs *fs_mount(Mailbox *mailbox, const char *path, const FsOptions *options, GError **error)
{
  g_autoptr(Fs) fs = g_new0(Fs, 1);
  mode_t off = options->umask | (options->read_only ? 0222 : 0) | (options->users ? 0077 : 0);
  fs->mailbox = mailbox;
  fs->users = options->users;
  fs->since = g_get_real_time() * 1000;
  fs->generation = options->users && RULE("multi-generation") ? g_random_int() : 0;
  fs->path = g_strdup(path);
  fs->uid = options->uid;
  fs->gid = options->gid;
  fs->file_mode = 0666 & ~off;
  fs->folder_mode = 0777 & ~off;
  fs->ending = cancel_new();
  fs->files = g_hash_table_new(NULL, NULL);
  fs->attrs_until = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
  g_mutex_init(&fs->lock);

  fuse_set_log_func(fuse_says);
  fs->session = session_new(fs, options);
  if (fs->session && fuse_session_mount(fs->session, path) == 0)
    fs->mounted = kernel_hook(fs) == 0;
  if (!fs->mounted) {
    const char *refused = geteuid() == 0 ? "the kernel refused it"
                                         : "fusermount3 refused it: see what it says, and whether "
                                           "/etc/fuse.conf has user_allow_other for allow_other";
    error_set(error, EIO, SCOPE_LOCAL, "cannot mount on %s: %s", path,
              *last_words ? last_words : refused);
    return NULL;
  }
  return g_steal_pointer(&fs);
}

/* All that a signal handler may do: the watcher does the rest. */
static int signal_fd = -1;

static void on_end_signal(int number)
{
  (void)number;
  int saved = errno;
  ssize_t written = write(signal_fd, &(guint64){1}, sizeof(guint64));
  (void)written;
  errno = saved;
}

static void on_wake_signal(int number)
{
  (void)number;
}

typedef struct {
  Fs *fs;
  pthread_t loop;
} Watch;

/*
 * libfuse's loop sleeps in sem_wait(3) and looks at the exit flag only when a signal interrupts
 * that; one sent just before it falls asleep is lost, hence the repetition.
 */
static gpointer watch_end(gpointer user)
{
  const Watch *watch = user;
  guint64 count;
  while (read(signal_fd, &count, sizeof count) < 0 && errno == EINTR)
    ;
  if (!g_atomic_int_get(&watch->fs->over)) {
    cancel_trigger(watch->fs->ending);
    fuse_session_exit(watch->fs->session);
  }
  while (!g_atomic_int_get(&watch->fs->over)) {
    pthread_kill(watch->loop, SIGUSR1);
    g_usleep(20000);
  }
  return NULL;
}

static int run_loop(Fs *fs)
{
  struct fuse_loop_config *config = fuse_loop_cfg_create();
  fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
  fuse_loop_cfg_set_idle_threads(config, THREADS_IDLE);
  int result = fuse_session_loop_mt(fs->session, config);
  fuse_loop_cfg_destroy(config);
  return result;
}

gboolean fs_serve(Fs *fs, GError **error)
{
  static const int ends[] = {SIGTERM, SIGINT, SIGHUP};
  struct sigaction end = {.sa_handler = on_end_signal, .sa_flags = SA_RESTART};
  struct sigaction wake = {.sa_handler = on_wake_signal}; /* no SA_RESTART: it must interrupt */
  struct sigaction before[G_N_ELEMENTS(ends)], before_wake;

  signal_fd = eventfd(0, EFD_CLOEXEC);
  if (signal_fd < 0)
    return error_set(error, errno, SCOPE_LOCAL, "no descriptor is left for signals");
  sigaction(SIGUSR1, &wake, &before_wake);
  for (gsize i = 0; i < G_N_ELEMENTS(ends); i++) {
    sigaction(ends[i], NULL, &before[i]);
    if (before[i].sa_handler != SIG_IGN)
      sigaction(ends[i], &end, NULL);
  }

  Watch watch = {fs, pthread_self()};
  GThread *watcher = g_thread_new("fs-end", watch_end, &watch);
  int result = run_loop(fs);
  g_atomic_int_set(&fs->over, 1);
  cancel_trigger(fs->ending);
  on_end_signal(0); /* lets the watcher go when no signal did */
  g_thread_join(watcher);

  fuse_session_unmount(fs->session);
  fs->mounted = FALSE;
  files_release_all(fs);
  for (gsize i = 0; i < G_N_ELEMENTS(ends); i++)
    sigaction(ends[i], &before[i], NULL);
  sigaction(SIGUSR1, &before_wake, NULL);
  close(signal_fd);
  signal_fd = -1;
  if (result < 0)
    return error_set(error, -result, SCOPE_LOCAL, "the mount on %s broke: %s", fs->path,
                     g_strerror(-result));
  return TRUE;
}

void fs_free(Fs *fs)
{
  if (!fs)
    return;
  if (fs->mounted)
    fuse_session_unmount(fs->session);
  if (fs->session)
    fuse_session_destroy(fs->session);
  g_hash_table_unref(fs->attrs_until);
  g_hash_table_unref(fs->files);
  g_mutex_clear(&fs->lock);
  cancel_unref(fs->ending);
  g_free(fs->path);
  g_free(fs);
}
