/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the table of mount options and the reading of the command line by it; leaves what an option
 * does to those who get the record.
 */
#include "cli/opts.h"

#include "base/error.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

typedef enum { TEXT, LIST, SIZE, SECONDS, NUMBER, OCTAL, CHOICE, SET, CLEAR, IGNORED } OptKind;

typedef struct {
  const char *name;
  OptKind kind;
  gsize offset; /* of the member of Options: TEXT char *, LIST GPtrArray *, SET and CLEAR gboolean,
                   else gint64 */
  gint64 min, max;     /* of a number, as stored */
  const char *choices; /* CHOICE: "a|b|c", stored is the index */
  const char *help;    /* "VALUE text", or NULL: not told */
} OptRow;

#define TLS_MIN_DEFAULT 2 /* of tls_min's choices */
#define AT(member) offsetof(Options, member)
#define DAY_MS ((gint64)24 * 60 * 60000)

static const OptRow rows[] = {
    {"user", TEXT, AT(user), 0, 0, NULL, "user=NAME          sign in as NAME"},
    {"username", TEXT, AT(user), 0, 0, NULL, NULL},
    {"passwd_file", TEXT, AT(passwd_file), 0, 0, NULL,
     "passwd_file=FILE   its first line is the password (mode 0600)"},
    {"passwd_cmd", TEXT, AT(passwd_cmd), 0, 0, NULL,
     "passwd_cmd=COMMAND the first line it prints is the password"},
    {"netrc", TEXT, AT(netrc), 0, 0, NULL,
     "netrc=FILE         user and password from there (mode 0600)"},
    {"credentials", TEXT, AT(credentials), 0, 0, NULL,
     "credentials=FILE   the same: lines user=, password=, domain="},
    {"sec", CHOICE, AT(sec), 0, 0, "auto|negotiate|ntlm|basic|forms|bearer|none",
     "sec=KIND           auto, negotiate, ntlm, basic, forms, bearer, none"},
    {"token_cmd", TEXT, AT(token_cmd), 0, 0, NULL, "token_cmd=COMMAND  prints a bearer token"},
    {"ccache", TEXT, AT(ccache), 0, 0, NULL,
     "ccache=NAME        Kerberos tickets; %u name, %U uid of the user"},
    {"keytab", TEXT, AT(keytab), 0, 0, NULL,
     "keytab=FILE        get Kerberos tickets with these keys"},
    {"principal", TEXT, AT(principal), 0, 0, NULL,
     "principal=NAME     the one of ccache or keytab to use"},
    {"multiuser", SET, AT(multiuser), 0, 0, NULL,
     "multiuser          a directory for each user, with their own ticket"},
    {"servers", LIST, AT(servers), 0, 0, NULL,
     "servers=URL        another server of the same store; may be repeated"},
    {"cacert", TEXT, AT(cacert), 0, 0, NULL, "cacert=FILE        trust these authorities alone"},
    {"pin", TEXT, AT(pin), 0, 0, NULL, "pin=sha256//HASH   the server's public key must be this"},
    {"cert", TEXT, AT(cert), 0, 0, NULL, "cert=FILE          certificate to show to the server"},
    {"key", TEXT, AT(key), 0, 0, NULL, "key=FILE           its key"},
    {"key_passwd_file", TEXT, AT(key_passwd_file), 0, 0, NULL,
     "key_passwd_file=FILE  the key's password"},
    {"tls_min", CHOICE, AT(tls_min), 0, 0, "1.0|1.1|1.2|1.3",
     "tls_min=VERSION    the oldest TLS taken (1.2)"},
    {"proxy", TEXT, AT(proxy), 0, 0, NULL, "proxy=URL          go by this HTTP proxy"},
    {"proxy_user", TEXT, AT(proxy_user), 0, 0, NULL, "proxy_user=NAME    sign in there as NAME"},
    {"proxy_passwd_file", TEXT, AT(proxy_passwd_file), 0, 0, NULL,
     "proxy_passwd_file=FILE  with this password"},
    {"cache_dir", TEXT, AT(cache_dir), 0, 0, NULL, "cache_dir=DIR      where the cache is kept"},
    {"cache_size", SIZE, AT(cache_size), 1, G_MAXINT64 / 2, NULL,
     "cache_size=N[KMG]  bytes of content kept (1G)"},
    {"attr_ttl", SECONDS, AT(attr_ttl_ms), 0, 365 * DAY_MS, NULL,
     "attr_ttl=SEC       ask the server again after (60)"},
    {"timeo", SECONDS, AT(timeo_ms), 1, DAY_MS, NULL,
     "timeo=SEC          give up when nothing moves for (30)"},
    {"timeo_meta", SECONDS, AT(timeo_meta_ms), 1, DAY_MS, NULL,
     "timeo_meta=SEC     give a change of names up after (5)"},
    {"offline", CHOICE, AT(offline), 0, 0, "no|auto",
     "offline=auto|no    serve what is cached while the server is away"},
    {"sizes", CHOICE, AT(sizes_exact), 0, 0, "estimate|exact",
     "sizes=exact        learn true sizes before they are told"},
    {"connections", NUMBER, AT(connections), 1, 64, NULL,
     "connections=N      connections to the server (8)"},
    {"uid", NUMBER, AT(uid), 0, G_MAXUINT32 - 1, NULL, "uid=N, gid=N       owner of what is shown"},
    {"gid", NUMBER, AT(gid), 0, G_MAXUINT32 - 1, NULL, NULL},
    {"umask", OCTAL, AT(umask), 0, 0777, NULL, "umask=OCTAL        mode bits taken away (077)"},
    {"ro", SET, AT(read_only), 0, 0, NULL, "ro                 never change the server"},
    {"rw", CLEAR, AT(read_only), 0, 0, NULL, NULL},
    {"allow_other", SET, AT(allow_other), 0, 0, NULL, "allow_other        let other users in"},
    {"nonempty", SET, AT(nonempty), 0, 0, NULL, "nonempty           mount over files"},
    {"insecure_basic", SET, AT(insecure_basic), 0, 0, NULL,
     "insecure_basic     send the password over plain http"},
    {"log_file", TEXT, AT(log_file), 0, 0, NULL, "log_file=FILE      log there, not to syslog"},
    {"log_level", CHOICE, AT(log_level), 0, 0, "error|warning|info|debug",
     "log_level=LEVEL    error, warning, info or debug (warning)"},
    {"debug", TEXT, AT(debug_areas), 0, 0, NULL,
     "debug=AREA:AREA    debug lines of these areas (fs, net, ...)"},
    {"break", TEXT, AT(broken_rules), 0, 0, NULL, NULL},
    /* What fstab, mount(8) and mount.fuse3(8) add. mount(8) takes user=NAME for its own "user" and
     * adds exec,suid,dev: nosuid, nodev, noexec hold all the same. */
    {"user", IGNORED, 0, 0, 0, NULL, NULL},
    {"defaults", IGNORED, 0, 0, 0, NULL, NULL},
    {"auto", IGNORED, 0, 0, 0, NULL, NULL},
    {"noauto", IGNORED, 0, 0, 0, NULL, NULL},
    {"users", IGNORED, 0, 0, 0, NULL, NULL},
    {"nouser", IGNORED, 0, 0, 0, NULL, NULL},
    {"owner", IGNORED, 0, 0, 0, NULL, NULL},
    {"group", IGNORED, 0, 0, 0, NULL, NULL},
    {"_netdev", IGNORED, 0, 0, 0, NULL, NULL},
    {"nofail", IGNORED, 0, 0, 0, NULL, NULL},
    {"nosuid", IGNORED, 0, 0, 0, NULL, NULL},
    {"suid", IGNORED, 0, 0, 0, NULL, NULL},
    {"nodev", IGNORED, 0, 0, 0, NULL, NULL},
    {"dev", IGNORED, 0, 0, 0, NULL, NULL},
    {"noexec", IGNORED, 0, 0, 0, NULL, NULL},
    {"exec", IGNORED, 0, 0, 0, NULL, NULL},
    {"noatime", IGNORED, 0, 0, 0, NULL, NULL},
    {"nodiratime", IGNORED, 0, 0, 0, NULL, NULL},
    {"relatime", IGNORED, 0, 0, 0, NULL, NULL},
    {"async", IGNORED, 0, 0, 0, NULL, NULL},
};

