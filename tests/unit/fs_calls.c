/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a request and of the mount: in parallel, interrupted, answered at the end, and what
 * is looked at before mounting.
 */
#include "fs_mounted.h"

#include <dirent.h>

#define NOBODY 65534

static void lookups_run_in_parallel(void **state)
{
  (void)state;
  pid_t one = start(do_stat, "wait-1"), two = start(do_stat, "wait-2");
  wait_until(&shared->waiting, 2);
  struct dirent *entry = NULL;
  DIR *open_dir = opendir(dir); /* `ls` goes on meanwhile */
  if (open_dir) {
    entry = readdir(open_dir);
    closedir(open_dir);
  }
  gint waiting = g_atomic_int_get(&shared->waiting);
  g_atomic_int_set(&shared->open_gate, 1);
  assert_int_equal(exit_code_of(one), ENOENT);
  assert_int_equal(exit_code_of(two), ENOENT);
  assert_int_equal(waiting, 2);
  assert_non_null(entry);
}

static void on_interrupt(int number)
{
  (void)number;
}

/* A program with a handler of its own: the wait must end, the program goes on. */
static int interrupted_stat(const char *name)
{
  struct sigaction action = {.sa_handler = on_interrupt};
  sigaction(SIGINT, &action, NULL);
  return do_stat(name);
}

static int interrupted_read(const char *name)
{
  struct sigaction action = {.sa_handler = on_interrupt};
  sigaction(SIGINT, &action, NULL);
  static char bytes[STALL_SIZE];
  int fd = open(in_mount(name), O_RDONLY);
  ssize_t got = fd < 0 ? -1 : pread(fd, bytes, 4096, STALL_AFTER);
  return got < 0 ? errno : 0;
}

static void check_interrupt(int (*func)(const char *), const char *name)
{
  pid_t pid = start(func, name);
  wait_until(&shared->waiting, 1);
  assert_int_equal(g_atomic_int_get(&shared->waiting), 1);
  gint64 before = g_get_monotonic_time();
  kill(pid, SIGINT);
  int code = exit_code_of(pid);
  gint64 took = g_get_monotonic_time() - before;
  g_atomic_int_set(&shared->open_gate, 1);
  assert_int_equal(code, EINTR);
  assert_true(took < G_USEC_PER_SEC);
}

static void interrupt_ends_a_lookup(void **state)
{
  (void)state;
  check_interrupt(interrupted_stat, "wait-x");
}

static void interrupt_ends_a_read(void **state)
{
  (void)state;
  check_interrupt(interrupted_read, "stalls");
}

static int read_start(const char *name)
{
  char bytes[1000];
  int fd = open(in_mount(name), O_RDONLY);
  return fd >= 0 && read(fd, bytes, sizeof bytes) == sizeof bytes ? 0 : 1;
}

static void start_is_read_while_the_rest_stalls(void **state)
{
  (void)state;
  assert_int_equal(exit_code_of(start(read_start, "stalls")), 0);
}

static void close_reports_the_verdict(void **state)
{
  (void)state;
  int fd = open(in_mount("new"), O_WRONLY | O_CREAT, 0600);
  assert_true(fd >= 0);
  g_autofree char *bytes = g_malloc0(3 * 1024 * 1024);
  assert_int_equal(write(fd, bytes, 3 * 1024 * 1024), 3 * 1024 * 1024);
  struct stat st;
  assert_int_equal(fstat(fd, &st), 0);
  assert_int_equal(st.st_size, 3 * 1024 * 1024);
  g_atomic_int_set(&shared->flush_errno, EDQUOT);
  assert_int_equal(close(fd), -1);
  assert_int_equal(errno, EDQUOT);
  wait_until(&shared->releases, 1);
  assert_int_equal(g_atomic_int_get(&shared->releases), 1);

  gint flushes = g_atomic_int_get(&shared->flushes);
  fd = open(in_mount("plain"), O_RDONLY);
  assert_int_equal(close(fd), 0);
  assert_int_equal(g_atomic_int_get(&shared->flushes), flushes); /* nothing to send, not asked */
}

static int open_as_nobody(const char *name)
{
  if (setgid(NOBODY) < 0 || setuid(NOBODY) < 0)
    return 1;
  return open(in_mount(name), O_RDONLY) >= 0 ? 0 : errno;
}

static void modes_hold_for_other_users(void **state)
{
  (void)state;
  if (getuid() != 0)
    skip();
  assert_int_equal(exit_code_of(start(open_as_nobody, "plain")), EACCES);
}

static void termination_answers_who_waits(void **state)
{
  (void)state;
  pid_t waits = start(do_stat, "wait-x");
  int fd = open(in_mount("written"), O_WRONLY);
  wait_until(&shared->waiting, 1);
  kill(daemon_pid, SIGTERM);
  int status = end_of(daemon_pid);
  daemon_pid = 0;
  assert_int_equal(status, 0);
  assert_int_equal(exit_code_of(waits), EINTR);
  assert_int_equal(g_atomic_int_get(&shared->releases), 1); /* the file still open */
  assert_int_equal(do_stat("plain"), ENOENT);               /* the directory beneath */
  close(fd);
}

static void unmounting_ends_the_daemon(void **state)
{
  (void)state;
  assert_int_equal(do_stat("plain"), 0);
  if (umount2(dir, 0) < 0)
    skip(); /* only root may, without the helper */
  int status = end_of(daemon_pid);
  daemon_pid = 0;
  assert_int_equal(status, 0);
}

static int code_of_check(const char *path)
{
  GError *error = NULL;
  if (fs_check_mountpoint(path, FALSE, &error))
    return 0;
  int code = error->code;
  assert_non_null(strstr(error->message, path));
  g_error_free(error);
  return code;
}

static void mountpoint_is_looked_at(void **state)
{
  (void)state;
  assert_int_equal(code_of_check(dir), EBUSY);
  kill(daemon_pid, SIGKILL);
  end_of(daemon_pid);
  daemon_pid = 0;
  assert_int_equal(do_stat("plain"), ENOTCONN);
  assert_int_equal(code_of_check(dir), 0);
  assert_int_equal(do_stat("plain"), ENOENT); /* the dead one is gone */
  g_autofree char *file = g_strdup(in_mount("file"));
  assert_int_equal(code_of_check(file), ENOENT);
  close(open(file, O_WRONLY | O_CREAT, 0600));
  assert_int_equal(code_of_check(file), ENOTDIR);
  assert_int_equal(code_of_check(dir), ENOTEMPTY);
  assert_true(fs_check_mountpoint(dir, TRUE, NULL));
  unlink(file);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      MOUNTED(lookups_run_in_parallel),       MOUNTED(interrupt_ends_a_lookup),
      MOUNTED(interrupt_ends_a_read),         MOUNTED(start_is_read_while_the_rest_stalls),
      MOUNTED(close_reports_the_verdict),     MOUNTED(modes_hold_for_other_users),
      MOUNTED(termination_answers_who_waits), MOUNTED(unmounting_ends_the_daemon),
      MOUNTED(mountpoint_is_looked_at),
  };
  share();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
