/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the way from options to an open credential cache. The file that was checked is the file that
 * is read: libkrb5 is given the open descriptor's name, so nothing can be put in between. What is
 * in a cache is ticket.c's.
 */
#include "net/ccache.h"

#include "base/error.h"
#include "base/rule.h"

#include <errno.h>
#include <fcntl.h>
#include <profile.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BYTES_MAX ((off_t)1024 * 1024) /* a cache holds tens of KiB, even with large PACs */

static char *user_name(uid_t uid)
{
  struct passwd entry, *found = NULL;
  char text[4096];
  if (getpwuid_r(uid, &entry, text, sizeof text, &found) != 0 || !found)
    return g_strdup_printf("%u", (guint)uid);
  return g_strdup(found->pw_name);
}

/*
 * The name a program of OWNER would find: libkrb5 fills the tokens of default_ccache_name in for
 * the process it runs in, and that is not OWNER's.
 */
static char *default_name(krb5_context context, uid_t owner)
{
  profile_t profile = NULL;
  char *set = NULL;
  if (krb5_get_profile(context, &profile) == 0)
    profile_get_string(profile, "libdefaults", "default_ccache_name", NULL, NULL, &set);
  g_autoptr(GString) name = g_string_new(set ? set : "FILE:/tmp/krb5cc_%{uid}");
  if (set)
    profile_release_string(set);
  if (profile)
    profile_release(profile);

  g_autofree char *uid = g_strdup_printf("%u", (guint)owner);
  g_autofree char *user = user_name(owner);
  const char *tokens[][2] = {{"%{uid}", uid},       {"%{euid}", uid},    {"%{USERID}", uid},
                             {"%{username}", user}, {"%{TEMP}", "/tmp"}, {"%{null}", ""}};
  for (gsize i = 0; i < G_N_ELEMENTS(tokens); i++)
    g_string_replace(name, tokens[i][0], tokens[i][1], 0);
  return g_string_free(g_steal_pointer(&name), FALSE);
}

/* The path in a name of kind FILE, else NULL. */
static const char *path_of(const char *name)
{
  if (g_str_has_prefix(name, "FILE:"))
    return name + strlen("FILE:");
  return name[0] == '/' || !strchr(name, ':') ? name : NULL;
}

static gboolean is_keyring_of(const char *name, uid_t owner)
{
  g_autofree char *own = g_strdup_printf("KEYRING:persistent:%u", (guint)owner);
  return g_str_has_prefix(name, own) && (!name[strlen(own)] || name[strlen(own)] == ':');
}

static gboolean no_ticket(const char *name, GError **error)
{
  return error_set(error, EACCES, SCOPE_SIGN_IN, "there is no Kerberos ticket in %s: run kinit",
                   name);
}

/* The descriptor of the cache PATH, checked, or -1. A fifo or device must not hold us. */
static int open_file(const HttpKerberos *options, const char *name, const char *path,
                     GError **error)
{
  gboolean check = options->check_owner && RULE("krb-owner");
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | (check ? O_NOFOLLOW : 0));
  struct stat st;
  if (fd < 0 && errno == ENOENT) {
    no_ticket(name, error);
    return -1;
  }
  if (fd < 0 && errno == ELOOP)
    error_set(error, EACCES, SCOPE_SIGN_IN, "the ticket cache %s is a link: name the file itself",
              name);
  else if (fd < 0)
    error_set(error, EACCES, SCOPE_SIGN_IN, "the ticket cache %s cannot be read (%s)", name,
              g_strerror(errno));
  else if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > BYTES_MAX)
    error_set(error, EACCES, SCOPE_SIGN_IN,
              "%s is no ticket cache, but no regular file or far too long: remove it, run kinit",
              name);
  else if (check && st.st_uid != options->owner)
    error_set(error, EACCES, SCOPE_SIGN_IN,
              "the ticket cache %s belongs to uid %u and not to uid %u, so it is not used: remove "
              "it, run kinit",
              name, (guint)st.st_uid, options->owner);
  else
    return fd;
  if (fd >= 0)
    close(fd);
  return -1;
}

/* Caches of another kind: a name that may be any user's is refused where it matters. */
static gboolean open_other(krb5_context context, const HttpKerberos *options, const char *name,
                           krb5_ccache *ret, GError **error)
{
  if (options->check_owner && RULE("krb-owner") && !is_keyring_of(name, options->owner))
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "nothing proves that the ticket cache %s is that of uid %u: use ccache=FILE:… "
                     "or KEYRING:persistent:%u",
                     name, options->owner, options->owner);
  krb5_error_code code = KRB5_CC_NOTFOUND;
  krb5_principal wanted = NULL;
  /* Of a collection the one of that principal, when there is one. */
  if (options->principal && !options->ccache &&
      krb5_parse_name(context, options->principal, &wanted) == 0)
    code = krb5_cc_cache_match(context, wanted, ret);
  krb5_free_principal(context, wanted);
  if (code != 0 && krb5_cc_resolve(context, name, ret) != 0)
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "%s names no ticket cache: correct ccache= or KRB5CCNAME", name);
  return TRUE;
}

gboolean ccache_open(krb5_context context, const HttpKerberos *options, CcacheSource *ret,
                     GError **error)
{
  g_autofree char *name = NULL;
  if (options->ccache)
    name = g_strdup(options->ccache);
  else if (options->check_owner && RULE("krb-default-of-owner"))
    name = default_name(context, options->owner);
  else
    name = g_strdup(krb5_cc_default_name(context));
  if (!name)
    return no_ticket("the default cache", error);

  CcacheSource source = {.fd = -1};
  const char *path = path_of(name);
  if (path) {
    source.fd = open_file(options, name, path, error);
    if (source.fd < 0)
      return FALSE;
    g_autofree char *link = g_strdup_printf("FILE:/proc/self/fd/%d", source.fd);
    if (krb5_cc_resolve(context, link, &source.cache) != 0) {
      close(source.fd);
      return no_ticket(name, error);
    }
  } else if (!open_other(context, options, name, &source.cache, error)) {
    return FALSE;
  }
  source.name = g_steal_pointer(&name);
  *ret = source;
  return TRUE;
}

void ccache_close(krb5_context context, CcacheSource *source)
{
  krb5_cc_close(context, source->cache);
  if (source->fd >= 0)
    close(source->fd);
  g_free(source->name);
}
