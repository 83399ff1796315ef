/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line: words into an Options record. Pure: looks at nothing but its arguments.
 */
#pragma once

#include "base/log.h"

#include <sys/types.h>

/* -o sec=, in the order of its words. */
typedef enum {
  SEC_AUTO,
  SEC_NEGOTIATE,
  SEC_NTLM,
  SEC_BASIC,
  SEC_FORMS,
  SEC_BEARER,
  SEC_NONE,
} SecKind;

/* The first word, when it is one of these. */
typedef enum { COMMAND_MOUNT, COMMAND_PROBE } CommandKind;

typedef struct {
  CommandKind command;
  gboolean json;             /* of a probe */
  char *source, *mountpoint; /* as given; the caller makes them absolute */
  gboolean help, version;    /* nothing else is asked for, and nothing was checked */
  gboolean foreground;
  gboolean helper; /* called as mount.exchangefs */
  gboolean fake;   /* mount -f: check everything, mount nothing */

  gint64 sec;               /* a SecKind */
  char *user, *passwd_file; /* NULL: not given; so below */
  char *passwd_cmd, *token_cmd, *netrc, *credentials;
  char *ccache, *keytab, *principal; /* %u and %U stand for the user's name and uid */
  char *cacert, *cert, *key, *key_passwd_file, *pin;
  gint64 tls_min; /* TLS 1.x, by x */
  char *proxy, *proxy_user, *proxy_passwd_file;
  GPtrArray *servers; /* char *, as given; NULL: none */
  char *cache_dir, *log_file, *debug_areas, *broken_rules;
  gint64 cache_size; /* bytes */
  gint64 attr_ttl_ms, timeo_ms, timeo_meta_ms;
  gint64 connections;
  gint64 uid, gid, umask;
  gint64 log_level;            /* LogLevel */
  gint64 offline, sizes_exact; /* 0 or 1 */
  gboolean read_only, allow_other, nonempty, insecure_basic, multiuser;
} Options;

/*
 * Fills OPTIONS from ARGV (a first word "probe" asks for a report: then there is no mountpoint;
 * ARGV[0] decides: "mount.exchangefs" is called the way mount(8) calls a
 * helper, where -f, -n, -s, -v mean something else). Accepts source, mountpoint and options in any
 * order. FALSE with a sentence for the user; OPTIONS is then to be cleared as well.
 */
gboolean options_parse(int argc, char *const *argv, Options *options, GError **error);

void options_clear(Options *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Options, options_clear)

/* What -h prints, made from the same table as the parser. The caller frees it. */
char *options_help(void);
