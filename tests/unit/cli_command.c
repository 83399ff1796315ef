/* SPDX-License-Identifier: Apache-2.0 */
/* A command that tells a secret: what it may print, how long it may take, what it is given. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/rule.h"
#include "cli/command.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* What LINE prints; *RET_ERRNO and *RET_TEXT of the refusal otherwise. */
static char *run(const char *line, gint64 limit_ms, int stop, int *ret_errno, char **ret_text)
{
  Command command = {
      .line = line, .option = "passwd_cmd", .what = "password", .limit_ms = limit_ms, .stop = stop};
  g_autoptr(GError) error = NULL;
  g_autoptr(Secret) secret = command_secret(&command, &error);
  *ret_errno = error_errno(error);
  *ret_text = error ? g_strdup(error->message) : NULL;
  return secret ? g_strdup(secret_peek(secret)) : NULL;
}

static void test_output(void **state)
{
  (void)state;
  static const struct {
    const char *line, *expected; /* or the sentence's part */
    int errnum;
  } rows[] = {
      {"echo open", "open", 0},
      {"printf open", "open", 0},
      {"printf 'open\\r\\nuser: alice\\nurl: x\\n'", "open", 0},
      {"echo open; echo noise >&2", "open", 0},
      {"printf 'op'; sleep 0.1; printf 'en\\n'; sleep 0.1; echo more", "open", 0},
      {"cat; echo open", "open", 0},       /* nothing to read there */
      {"sleep 60 & echo open", "open", 0}, /* what is left running holds the pipe */
      {"trap '' PIPE; yes 2>/dev/null | head -1 | tr y o", "o", 0},
      {"echo 'open \" sesame '", "open \" sesame ", 0},
      {"head -c 16000 /dev/zero | tr '\\0' x | wc -c", "16000", 0},
      {"exit 3", "code 3", EACCES},
      {"echo open; exit 1", "code 1", EACCES},
      {"echo 'no such entry' >&2; exit 7", "code 7 (no such entry)", EACCES},
      {"/nonexistent", "code 127", EACCES},
      {"kill -9 $$", "Killed", EACCES},
      {"true", "empty", EACCES},
      {"echo; echo second", "empty", EACCES},
      {"head -c 20000 /dev/zero | tr '\\0' x", "too long", EACCES},
      {"yes open", "64 KiB", EACCES},
      {"cat /dev/zero", "64 KiB", EACCES},
      {"printf 'a\\0b\\n'", "no text", EACCES},
      {"yes >&2", "did not end", ETIMEDOUT},
      {"sleep 60", "did not end", ETIMEDOUT},
      {"trap '' TERM INT; echo open; while :; do sleep 1; done", "did not end", ETIMEDOUT},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    int errnum = 0;
    g_autofree char *text = NULL;
    g_autofree char *said = run(rows[i].line, 1500, -1, &errnum, &text);
    assert_int_equal(errnum, rows[i].errnum);
    if (errnum == 0)
      assert_string_equal(said, rows[i].expected);
    else if (!strstr(text, rows[i].expected))
      fail_msg("%s: %s", rows[i].line, text);
  }
}

/* Neither descriptors nor ignored signals nor the group go to it, and nothing of it is left. */
static void test_isolation(void **state)
{
  (void)state;
  int errnum = 0, leak = open("/dev/null", O_RDONLY); /* not close-on-exec, as libcurl's */
  g_autofree char *text = NULL;
  signal(SIGPIPE, SIG_IGN);
  g_autofree char *fds = run("echo $(ls /proc/self/fd | wc -l)", 5000, -1, &errnum, &text);
  assert_string_equal(fds, "4"); /* 0, 1, 2 and the directory */
  g_autofree char *ignored =
      run("sed -n 's/SigIgn:.//p' /proc/self/status", 5000, -1, &errnum, &text);
  assert_int_equal(g_ascii_strtoull(ignored, NULL, 16) & 1u << (SIGPIPE - 1), 0);
  g_autofree char *group = run("cut -d' ' -f5 /proc/self/stat", 5000, -1, &errnum, &text);
  assert_int_not_equal(g_ascii_strtoll(group, NULL, 10), getpgrp());
  close(leak);

  g_autofree char *left = run("sleep 61 & echo $!", 5000, -1, &errnum, &text);
  g_autofree char *hung = run("sleep 61", 200, -1, &errnum, &text);
  assert_null(hung);
  for (int i = 0; i < 100 && kill((pid_t)g_ascii_strtoll(left, NULL, 10), 0) == 0; i++)
    g_usleep(20000); /* init buries it */
  assert_int_equal(kill((pid_t)g_ascii_strtoll(left, NULL, 10), 0), -1);
}

static gpointer stop_soon(gpointer data)
{
  g_usleep(200000);
  guint64 one = 1;
  assert_int_equal(write(GPOINTER_TO_INT(data), &one, sizeof one), sizeof one);
  return NULL;
}

static void test_stop(void **state)
{
  (void)state;
  int errnum = 0, stop = eventfd(0, EFD_CLOEXEC);
  g_autofree char *text = NULL, *again = NULL;
  GThread *thread = g_thread_new("stop", stop_soon, GINT_TO_POINTER(stop));
  gint64 begin = g_get_monotonic_time();
  assert_null(run("sleep 60", 30000, stop, &errnum, &text));
  assert_int_equal(errnum, EINTR);
  g_thread_join(thread);
  assert_null(run("sleep 60", 30000, stop, &errnum, &again));
  assert_int_equal(errnum, EINTR);
  assert_true(g_get_monotonic_time() - begin < 10 * G_USEC_PER_SEC);
  close(stop);
}

int main(void)
{
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_output),
      cmocka_unit_test(test_isolation),
      cmocka_unit_test(test_stop),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
