/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the terminal while a password is typed; leaves when to ask to credentials.c. */
#include "cli/prompt.h"

#include "base/error.h"
#include "base/rule.h"
#include "cli/quit.h"

#include <errno.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

static struct termios as_it_was;

/* A Ctrl-C at the prompt must not leave the terminal mute. */
static void unmute(void)
{
  tcsetattr(STDIN_FILENO, TCSANOW, &as_it_was);
}

gboolean prompt_can(void)
{
  return isatty(STDIN_FILENO);
}

Secret *prompt_password(const char *user, GError **error)
{
  if (!prompt_can() || tcgetattr(STDIN_FILENO, &as_it_was) < 0) {
    error_set(error, EACCES, SCOPE_SIGN_IN,
              "no password for %s: put it in a file and name that with -o passwd_file=", user);
    return NULL;
  }
  quit_guard(unmute);
  struct termios mute = as_it_was;
  if (RULE("prompt-mute"))
    mute.c_lflag &= (tcflag_t) ~(ECHO);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &mute);
  fprintf(stderr, "Password of %s: ", user);

  g_autoptr(GError) why = NULL;
  Secret *secret = secret_read_fd(STDIN_FILENO, &why);

  fputc('\n', stderr);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &as_it_was);
  quit_release();
  if (!secret)
    error_set(error, EACCES, SCOPE_SIGN_IN, "%s", why->message);
  return secret;
}
