/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the choice of where a password comes from; leaves how to ask to prompt.c and command.c, what
 * a file may hold to credfile.c, which modes to base/secret.
 */
#include "cli/credentials.h"

#include "base/error.h"
#include "base/rule.h"
#include "cli/command.h"
#include "cli/credfile.h"
#include "cli/prompt.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define SYSTEM_DIR "/etc/exchangefs"
#define COMMAND_MS 30000
#define AGAIN_US (10 * G_USEC_PER_SEC) /* a command that failed is not run again before */

struct Credentials {
  const Options *options;
  char *user, *host;
  const char *passwd_cmd, *token_cmd; /* NULL: none; the options' */
  int stop;                           /* an eventfd */
  GMutex lock;                        /* of what follows */
  Secret *password;                   /* of a file, or typed */
  gboolean from_file, handed_out;     /* PASSWORD is of a file; was given away: look there again */
  GError *failure;                    /* of passwd_cmd, at FAILED_AT (monotonic) */
  gint64 failed_at;
};

gboolean credentials_check(const Options *options, GError **error)
{
  const struct {
    const char *name, *value;
    gboolean needs_user;
  } sources[] = {{"passwd_file", options->passwd_file, TRUE},
                 {"passwd_cmd", options->passwd_cmd, TRUE},
                 {"netrc", options->netrc, FALSE},
                 {"credentials", options->credentials, FALSE}};
  const char *first = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS(sources); i++) {
    if (!sources[i].value)
      continue;
    if (first && RULE("one-source"))
      return error_set(error, EINVAL, SCOPE_LOCAL,
                       "%s= and %s= both say where the password is: give one of them", first,
                       sources[i].name);
    if (sources[i].needs_user && !options->user)
      return error_set(error, EINVAL, SCOPE_LOCAL,
                       "%s= says no user: give the name with -o user=", sources[i].name);
    first = sources[i].name;
  }
  return TRUE;
}

static gboolean from_netrc(Credentials *credentials, const char *path, const char *host,
                           GError **error)
{
  g_autoptr(Secret) text = secret_read_whole(path, "netrc file", error);
  g_autofree char *user = NULL;
  if (!text)
    return FALSE;
  if (!credfile_netrc(secret_peek(text), host, credentials->user, &user, &credentials->password))
    return error_set(
        error, EACCES, SCOPE_SIGN_IN,
        "the netrc file %s has no password for %s%s%s: add 'machine %s login USER password "
        "PASSWORD'",
        path, credentials->user ? credentials->user : "", credentials->user ? " at " : "", host,
        host);
  if (!credentials->user)
    credentials->user = g_steal_pointer(&user);
  return credentials->user ||
         error_set(error, EACCES, SCOPE_SIGN_IN,
                   "the netrc file %s names no login for %s: give it there or with -o user=", path,
                   host);
}

/* OPTIONAL: a file that is for somebody else is as good as none. */
static gboolean from_lines(Credentials *credentials, const char *path, gboolean optional,
                           GError **error)
{
  g_autoptr(Secret) text = secret_read_whole(path, "credentials file", error);
  g_autoptr(Secret) password = NULL;
  g_autofree char *user = NULL;
  if (!text)
    return FALSE;
  credfile_lines(secret_peek(text), &user, &password);
  if (credentials->user && user && strcmp(user, credentials->user) != 0)
    return optional || error_set(error, EACCES, SCOPE_SIGN_IN,
                                 "the credentials file %s is for %s, not for %s: give one of both",
                                 path, user, credentials->user);
  if (!password || !*secret_peek(password))
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "the credentials file %s has no line password=: add one", path);
  if (!credentials->user && !user)
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "the credentials file %s has no line user=: add one, or give -o user=", path);
  if (!credentials->user)
    credentials->user = g_steal_pointer(&user);
  credentials->password = g_steal_pointer(&password);
  return TRUE;
}

/* What fstab need not say: root's own file for this server, when there is one. */
static gboolean from_system(Credentials *credentials, const char *host, GError **error)
{
  g_autofree char *path = g_strdup_printf(SYSTEM_DIR "/%s.credentials", host);
  if (access(path, F_OK) < 0 && errno == ENOENT)
    return TRUE;
  return from_lines(credentials, path, TRUE, error);
}

static gboolean wants_system(const Options *options)
{
  gboolean password =
      options->sec != SEC_NONE && options->sec != SEC_NEGOTIATE && options->sec != SEC_BEARER;
  return options->helper && geteuid() == 0 && password && !options->passwd_cmd;
}

