/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the borrowing of signals; leaves those of a mount that answers to fs/. */
#include "cli/quit.h"

#include <glib.h>
#include <signal.h>

static const int quits[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static GMutex lock; /* held from guard to release */
static void (*on_quit_clean)(void);
static struct sigaction before[G_N_ELEMENTS(quits)];

static void on_quit(int number)
{
  on_quit_clean();
  raise(number); /* the default action, once this handler returns: SA_RESETHAND */
}

void quit_guard(void (*clean)(void))
{
  struct sigaction quit = {.sa_handler = on_quit, .sa_flags = (int)SA_RESETHAND};
  g_mutex_lock(&lock);
  on_quit_clean = clean;
  for (gsize i = 0; i < G_N_ELEMENTS(quits); i++)
    if (sigaction(quits[i], NULL, &before[i]) == 0 && before[i].sa_handler == SIG_DFL)
      sigaction(quits[i], &quit, NULL);
}

void quit_release(void)
{
  for (gsize i = 0; i < G_N_ELEMENTS(quits); i++)
    if (before[i].sa_handler == SIG_DFL)
      sigaction(quits[i], &before[i], NULL);
  g_mutex_unlock(&lock);
}
