/* SPDX-License-Identifier: Apache-2.0 */
/* Parses and checks the command line. */
#include "options.h"

#include <string.h>

static gboolean fail(GError **error, const char *option, const char *value, const char *text)
{
  g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s%s: %s", option, value, text);
  return FALSE;
}

static gboolean split_listen(Options *options, const char *listen, GError **error)
{
  const char *colon = strrchr(listen, ':');
  guint64 port;
  if (!colon || !g_ascii_string_to_unsigned(colon + 1, 10, 0, 65535, &port, NULL)) {
    return fail(error, "--listen ", listen, "ADDRESS:PORT is needed");
  }
  options->address = g_strndup(listen, (gsize)(colon - listen));
  options->port = (guint)port;
  return TRUE;
}

static gboolean check(Options *options, GError **error)
{
  Switches unused;
  for (guint i = 0; options->users && options->users[i]; i++) {
    if (!strchr(options->users[i], ':')) {
      return fail(error, "--user ", options->users[i], "NAME:PASSWORD is needed");
    }
  }
  for (guint i = 0; options->synthetic && options->synthetic[i]; i++) {
    const char *equals = strrchr(options->synthetic[i], '=');
    if (!equals || !g_ascii_string_to_unsigned(equals + 1, 10, 0, 9999999, NULL, NULL)) {
      return fail(error, "--synthetic ", options->synthetic[i], "FOLDER=N is needed");
    }
  }
  if (!switches_profile(&unused, options->profile)) {
    return fail(error, "--profile ", options->profile,
                "e2003, e2003-fba, e2007, e2007-fba or generic");
  }
  for (guint i = 0; options->switches && options->switches[i]; i++) {
    if (!switches_set(&unused, options->switches[i])) {
      return fail(error, "--switch ", options->switches[i], "no such switch, or no number");
    }
  }
  if (strcmp(options->auth, "basic") != 0 && strcmp(options->auth, "none") != 0) {
    return fail(error, "--auth ", options->auth, "basic or none");
  }
  return TRUE;
}

static void set_default(char **option, const char *value)
{
  if (!*option) {
    *option = g_strdup(value);
  }
}

gboolean options_parse(Options *options, int *argc, char ***argv, GError **error)
{
  g_autofree char *listen = NULL;
  const GOptionEntry entries[] = {
      {"listen", 0, 0, G_OPTION_ARG_STRING, &listen, "where to listen; port 0 picks one",
       "ADDR:PORT"},
      {"user", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->users,
       "a user with a mailbox; repeatable", "NAME:PASSWORD"},
      {"import", 0, 0, G_OPTION_ARG_FILENAME, &options->import,
       "a tree that fills the first mailbox", "DIR"},
      {"synthetic", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->synthetic,
       "N generated messages in a folder; repeatable", "FOLDER=N"},
      {"profile", 0, 0, G_OPTION_ARG_STRING, &options->profile,
       "e2003, e2003-fba, e2007, e2007-fba, generic", "NAME"},
      {"auth", 0, 0, G_OPTION_ARG_STRING, &options->auth, "basic or none; forms by profile", "HOW"},
      {"delay-ms", 0, 0, G_OPTION_ARG_INT, &options->delay_ms, "delay of each answer", "N"},
      {"fault", 0, 0, G_OPTION_ARG_FILENAME, &options->fault,
       "scripted faults; SIGHUP reads it again", "FILE"},
      {"access-log", 0, 0, G_OPTION_ARG_FILENAME, &options->access_log, "a line per request",
       "FILE"},
      {"href-host", 0, 0, G_OPTION_ARG_STRING, &options->href_host,
       "HOST[:PORT] or SCHEME://HOST in hrefs, right or wrong", "HOST"},
      {"locale", 0, 0, G_OPTION_ARG_STRING, &options->locale,
       "names of the usual folders: en, de, no", "LANG"},
      {"clock", 0, 0, G_OPTION_ARG_INT64, &options->clock,
       "time stands at EPOCH, a second per change", "EPOCH"},
      {"switch", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->switches, "turns a habit; repeatable",
       "NAME[=N]"},
      {"access", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->access,
       "rights, as alice/Inbox=bob:read (none, read, all); repeatable", "FOLDER=USER:LEVEL"},
      {"elsewhere", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options->elsewhere,
       "302 to another server, as /public/Sales=http://host:port; repeatable", "PATH=ORIGIN"},
      {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
  g_autoptr(GOptionContext) context = g_option_context_new("- an Exchange server for tests");
  g_autofree char *help = switches_help();
  g_option_context_add_main_entries(context, entries, NULL);
  g_option_context_set_description(context, help);
  if (!g_option_context_parse(context, argc, argv, error)) {
    return FALSE;
  }
  if (*argc > 1) {
    return fail(error, "", (*argv)[1], "no argument is expected");
  }
  set_default(&options->profile, "e2003");
  set_default(&options->auth, "basic");
  set_default(&options->locale, "en");
  if (!options->users) {
    options->users = g_strsplit("alice:secret", " ", 1);
  }
  return split_listen(options, listen ? listen : "127.0.0.1:0", error) && check(options, error);
}

void options_clear(Options *options)
{
  char *const strings[] = {options->address, options->import,   options->profile,
                           options->auth,    options->fault,    options->access_log,
                           options->locale,  options->href_host};
  for (gsize i = 0; i < G_N_ELEMENTS(strings); i++) {
    g_free(strings[i]);
  }
  g_strfreev(options->users);
  g_strfreev(options->synthetic);
  g_strfreev(options->switches);
  g_strfreev(options->access);
  g_strfreev(options->elsewhere);
}
