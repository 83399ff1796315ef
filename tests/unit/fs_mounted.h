/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A real mount of the fake mailbox, served by a child process, used by the test's process and its
 * other children. Each test has a mount of its own. A test that hangs is ended: every wait here is
 * bounded.
 */
#pragma once

#include "fs_fake.h"

#include "base/rule.h"
#include "fs/fs.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include <cmocka.h>

static char dir[64]; /* the mountpoint */
static pid_t daemon_pid;

static inline const char *in_mount(const char *name)
{
  static char path[512];
  g_snprintf(path, sizeof path, "%s/%s", dir, name);
  return path;
}

static G_NORETURN void serve(int ready)
{
  GError *error = NULL;
  Mailbox *mailbox = mailbox_open(NULL, NULL, NULL);
  FsOptions options = {
      .source = "http://127.0.0.1/a,b/", .uid = getuid(), .gid = getgid(), .umask = 077};
  options.allow_other = getuid() == 0;
  Fs *fs = fs_mount(mailbox, dir, &options, &error);
  if (!fs)
    fprintf(stderr, "%s\n", error->message);
  if (!fs || write(ready, "1", 1) != 1)
    _exit(9);
  close(ready);
  gboolean ok = fs_serve(fs, &error);
  fs_free(fs);
  mailbox_close(mailbox);
  exit(ok ? 0 : 8);
}

static inline int mount_fake(void **state)
{
  (void)state;
  *shared = (Shared){.version = 1, .gone = -1};
  g_strlcpy(dir, "/tmp/fs_mount-XXXXXX", sizeof dir);
  if (!mkdtemp(dir))
    return -1;
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0)
    return -1;
  daemon_pid = fork();
  if (daemon_pid == 0)
    serve(ends[1]);
  close(ends[1]);
  char byte;
  gboolean up = read(ends[0], &byte, 1) == 1;
  close(ends[0]);
  return up ? 0 : -1;
}

/* Waits at most 10 s for PID to end; its wait status, or -1 when it had to be killed. */
static inline int end_of(pid_t pid)
{
  int status = 0;
  for (int i = 0; i < 1000; i++) {
    if (waitpid(pid, &status, WNOHANG) == pid)
      return status;
    g_usleep(10 * 1000);
  }
  kill(pid, SIGKILL);
  waitpid(pid, &status, 0);
  return -1;
}

static inline int unmount_fake(void **state)
{
  (void)state;
  int status = 0;
  if (daemon_pid > 0) {
    kill(daemon_pid, SIGTERM);
    status = end_of(daemon_pid);
  }
  daemon_pid = 0;
  umount2(dir, MNT_DETACH);
  rmdir(dir);
  if (status)
    fprintf(stderr, "the daemon ended with status %d\n", status);
  return status;
}

/* Runs FUNC in a process of its own, whose exit code is FUNC's answer. */
static inline pid_t start(int (*func)(const char *), const char *name)
{
  fflush(NULL);
  pid_t pid = fork();
  if (pid == 0) {
    alarm(15);
    _exit(func(name));
  }
  return pid;
}

static inline int exit_code_of(pid_t pid)
{
  int status = end_of(pid);
  return status != -1 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static inline int do_stat(const char *name)
{
  struct stat st;
  return stat(in_mount(name), &st) == 0 ? 0 : errno;
}

static inline void wait_until(const gint *value, gint at_least)
{
  for (int i = 0; i < 500 && g_atomic_int_get(value) < at_least; i++)
    g_usleep(10 * 1000);
}

#define MOUNTED(test) cmocka_unit_test_setup_teardown(test, mount_fake, unmount_fake)

/* Call first: the memory both sides see, and the rules to be switched off. */
static inline void share(void)
{
  const char *broken = g_getenv("XFS_BREAK");
  if (broken)
    rule_break(broken);
  shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED)
    abort();
}
