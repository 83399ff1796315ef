/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the child process that tells a secret: its start, its limits, its end. posix_spawn(3), since
 * a fork of a threaded process may do little; the output goes from the pipe into secret memory.
 */
#include "cli/command.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"
#include "cli/quit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#define COMPLAINT_MAX 300 /* bytes of stderr that are told */

typedef struct {
  const Command *command;
  pid_t pid;
  int pidfd, out, err; /* -1: not open, or at its end */
  Secret *said;
  char complaint[COMPLAINT_MAX + 1];
  gsize complaint_len;
  int errnum; /* why it must end before its time */
} Run;

static volatile pid_t group; /* of the running command: for a signal handler, under quit_guard() */

static void kill_group(void)
{
  if (group > 0)
    kill(RULE("command-group") ? -group : group, SIGKILL);
}

static void close_fd(int *fd)
{
  if (*fd >= 0)
    close(*fd);
  *fd = -1;
}

/* We ignore SIGPIPE; who started us may ignore others. */
static const int usual_signals[] = {SIGPIPE, SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGCHLD};

/* 0, or an errno. OUT and ERR (-1: it keeps ours) are the child's ends. */
static int spawn(const char *line, int out, int err, pid_t *ret)
{
  char shell[] = "sh", flag[] = "-c";
  g_autofree char *text = g_strdup(line);
  char *argv[] = {shell, flag, text, NULL};
  posix_spawn_file_actions_t files;
  posix_spawnattr_t how;
  sigset_t usual, none;

  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
  if (err >= 0)
    posix_spawn_file_actions_adddup2(&files, err, STDERR_FILENO);
  if (RULE("command-fds"))
    posix_spawn_file_actions_addclosefrom_np(&files, STDERR_FILENO + 1);
  posix_spawnattr_init(&how);
  sigemptyset(&usual);
  for (gsize i = 0; i < G_N_ELEMENTS(usual_signals); i++)
    sigaddset(&usual, usual_signals[i]);
  sigemptyset(&none);
  posix_spawnattr_setflags(&how,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  posix_spawnattr_setsigdefault(&how, &usual);
  posix_spawnattr_setsigmask(&how, &none);
  int failure = posix_spawn(ret, "/bin/sh", &files, &how, argv, environ);
  posix_spawnattr_destroy(&how);
  posix_spawn_file_actions_destroy(&files);
  return failure;
}

static gboolean start(Run *run, GError **error)
{
  int out[2] = {-1, -1}, err[2] = {-1, -1};
  int failure = 0;
  if (pipe2(out, O_CLOEXEC) < 0 || (!isatty(STDERR_FILENO) && pipe2(err, O_CLOEXEC) < 0))
    failure = errno;
  if (failure == 0)
    failure = spawn(run->command->line, out[1], err[1], &run->pid);
  close_fd(&out[1]);
  close_fd(&err[1]);
  run->out = out[0];
  run->err = err[0];
  if (failure == 0) {
    group = run->pid;
    run->pidfd = pidfd_open(run->pid, 0);
    failure = run->pidfd < 0 ? errno : 0;
  }
  return failure == 0 ||
         error_set(error, EACCES, SCOPE_SIGN_IN, "the command of %s= cannot be run: %s",
                   run->command->option, g_strerror(failure));
}

static void take_output(Run *run)
{
  gssize got = secret_take(run->said, run->out);
  if (got < 0 && errno == EFBIG)
    run->errnum = EFBIG;
  else if (got == 0 || (got < 0 && errno != EINTR))
    close_fd(&run->out);
}

static void take_complaint(Run *run)
{
  char bytes[512];
  ssize_t got = read(run->err, bytes, sizeof bytes);
  if (got == 0 || (got < 0 && errno != EINTR))
    close_fd(&run->err);
  if (got <= 0)
    return;
  gsize room = COMPLAINT_MAX - run->complaint_len;
  memcpy(run->complaint + run->complaint_len, bytes, MIN((gsize)got, room));
  run->complaint_len += MIN((gsize)got, room);
}

/* Until the shell has ended and what it wrote is read; what it left running may hold the pipe. */
static void follow(Run *run)
{
  gint64 deadline = g_get_monotonic_time() + run->command->limit_ms * 1000;
  gboolean ended = FALSE;
  while (run->errnum == 0) {
    struct pollfd fds[] = {{run->out, POLLIN, 0},
                           {run->err, POLLIN, 0},
                           {ended ? -1 : run->pidfd, POLLIN, 0},
                           {run->command->stop, POLLIN, 0}};
    gint64 left = (deadline - g_get_monotonic_time()) / 1000;
    int ready = poll(fds, G_N_ELEMENTS(fds), ended ? 0 : (int)MAX(left, 0));
    if (ready < 0 && errno == EINTR)
      continue;
    if (ready <= 0) {
      run->errnum = ended ? 0 : ready == 0 ? ETIMEDOUT : errno;
      return;
    }
    if (fds[3].revents)
      run->errnum = EINTR;
    if (fds[0].revents)
      take_output(run);
    if (fds[1].revents)
      take_complaint(run);
    if (fds[2].revents)
      ended = TRUE;
  }
}

/* Its pid is ours until it is waited for, so the group is killed first. */
static int finish(Run *run)
{
  int status = 0;
  if (run->pid > 0) {
    kill_group();
    while (waitpid(run->pid, &status, 0) < 0 && errno == EINTR)
      ;
  }
  group = 0;
  close_fd(&run->out);
  close_fd(&run->err);
  close_fd(&run->pidfd);
  return status;
}

static gboolean judge(Run *run, int status, GError **error)
{
  const Command *command = run->command;
  g_autoptr(GError) why = NULL;
  char *end = strchr(run->complaint, '\n');
  if (end)
    *end = '\0';
  g_autofree char *plain = log_plain(run->complaint);
  g_autofree char *told = *plain ? g_strdup_printf(" (%s)", plain) : g_strdup("");

  if (run->errnum == ETIMEDOUT)
    return error_set(error, ETIMEDOUT, SCOPE_SIGN_IN,
                     "the command of %s= did not end within %" G_GINT64_FORMAT
                     " s and was killed%s: run it by hand to see what it waits for",
                     command->option, command->limit_ms / 1000, told);
  if (run->errnum == EINTR)
    return error_set(error, EINTR, SCOPE_SIGN_IN, "the command of %s= was interrupted",
                     command->option);
  if (run->errnum == EFBIG)
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "the command of %s= printed more than 64 KiB and was killed: it must print "
                     "the %s on its first line",
                     command->option, command->what);
  if (run->errnum != 0)
    return error_set(error, EACCES, SCOPE_SIGN_IN, "the command of %s= cannot be waited for: %s",
                     command->option, g_strerror(run->errnum));
  if (WIFSIGNALED(status))
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "the command of %s= was ended by %s%s: run it by hand to see why",
                     command->option, strsignal(WTERMSIG(status)), told);
  if (WEXITSTATUS(status) != 0 && RULE("command-code"))
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "the command of %s= ended with code %d%s: run it by hand to see why",
                     command->option, WEXITSTATUS(status), told);
  if (!secret_first_line(run->said, command->what, &why))
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "the command of %s= did not tell what it should%s: %s", command->option, told,
                     why->message);
  return TRUE;
}

Secret *command_secret(const Command *command, GError **error)
{
  Run run = {.command = command, .pidfd = -1, .out = -1, .err = -1};
  g_autoptr(Secret) said = run.said = secret_new("", 0);
  quit_guard(kill_group);
  gboolean started = start(&run, error);
  if (started)
    follow(&run);
  int status = finish(&run);
  quit_release();
  return started && judge(&run, status, error) ? g_steal_pointer(&said) : NULL;
}
