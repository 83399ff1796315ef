/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the prompt; leaves what a password file must be to base/secret. */
#include "cli/password.h"

#include "base/error.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

/* For the handler: a Ctrl-C at the prompt must not leave the terminal mute. */
static struct termios as_it_was;

static void on_quit(int number)
{
  tcsetattr(STDIN_FILENO, TCSANOW, &as_it_was);
  raise(number); /* the default action, once this handler returns: SA_RESETHAND */
}

static Secret *prompt(const char *user, GError **error)
{
  static const int quits[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  struct sigaction quit = {.sa_handler = on_quit, .sa_flags = (int)SA_RESETHAND};
  struct sigaction before[G_N_ELEMENTS(quits)];

  if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &as_it_was) < 0) {
    error_set(error, EACCES, SCOPE_SIGN_IN,
              "no password for %s: put it in a file and name that with -o passwd_file=", user);
    return NULL;
  }
  for (gsize i = 0; i < G_N_ELEMENTS(quits); i++)
    sigaction(quits[i], &quit, &before[i]);
  struct termios mute = as_it_was;
  mute.c_lflag &= (tcflag_t) ~(ECHO);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &mute);
  fprintf(stderr, "Password of %s: ", user);

  Secret *secret = secret_read_fd(STDIN_FILENO, error);

  fputc('\n', stderr);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &as_it_was);
  for (gsize i = 0; i < G_N_ELEMENTS(quits); i++)
    sigaction(quits[i], &before[i], NULL);
  return secret;
}

Secret *password_get(const char *user, const char *file, GError **error)
{
  return file ? secret_read_file(file, error) : prompt(user, error);
}
