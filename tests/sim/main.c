/* SPDX-License-Identifier: Apache-2.0 */
/* exchange-sim: an Exchange server in one process, for the demo, the tests and the benchmarks. */
#include "access.h"
#include "auth.h"
#include "dav.h"
#include "fault.h"
#include "http.h"
#include "import.h"
#include "options.h"

#include <gmime/gmime.h>
#include <libxml/parser.h>
#include <locale.h>
#include <signal.h>
#include <string.h>

static gboolean add_access(Sim *sim, const Options *options, GError **error)
{
  sim->access = access_new();
  const char *bad = NULL;
  for (guint i = 0; options->access && options->access[i]; i++) {
    bad = access_add(sim->access, options->access[i]) ? bad : options->access[i];
  }
  for (guint i = 0; options->elsewhere && options->elsewhere[i]; i++) {
    bad = access_add_elsewhere(sim->access, options->elsewhere[i]) ? bad : options->elsewhere[i];
  }
  if (bad) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s is no such rule", bad);
  }
  return !bad;
}

/* A small tree of public folders. */
static void add_public(Sim *sim)
{
  static const char *const names[] = {"Announcements", "Sales", "Team"};
  Mailbox *tree = model_add_mailbox(sim->model, NULL, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    model_make_folder(sim->model, tree->root, names[i], "IPF.Note");
  }
}

static gboolean add_mailboxes(Sim *sim, const Options *options, GError **error)
{
  const char *const *names = import_folder_names(options->locale);
  if (!names) {
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--locale %s: en, de or no",
                options->locale);
    return FALSE;
  }
  for (guint i = 0; options->users[i]; i++) {
    g_auto(GStrv) pair = g_strsplit(options->users[i], ":", 2);
    model_add_mailbox(sim->model, pair[0], names);
    if (sim->auth) {
      auth_add_user(sim->auth, pair[0], pair[1]);
    }
  }
  add_public(sim);
  Mailbox *first = model_mailboxes(sim->model)->pdata[0];
  sim->first_user = first->user;
  for (guint i = 0; options->synthetic && options->synthetic[i]; i++) {
    const char *equals = strrchr(options->synthetic[i], '=');
    g_autofree char *folder =
        g_strndup(options->synthetic[i], (gsize)(equals - options->synthetic[i]));
    guint count = (guint)g_ascii_strtoull(equals + 1, NULL, 10);
    if (!import_synthetic(sim, first, folder, count, error)) {
      return FALSE;
    }
  }
  if (options->import && !import_tree(sim, first, options->import, error)) {
    return FALSE;
  }
  model_reset_record(sim->model);
  return TRUE;
}

static gboolean set_up(Sim *sim, const Options *options, GError **error)
{
  switches_profile(&sim->switches, options->profile);
  for (guint i = 0; options->switches && options->switches[i]; i++) {
    switches_set(&sim->switches, options->switches[i]);
  }
  sim->model = model_new(sim_exchange(sim), options->clock * 1000);
  sim->views = dav_views_new(sim);
  sim->href_host = options->href_host;
  sim->delay_ms = (guint)MAX(0, options->delay_ms);
  if (strcmp(options->auth, "none") != 0) {
    sim->auth = auth_new();
  }
  if (options->fault && !(sim->faults = faults_new(options->fault, error))) {
    return FALSE;
  }
  if (options->access_log && !(sim->access_log = fopen(options->access_log, "ae"))) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s cannot be opened",
                options->access_log);
    return FALSE;
  }
  return add_access(sim, options, error) && add_mailboxes(sim, options, error);
}

/* Until SIGTERM or SIGINT; SIGHUP reads the fault file again. */
static void wait_for_end(Sim *sim, const sigset_t *signals)
{
  for (int got = 0; sigwait(signals, &got) == 0 && got == SIGHUP;) {
    g_autoptr(GError) error = NULL;
    if (sim->faults && !faults_reload(sim->faults, &error)) {
      g_printerr("exchange-sim: %s\n", error->message);
    }
  }
}

static void tear_down(Sim *sim)
{
  g_clear_pointer(&sim->views, dav_views_free);
  model_free(sim->model);
  auth_free(sim->auth);
  access_free(sim->access);
  faults_free(sim->faults);
  if (sim->access_log) {
    fclose(sim->access_log);
  }
}

static void ignore(void *data, const char *format, ...)
{
  (void)data;
  (void)format;
}

int main(int argc, char **argv)
{
  Options options = {0};
  Sim sim = {0};
  g_autoptr(GError) error = NULL;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &signals, NULL); /* every thread inherits it */
  signal(SIGPIPE, SIG_IGN);
  g_mime_init();
  xmlInitParser();
  xmlSetGenericErrorFunc(NULL, ignore); /* what a client sends is no news of ours */
  int code = 1;
  setlocale(LC_CTYPE, "");
  Http *http = NULL;
  if (options_parse(&options, &argc, &argv, &error) && set_up(&sim, &options, &error)) {
    http = http_start(&sim, options.address, options.port, &error);
  }
  if (http) {
    g_print("listening on http://%s:%u/exchange/%s/\n", options.address, http_port(http),
            sim.first_user);
    fflush(stdout);
    wait_for_end(&sim, &signals);
    http_stop(http);
    code = 0;
  } else {
    g_printerr("exchange-sim: %s\n", error->message);
  }
  if (sim.model) {
    tear_down(&sim);
  }
  options_clear(&options);
  xmlCleanupParser();
  return code;
}