static gboolean takes_value(const OptRow *row)
{
  return row->kind < SET;
}

static const OptRow *find_row(const char *name, gboolean with_value)
{
  const OptRow *other = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
    if (strcmp(rows[i].name, name) == 0) {
      if (takes_value(&rows[i]) == with_value)
        return &rows[i];
      other = &rows[i];
    }
  return other;
}

static gboolean usage(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

static gboolean usage(GError **error, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *text = g_strdup_vprintf(format, args);
  va_end(args);
  return error_set(error, EINVAL, SCOPE_LOCAL, "%s", text);
}

static gboolean parse_digits(const char *text, guint base, guint64 *ret)
{
  char *end = NULL;
  if (!g_ascii_isdigit(*text))
    return FALSE;
  errno = 0;
  guint64 value = g_ascii_strtoull(text, &end, base);
  if (errno || *end)
    return FALSE;
  *ret = value;
  return TRUE;
}

static gboolean parse_size(const char *text, guint64 *ret)
{
  static const char units[] = "KMGT";
  gsize len = strlen(text);
  const char *unit = len > 0 ? strchr(units, g_ascii_toupper(text[len - 1])) : NULL;
  if (!unit || !*unit)
    return parse_digits(text, 10, ret);
  g_autofree char *digits = g_strndup(text, len - 1);
  guint shift = 10 * (guint)(unit - units + 1);
  guint64 value;
  if (!parse_digits(digits, 10, &value) || value > (guint64)G_MAXINT64 >> shift)
    return FALSE;
  *ret = value << shift;
  return TRUE;
}

static gboolean parse_seconds(const char *text, guint64 *ret)
{
  char *end = NULL;
  if (!*text || text[strspn(text, "0123456789.")]) /* no 0x10, no 1e3, no nan */
    return FALSE;
  double value = g_ascii_strtod(text, &end);
  if (*end || end == text || value > 1e9)
    return FALSE;
  *ret = (guint64)(value * 1000 + 0.5);
  return TRUE;
}

static gboolean parse_choice(const char *text, const char *choices, guint64 *ret)
{
  g_auto(GStrv) words = g_strsplit(choices, "|", -1);
  for (guint i = 0; words[i]; i++)
    if (strcmp(words[i], text) == 0) {
      *ret = i;
      return TRUE;
    }
  return FALSE;
}

static gboolean parse_value(const OptRow *row, const char *text, guint64 *ret)
{
  switch (row->kind) {
  case SIZE:
    return parse_size(text, ret);
  case SECONDS:
    return parse_seconds(text, ret);
  case OCTAL:
    return parse_digits(text, 8, ret);
  case CHOICE:
    return parse_choice(text, row->choices, ret);
  default:
    return parse_digits(text, 10, ret);
  }
}

static gboolean store_value(const OptRow *row, const char *text, Options *options, GError **error)
{
  void *member = (char *)options + row->offset;
  if (row->kind == TEXT) {
    if (!*text)
      return usage(error, "the option %s= is empty: give it a value", row->name);
    g_free(*(char **)member);
    *(char **)member = g_strdup(text);
    return TRUE;
  }
  if (row->kind == LIST) {
    GPtrArray **list = member;
    if (!*list)
      *list = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(*list, g_strdup(text));
    return TRUE;
  }
  guint64 value = 0;
  gboolean ok = parse_value(row, text, &value);
  if (row->kind != CHOICE)
    ok = ok && value >= (guint64)row->min && value <= (guint64)row->max;
  if (!ok && row->kind == CHOICE)
    return usage(error, "%s=%s is not possible: choose one of %s", row->name, text, row->choices);
  if (!ok)
    return usage(error, "%s=%s is not possible: exchangefs(1) says what may stand there", row->name,
                 text);
  *(gint64 *)member = (gint64)value;
  return TRUE;
}

static gboolean apply_option(const char *text, gboolean sloppy, Options *options, GError **error)
{
  const char *equals = strchr(text, '=');
  g_autofree char *name = equals ? g_strndup(text, (gsize)(equals - text)) : g_strdup(text);
  if (!*name || g_str_has_prefix(name, "x-") || g_str_has_prefix(name, "comment"))
    return TRUE;
  const OptRow *row = find_row(name, equals != NULL);
  if (!row && sloppy)
    return TRUE;
  if (!row)
    return usage(error, "there is no option %s: exchangefs -h lists what there is", name);
  if (takes_value(row) && !equals)
    return usage(error, "the option %s needs a value: write %s=VALUE", name, name);
  if (!takes_value(row) && equals && row->kind != IGNORED)
    return usage(error, "the option %s takes no value: write it alone", name);
  if (takes_value(row))
    return store_value(row, equals + 1, options, error);
  if (row->kind != IGNORED)
    *(gboolean *)(void *)((char *)options + row->offset) = row->kind == SET;
  return TRUE;
}

/* A comma ends an option unless a backslash stands before it; other backslashes are themselves
 * (DOMAIN\name). */
static gboolean apply_list(const char *list, gboolean sloppy, Options *options, GError **error)
{
  g_autoptr(GString) word = g_string_new(NULL);
  for (const char *at = list;; at++) {
    if (*at == '\\' && (at[1] == ',' || at[1] == '\\')) {
      g_string_append_c(word, *++at);
    } else if (*at == ',' || *at == '\0') {
      if (!apply_option(word->str, sloppy, options, error))
        return FALSE;
      g_string_truncate(word, 0);
      if (!*at)
        return TRUE;
    } else {
      g_string_append_c(word, *at);
    }
  }
}

static void set_defaults(Options *options)
{
  *options = (Options){
      .cache_size = (gint64)1 << 30,
      .attr_ttl_ms = 60000,
      .timeo_ms = 30000,
      .timeo_meta_ms = 5000,
      .connections = 8,
      .tls_min = TLS_MIN_DEFAULT,
      .uid = getuid(),
      .gid = getgid(),
      .umask = 077,
      .log_level = LOG_WARNING_LEVEL,
      .offline = TRUE,
  };
}

static gboolean apply_letter(char letter, gboolean helper, Options *options, GError **error)
{
  if (helper) {
    options->fake |= letter == 'f';
    return strchr("fnsv", letter)
               ? TRUE
               : usage(error, "mount gave -%c, which means nothing here", letter);
  }
  options->foreground |= letter == 'f' || letter == 'd';
  options->help |= letter == 'h';
  options->version |= letter == 'V';
  options->read_only |= letter == 'r';
  if (letter == 'd')
    options->log_level = LOG_DEBUG_LEVEL;
  return strchr("fdhVrwnsv", letter)
             ? TRUE
             : usage(error, "there is no option -%c: exchangefs -h lists what there is", letter);
}

/* Words that are no option: source, then mountpoint. */
static gboolean take_word(const char *word, Options *options, GError **error)
{
  gboolean probe = options->command == COMMAND_PROBE;
  char **to = options->source && !probe ? &options->mountpoint : &options->source;
  if (*to)
    return usage(error, "%s is one word too many: give a source%s", word,
                 probe ? " alone" : " and a mountpoint");
  *to = g_strdup(word);
  return TRUE;
}

static gboolean is_sloppy(int argc, char *const *argv)
{
  for (int i = 1; i < argc; i++)
    if (strcmp(argv[i], "-s") == 0)
      return TRUE;
  return FALSE;
}

gboolean options_parse(int argc, char *const *argv, Options *options, GError **error)
{
  g_autofree char *program = g_path_get_basename(argc > 0 ? argv[0] : "exchangefs");
  gboolean helper = g_str_has_prefix(program, "mount.");
  gboolean sloppy = helper && is_sloppy(argc, argv);
  gboolean words_only = FALSE;
  set_defaults(options);
  options->helper = helper;
  if (!helper && argc > 1 && strcmp(argv[1], "probe") == 0)
    options->command = COMMAND_PROBE;

  for (int i = options->command == COMMAND_PROBE ? 2 : 1; i < argc; i++) {
    const char *word = argv[i];
    gboolean valued = g_str_has_prefix(word, "-o") ||
                      (helper && (strcmp(word, "-t") == 0 || strcmp(word, "-N") == 0));
    if (words_only || word[0] != '-' || !word[1]) {
      if (!take_word(word, options, error))
        return FALSE;
    } else if (strcmp(word, "--") == 0) {
      words_only = TRUE;
    } else if (strcmp(word, "--help") == 0 || strcmp(word, "--version") == 0) {
      *(word[2] == 'h' ? &options->help : &options->version) = TRUE;
    } else if (options->command == COMMAND_PROBE && strcmp(word, "--json") == 0) {
      options->json = TRUE;
    } else if (valued) {
      const char *value = word[2] ? word + 2 : i + 1 < argc ? argv[++i] : NULL;
      if (!value)
        return usage(error, "%s stands alone: write what it is to be after it", word);
      if (word[1] == 'o' && !apply_list(value, sloppy, options, error))
        return FALSE;
    } else if (word[1] == '-') {
      return usage(error, "there is no option %s: exchangefs -h lists what there is", word);
    } else {
      for (const char *letter = word + 1; *letter; letter++)
        if (!apply_letter(*letter, helper, options, error))
          return FALSE;
    }
  }
  if (options->help || options->version || options->mountpoint)
    return TRUE;
  if (options->command == COMMAND_PROBE)
    return options->source || usage(error, "the source is missing: write exchangefs probe SOURCE");
  return usage(error, "%s is missing: write exchangefs [options] SOURCE MOUNTPOINT",
               options->source ? "the mountpoint" : "the source");
}

void options_clear(Options *options)
{
  g_free(options->source);
  g_free(options->mountpoint);
  g_free(options->user);
  g_free(options->passwd_file);
  g_free(options->passwd_cmd);
  g_free(options->token_cmd);
  g_free(options->netrc);
  g_free(options->credentials);
  g_free(options->ccache);
  g_free(options->keytab);
  g_free(options->principal);
  g_free(options->cacert);
  g_free(options->cert);
  g_free(options->key);
  g_free(options->key_passwd_file);
  g_free(options->pin);
  g_free(options->proxy);
  g_free(options->proxy_user);
  g_free(options->proxy_passwd_file);
  g_clear_pointer(&options->servers, g_ptr_array_unref);
  g_free(options->cache_dir);
  g_free(options->log_file);
  g_free(options->debug_areas);
  g_free(options->broken_rules);
  *options = (Options){0};
}

char *options_help(void)
{
  GString *text = g_string_new("exchangefs [options] SOURCE MOUNTPOINT\n"
                               "exchangefs probe SOURCE [options] [--json]   what is there\n"
                               "  SOURCE is the address of a mailbox or folder: "
                               "https://mail.example.org/exchange/alice/\n"
                               "  -f   stay in the foreground    -d   the same, with a debug log\n"
                               "  -h   this help                 -V   version\n"
                               "  -o   a list of:\n");
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
    if (rows[i].help)
      g_string_append_printf(text, "         %s\n", rows[i].help);
  g_string_append(text, "exchangefs(1) tells the rest; umount MOUNTPOINT ends it.\n");
  return g_string_free(text, FALSE);
}