/* Sets the password when a file has it. */
static gboolean read_files(Credentials *credentials, GError **error)
{
  const Options *options = credentials->options;
  const char *host = credentials->host;
  g_clear_pointer(&credentials->password, secret_free);
  if (options->passwd_file) {
    credentials->password = secret_read_file(options->passwd_file, error);
    return credentials->password != NULL;
  }
  if (options->netrc)
    return from_netrc(credentials, options->netrc, host, error);
  if (options->credentials)
    return from_lines(credentials, options->credentials, FALSE, error);
  return !wants_system(options) || from_system(credentials, host, error);
}

Credentials *credentials_new(const Options *options, const char *host, GError **error)
{
  g_autoptr(Credentials) credentials = g_new0(Credentials, 1);
  g_mutex_init(&credentials->lock);
  credentials->options = options;
  credentials->user = g_strdup(options->user);
  credentials->host = g_strdup(host);
  credentials->passwd_cmd = options->passwd_cmd;
  credentials->token_cmd = options->token_cmd;
  credentials->stop = eventfd(0, EFD_CLOEXEC);
  if (credentials->stop < 0) {
    error_set(error, errno, SCOPE_LOCAL, "no descriptor is left: %s", g_strerror(errno));
    return NULL;
  }
  if (!read_files(credentials, error))
    return NULL;
  credentials->from_file = credentials->password != NULL;
  return g_steal_pointer(&credentials);
}

void credentials_free(Credentials *credentials)
{
  if (!credentials)
    return;
  if (credentials->stop >= 0)
    close(credentials->stop);
  secret_free(credentials->password);
  g_clear_error(&credentials->failure);
  g_mutex_clear(&credentials->lock);
  g_free(credentials->user);
  g_free(credentials->host);
  g_free(credentials);
}

const char *credentials_user(const Credentials *credentials)
{
  return credentials->user;
}

gboolean credentials_can(const Credentials *credentials)
{
  Credentials *own = (Credentials *)credentials;
  if (!own->user)
    return FALSE;
  if (own->passwd_cmd || prompt_can()) /* before the lock: whoever asks there holds it */
    return TRUE;
  g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&own->lock);
  return own->password != NULL;
}

/* What passwd_cmd says; remembers a failure for a while, since each request asks again. */
static Secret *ask_command(Credentials *credentials, GError **error)
{
  Command command = {.line = credentials->passwd_cmd,
                     .option = "passwd_cmd",
                     .what = "password",
                     .limit_ms = COMMAND_MS,
                     .stop = credentials->stop};
  if (credentials->failure && g_get_monotonic_time() < credentials->failed_at + AGAIN_US) {
    g_propagate_error(error, g_error_copy(credentials->failure));
    return NULL;
  }
  g_clear_error(&credentials->failure);
  Secret *password = command_secret(&command, &credentials->failure);
  credentials->failed_at = g_get_monotonic_time();
  if (!password)
    g_propagate_error(error, g_error_copy(credentials->failure));
  return password;
}

Secret *credentials_password(gpointer data, GError **error)
{
  Credentials *credentials = data;
  if (!credentials->user) {
    error_set(error, EACCES, SCOPE_SIGN_IN, "no user name: give it with -o user=");
    return NULL;
  }
  g_autoptr(GMutexLocker) locked = g_mutex_locker_new(&credentials->lock);
  if (credentials->passwd_cmd)
    return ask_command(credentials, error);
  if (credentials->from_file && credentials->handed_out && !read_files(credentials, error))
    return NULL;
  credentials->handed_out = TRUE;
  if (!credentials->password)
    credentials->password = prompt_password(credentials->user, error);
  return credentials->password ? secret_ref(credentials->password) : NULL;
}

Secret *credentials_token(gpointer data, GError **error)
{
  Credentials *credentials = data;
  Command command = {.line = credentials->token_cmd,
                     .option = "token_cmd",
                     .what = "token",
                     .limit_ms = COMMAND_MS,
                     .stop = credentials->stop};
  if (command.line)
    return command_secret(&command, error);
  error_set(error, EACCES, SCOPE_SIGN_IN,
            "no token: name the command that prints one with -o token_cmd=");
  return NULL;
}

void credentials_stop(Credentials *credentials)
{
  guint64 one = 1;
  if (write(credentials->stop, &one, sizeof one) < 0)
    return; /* the counter is full: it is set */
}
