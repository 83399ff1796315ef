/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the order of start and stop: fork, log, password, HTTP client, store, mailbox, mount; then
 * back. Each layer is handed what it needs and none reads an option.
 */
#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"
#include "cli/cli.h"
#include "cli/client.h"
#include "cli/daemon.h"
#include "cli/opts.h"
#include "cli/source.h"
#include "fs/fs.h"
#include "mailbox/mailbox.h"
#include "store/webdav.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EXIT_TROUBLE 1
#define EXIT_USAGE 2

static gboolean start_log(const Options *options, GError **error)
{
  LogSink sink = options->log_file     ? LOG_TO_FILE
                 : options->foreground ? LOG_TO_STDERR
                                       : LOG_TO_SYSLOG;
  g_autofree char *areas = g_strdup(options->debug_areas);
  if (areas) /* a comma ends an option */
    g_strdelimit(areas, ":", ',');
  LogLevel level = areas ? LOG_DEBUG_LEVEL : (LogLevel)options->log_level;
  if (log_open(sink, options->log_file, level, areas))
    return TRUE;
  return error_set(error, errno, SCOPE_LOCAL, "the log file %s cannot be opened: %s: name another",
                   options->log_file, g_strerror(errno));
}

/* Unless -o cache_dir says otherwise: one directory for each store and user. */
static char *find_cache_dir(const Options *options, const char *identity)
{
  if (options->cache_dir)
    return g_canonicalize_filename(options->cache_dir, NULL);
  g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_SHA256, identity, -1);
  sum[32] = '\0';
  return g_build_filename(g_get_user_cache_dir(), "exchangefs", sum, NULL);
}

static Mailbox *make_mailbox(const Options *options, const Source *source, Credentials *credentials,
                             GError **error)
{
  const char *user = credentials_user(credentials);
  const ClientWho who = {.name = g_get_user_name(), .uid = getuid(), .credentials = credentials};
  HttpClient *client = client_make(options, source, &who, error);
  if (!client)
    return NULL;
  g_autofree char *identity = source_identity(source, user);
  g_autofree char *cache_dir = find_cache_dir(options, identity);
  MailboxOptions mailbox = {
      .cache_dir = cache_dir,
      .identity = identity,
      .cache_size = options->cache_size,
      .attr_ttl_ms = options->attr_ttl_ms,
      .timeo_ms = options->timeo_ms,
      .timeo_meta_ms = options->timeo_meta_ms,
      .sizes_exact = options->sizes_exact != 0,
      .read_only = options->read_only,
      .offline = options->offline != 0,
  };
  return mailbox_open(webdav_store_new(client, source->path), &mailbox, error);
}

static gboolean mount_and_serve(const Options *options, const Source *source, Daemon *daemon,
                                GError **error)
{
  if (!start_log(options, error))
    return FALSE;
  g_autofree char *host = source_host(source);
  g_autoptr(Credentials) credentials = credentials_new(options, host, error);
  Mailbox *mailbox = credentials ? make_mailbox(options, source, credentials, error) : NULL;
  if (!mailbox)
    return FALSE;

  g_autofree char *shown = g_strconcat(source->origin, source->path, NULL);
  FsOptions look = {
      .source = shown,
      .uid = (uid_t)options->uid,
      .gid = (gid_t)options->gid,
      .umask = (mode_t)options->umask,
      .read_only = options->read_only,
      .allow_other = options->allow_other,
  };
  Fs *fs = fs_mount(mailbox, options->mountpoint, &look, error);
  gboolean ok = fs != NULL;
  if (ok) {
    log_info("cli", "%s is mounted on %s: %s", shown, options->mountpoint,
             mailbox_description(mailbox));
    daemon_ready(daemon);
    ok = fs_serve(fs, error);
    fs_free(fs);
  }
  credentials_stop(credentials);
  mailbox_close(mailbox);
  if (ok)
    log_info("cli", "%s is unmounted", options->mountpoint);
  return ok;
}

static gboolean check(Options *options, Source *source, GError **error)
{
  if (options->broken_rules && !rule_break(options->broken_rules))
    return error_set(error, EINVAL, SCOPE_LOCAL, "break= is for builds with XFS_PROVE");
  if (!credentials_check(options, error))
    return FALSE;
  if (!source_parse(options->source, source, error))
    return FALSE;
  /* The daemon leaves this directory. */
  char *given = options->mountpoint;
  options->mountpoint = g_canonicalize_filename(given, NULL);
  g_free(given);
  return TRUE;
}

static int complain(int code, const GError *error)
{
  fprintf(stderr, "exchangefs: %s\n", error->message);
  return code;
}

int cli_main(int argc, char **argv)
{
  g_auto(Options) options = {0};
  g_auto(Source) source = {0};
  g_autoptr(GError) error = NULL;

#ifdef NDEBUG
  /* No core dump and no ptrace: the password is in this process. */
  prctl(PR_SET_DUMPABLE, 0);
#endif
  signal(SIGPIPE, SIG_IGN);
  if (!options_parse(argc, argv, &options, &error))
    return complain(EXIT_USAGE, error);
  if (options.help) {
    g_autofree char *text = options_help();
    fputs(text, stdout);
    return 0;
  }
  if (options.version) {
    puts("exchangefs " XFS_VERSION);
    return 0;
  }
  if (!check(&options, &source, &error))
    return complain(EXIT_USAGE, error);
  if (!fs_check_mountpoint(options.mountpoint, options.nonempty, &error))
    return complain(EXIT_TROUBLE, error);
  if (options.fake)
    return 0;

  g_autoptr(Daemon) daemon = daemon_start(options.foreground);
  if (mount_and_serve(&options, &source, daemon, &error))
    return 0;
  return daemon_fail(daemon, EXIT_TROUBLE, error->message);
}
