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
#include "cli/combine.h"
#include "cli/daemon.h"
#include "cli/many.h"
#include "cli/opts.h"
#include "cli/probe.h"
#include "cli/source.h"
#include "fs/fs.h"
#include "mailbox/mailbox.h"
#include "store/webdav.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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

/* CACHE_DIR NULL: by IDENTITY. CANCEL, when not NULL, ends it. */
static Mailbox *make_mailbox(const Options *options, const Source *source, const ClientWho *who,
                             const char *cache_dir, Cancel *cancel, GError **error)
{
  const char *user = who->credentials ? credentials_user(who->credentials) : NULL;
  HttpClient *client = client_make(options, source, who, error);
  if (!client)
    return NULL;
  g_autofree char *identity = source_identity(source, who->many ? who->name : user);
  g_autofree char *found = cache_dir ? NULL : find_cache_dir(options, identity);
  MailboxOptions mailbox = {
      .cache_dir = cache_dir ? cache_dir : found,
      .identity = identity,
      .cache_size = options->cache_size,
      .attr_ttl_ms = options->attr_ttl_ms,
      .timeo_ms = options->timeo_ms,
      .timeo_meta_ms = options->timeo_meta_ms,
      .sizes_exact = options->sizes_exact != 0,
      .read_only = options->read_only,
      .offline = options->offline != 0,
      .cancel = cancel,
  };
  return mailbox_open(webdav_store_new(client, source->path), &mailbox, error);
}

static gboolean serve(const Options *options, Mailbox *mailbox, Users *users, const char *shown,
                      Daemon *daemon, GError **error)
{
  FsOptions look = {
      .source = shown,
      .uid = (uid_t)options->uid,
      .gid = (gid_t)options->gid,
      .umask = (mode_t)options->umask,
      .read_only = options->read_only,
      .allow_other = options->allow_other,
      .users = users,
  };
  g_autoptr(Fs) fs = fs_mount(mailbox, options->mountpoint, &look, error);
  if (!fs)
    return FALSE;
  log_info("cli", "%s is mounted on %s: %s", shown, options->mountpoint,
           users ? "a directory for each user" : mailbox_description(mailbox));
  daemon_ready(daemon);
  return fs_serve(fs, error);
}

static gboolean serve_one(const Options *options, const Source *source, Daemon *daemon,
                          GError **error)
{
  g_autofree char *host = source_host(source);
  g_autofree char *shown = g_strconcat(source->origin, source->path, NULL);
  g_autoptr(Credentials) credentials = credentials_new(options, host, error);
  if (!credentials)
    return FALSE;
  const ClientWho who = {.name = g_get_user_name(), .uid = getuid(), .credentials = credentials};
  Mailbox *mailbox = make_mailbox(options, source, &who, NULL, NULL, error);
  gboolean ok = mailbox && serve(options, mailbox, NULL, shown, daemon, error);
  credentials_stop(credentials);
  mailbox_close(mailbox);
  return ok;
}

typedef struct {
  const Options *options;
  const char *cache_dir; /* each user's is in it */
} Many;

/* A UsersOpenFunc: its data is a Many. */
static Mailbox *open_user(const char *name, uid_t uid, Cancel *cancel, gpointer data,
                          GError **error)
{
  const Many *many = data;
  g_auto(Source) source = {0};
  if (!many_source(many->options->source, name, uid, &source, error))
    return NULL;
  g_autofree char *own = g_strdup_printf("%s/%lu", many->cache_dir, (unsigned long)uid);
  const ClientWho who = {.name = name, .uid = uid, .many = TRUE};
  return make_mailbox(many->options, &source, &who, own, cancel, error);
}

/* What no user could come with is told now, not to each of them. */
static gboolean try_client(const Options *options, GError **error)
{
  g_auto(Source) source = {0};
  const ClientWho who = {.name = "user", .uid = 1, .many = TRUE};
  if (!RULE("multi-tried"))
    return TRUE;
  if (!many_source(options->source, who.name, who.uid, &source, error))
    return FALSE;
  HttpClient *client = client_make(options, &source, &who, error);
  http_client_free(client);
  return client != NULL;
}

/* Each user takes a dozen files and connections; 1,024, the usual limit, would be soon used up. */
static void allow_many_files(void)
{
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
}

static gboolean serve_many(const Options *options, Daemon *daemon, GError **error)
{
  g_autofree char *identity = g_strconcat("multiuser ", options->source, NULL);
  g_autofree char *cache_dir = find_cache_dir(options, identity);
  Many many = {options, cache_dir};
  allow_many_files();
  if (!try_client(options, error))
    return FALSE;
  Users *users = users_open(cache_dir, options->timeo_meta_ms, open_user, &many, error);
  gboolean ok = users && serve(options, NULL, users, options->source, daemon, error);
  users_close(users);
  return ok;
}

static gboolean mount_and_serve(const Options *options, const Source *source, Daemon *daemon,
                                GError **error)
{
  if (!start_log(options, error))
    return FALSE;
  gboolean ok = options->multiuser ? serve_many(options, daemon, error)
                                   : serve_one(options, source, daemon, error);
  if (ok)
    log_info("cli", "%s is unmounted", options->mountpoint);
  return ok;
}

/* libkrb5 takes a path with and without its kind, and other kinds that are no paths. */
static char *absolute_krb(const char *name)
{
  gboolean said = g_str_has_prefix(name, "FILE:");
  if (!said && strchr(name, ':'))
    return g_strdup(name);
  return g_canonicalize_filename(said ? name + strlen("FILE:") : name, NULL);
}

/* The daemon leaves this directory; a client may be made, a file be read again, long after. */
static void make_absolute(Options *options)
{
  char **const paths[] = {
      &options->mountpoint,  &options->passwd_file,     &options->netrc,
      &options->credentials, &options->cacert,          &options->cert,
      &options->key,         &options->key_passwd_file, &options->proxy_passwd_file};
  char **const krb[] = {&options->ccache, &options->keytab};
  for (gsize i = 0; RULE("paths-absolute") && i < G_N_ELEMENTS(paths); i++) {
    g_autofree char *given = *paths[i];
    *paths[i] = given ? g_canonicalize_filename(given, NULL) : NULL;
  }
  for (gsize i = 0; i < G_N_ELEMENTS(krb); i++) {
    g_autofree char *given = *krb[i];
    *krb[i] = given ? absolute_krb(given) : NULL;
  }
}

static gboolean check(Options *options, Source *source, GError **error)
{
  if (options->broken_rules && !rule_break(options->broken_rules))
    return error_set(error, EINVAL, SCOPE_LOCAL, "break= is for builds with XFS_PROVE");
  if (options->command == COMMAND_PROBE)
    return combine_check(options, error) && credentials_check(options, error);
  if (options->multiuser ? !many_check(options, geteuid() == 0, error)
                         : !source_parse(options->source, source, error))
    return FALSE;
  if (!combine_check(options, error) || !credentials_check(options, error))
    return FALSE;
  make_absolute(options);
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
  if (options.command == COMMAND_PROBE) {
    options.foreground = TRUE;
    return start_log(&options, &error) ? probe_run(&options) : complain(EXIT_TROUBLE, error);
  }
  if (!fs_check_mountpoint(options.mountpoint, options.nonempty, &error))
    return complain(EXIT_TROUBLE, error);
  if (options.fake)
    return 0;

  g_autoptr(Daemon) daemon = daemon_start(options.foreground);
  if (mount_and_serve(&options, &source, daemon, &error))
    return 0;
  return daemon_fail(daemon, EXIT_TROUBLE, error->message);
}
