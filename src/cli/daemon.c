/* SPDX-License-Identifier: Apache-2.0 */
/* Owns fork and readiness; leaves signals to fs/ and what is served to mount.c. */
#include "cli/daemon.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* On the pipe: one byte, the exit code, then the sentence. Closed without a byte: it crashed. */
struct Daemon {
  int pipe;          /* -1: foreground, or the parent has been told */
  gboolean detached; /* the terminal has been let go */
};

static void write_all(int fd, const char *bytes, gsize len)
{
  while (len > 0) {
    ssize_t put = write(fd, bytes, len);
    if (put < 0 && errno == EINTR)
      continue;
    if (put <= 0)
      return;
    bytes += put;
    len -= (gsize)put;
  }
}

static G_NORETURN void wait_for_child(int fd, pid_t child)
{
  char report[4096];
  gsize have = 0;
  while (have < sizeof report) {
    ssize_t got = read(fd, report + have, sizeof report - have);
    if (got < 0 && errno == EINTR)
      continue;
    if (got <= 0)
      break;
    have += (gsize)got;
  }
  if (have > 1)
    fprintf(stderr, "exchangefs: %.*s\n", (int)have - 1, report + 1);
  if (have > 0)
    _exit((unsigned char)report[0]);

  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  if (WIFSIGNALED(status))
    fprintf(stderr, "exchangefs: ended by %s before it was mounted\n", strsignal(WTERMSIG(status)));
  else
    fprintf(stderr, "exchangefs: ended before it was mounted\n");
  _exit(1);
}

Daemon *daemon_start(gboolean foreground)
{
  Daemon *daemon = g_new0(Daemon, 1);
  daemon->pipe = -1;
  if (foreground)
    return daemon;
  int ends[2];
  fflush(NULL);
  if (pipe2(ends, O_CLOEXEC) < 0) {
    perror("exchangefs: pipe");
    _exit(1);
  }
  pid_t child = fork();
  if (child < 0) {
    perror("exchangefs: fork");
    _exit(1);
  }
  if (child > 0) {
    close(ends[1]);
    wait_for_child(ends[0], child);
  }
  close(ends[0]);
  daemon->pipe = ends[1];
  return daemon;
}

static void report(Daemon *daemon, int code, const char *sentence)
{
  char byte = (char)code;
  write_all(daemon->pipe, &byte, 1);
  write_all(daemon->pipe, sentence, strlen(sentence));
  close(daemon->pipe);
  daemon->pipe = -1;
}

void daemon_ready(Daemon *daemon)
{
  if (daemon->pipe < 0)
    return;
  setsid();
  if (chdir("/") < 0)
    perror("exchangefs: chdir");
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  for (int fd = 0; null >= 0 && fd < 3; fd++)
    dup2(null, fd);
  if (null > 2)
    close(null);
  report(daemon, 0, "");
  daemon->detached = TRUE;
}

int daemon_fail(Daemon *daemon, int code, const char *sentence)
{
  g_autofree char *plain = log_plain(sentence); /* it may quote a server */
  if (daemon->pipe >= 0)
    report(daemon, code, plain);
  else if (daemon->detached)
    log_error("cli", "%s", plain);
  else
    fprintf(stderr, "exchangefs: %s\n", plain);
  return code;
}

void daemon_free(Daemon *daemon)
{
  if (!daemon)
    return;
  if (daemon->pipe >= 0)
    close(daemon->pipe);
  g_free(daemon);
}
