/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens as far as no KDC is needed: whose cache is used, what is said when there is none, leaving
 * a KDC that does not answer. The rest has a real realm, end to end.
 */
#include "net_kerberos.h"

#include "base/error.h"
#include "base/rule.h"
#include "net/negotiate.h"

#include <arpa/inet.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char *directory; /* of the test, with krb5.conf in it */
static int kdc = -1;    /* takes connections, answers nothing */

static char *at(const char *name)
{
  return g_build_filename(directory, name, NULL);
}

/* libkrb5 may take a file that it has just read for unchanged: each has a name of its own. */
static void write_config(int port)
{
  g_autofree char *name = g_strdup_printf("krb5-%d.conf", port), *path = at(name);
  g_autofree char *text = g_strdup_printf("[libdefaults]\n default_realm = " REALM
                                          "\n dns_canonicalize_hostname = false\n"
                                          " dns_lookup_kdc = false\n udp_preference_limit = 1\n"
                                          " default_ccache_name = FILE:%s/default_%%{uid}\n"
                                          "[realms]\n " REALM " = {\n  kdc = 127.0.0.1:%d\n }\n",
                                          directory, port);
  assert_true(g_file_set_contents(path, text, -1, NULL));
  g_setenv("KRB5_CONFIG", path, TRUE);
}

static int set_up(void **state)
{
  (void)state;
  struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof here;
  directory = g_dir_make_tmp("xfs-krb-XXXXXX", NULL);
  kdc = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(kdc, (struct sockaddr *)&here, sizeof here), 0);
  assert_int_equal(listen(kdc, 16), 0);
  assert_int_equal(getsockname(kdc, (struct sockaddr *)&here, &len), 0);
  write_config(ntohs(here.sin_port));
  g_unsetenv("KRB5CCNAME");
  return 0;
}

static int tear_down(void **state)
{
  (void)state;
  g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
  for (const char *name; (name = g_dir_read_name(dir));) {
    g_autofree char *path = at(name);
    g_remove(path);
  }
  g_rmdir(directory);
  g_free(directory);
  close(kdc);
  return 0;
}

/* The error of a client that is not ready, which must be EACCES and hold WORD. */
static void assert_refused(const HttpKerberos *options, const char *word)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Negotiate) negotiate = negotiate_new("localhost", options);
  g_autofree char *as = NULL;
  assert_false(negotiate_ready(negotiate, &as, &error));
  assert_null(as);
  assert_int_equal(error_errno(error), EACCES);
  assert_int_equal(error_scope(error), SCOPE_SIGN_IN);
  if (!strstr(error->message, word))
    fail_msg("no '%s' in: %s", word, error->message);
  g_autoptr(GError) later = NULL;
  assert_null(negotiate_line(negotiate, NULL, G_MAXINT64, &later));
  assert_string_equal(later->message, error->message);
}

static void assert_ready(const HttpKerberos *options, const char *whose)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Negotiate) negotiate = negotiate_new("localhost", options);
  g_autofree char *as = NULL;
  if (!negotiate_ready(negotiate, &as, &error))
    fail_msg("%s", error->message);
  assert_string_equal(as, whose);
}

static void test_no_ticket(void **state)
{
  (void)state;
  g_autofree char *path = at("none"), *empty = at("empty"), *junk = at("junk"), *bare = at("bare");
  assert_refused(&(HttpKerberos){.ccache = path}, "run kinit");
  assert_refused(&(HttpKerberos){.ccache = path}, path);
  assert_refused(&(HttpKerberos){0}, "default_"); /* the configured one */
  assert_true(g_file_set_contents(empty, "", 0, NULL));
  assert_refused(&(HttpKerberos){.ccache = empty}, "run kinit");
  assert_true(g_file_set_contents(junk, "\005\004\377\377 this is no cache", -1, NULL));
  assert_refused(&(HttpKerberos){.ccache = junk}, "run kinit");
  make_cache(bare, "alice@" REALM, NULL, NULL, 0);
  assert_refused(&(HttpKerberos){.ccache = bare}, "no Kerberos ticket");
  assert_refused(&(HttpKerberos){.ccache = directory}, "no regular file");
  assert_refused(&(HttpKerberos){.ccache = "NONSENSE:x"}, "names no ticket cache");
}

static void test_ready(void **state)
{
  (void)state;
  g_autofree char *path = at("tgt"), *named = g_strconcat("FILE:", path, NULL);
  make_cache(path, "alice@" REALM, "krbtgt", REALM, 3600);
  assert_ready(&(HttpKerberos){.ccache = path}, "alice@" REALM);
  assert_ready(&(HttpKerberos){.ccache = named, .principal = "alice"}, "alice@" REALM);
  assert_ready(&(HttpKerberos){.ccache = named, .check_owner = TRUE, .owner = getuid()},
               "alice@" REALM);
  assert_refused(&(HttpKerberos){.ccache = named, .principal = "bob"}, "not of bob");
}

static void test_expired(void **state)
{
  (void)state;
  g_autofree char *path = at("old");
  make_cache(path, "alice@" REALM, "krbtgt", REALM, -60);
  assert_refused(&(HttpKerberos){.ccache = path}, "expired");
}

/* What a daemon that may read everything must not take for a user's own. */
static void test_owner(void **state)
{
  (void)state;
  guint me = getuid(), other = me + 1;
  g_autofree char *path = at("mine"), *link = at("link"), *fifo = at("fifo");
  g_autofree char *keyring = g_strdup_printf("KEYRING:persistent:%u", me);
  make_cache(path, "alice@" REALM, "krbtgt", REALM, 3600);
  assert_refused(&(HttpKerberos){.ccache = path, .check_owner = TRUE, .owner = other},
                 "belongs to uid");
  assert_int_equal(symlink(path, link), 0);
  assert_refused(&(HttpKerberos){.ccache = link, .check_owner = TRUE, .owner = me}, "link");
  assert_ready(&(HttpKerberos){.ccache = link}, "alice@" REALM); /* a person's own choice */
  assert_int_equal(mkfifo(fifo, 0600), 0);
  assert_refused(&(HttpKerberos){.ccache = fifo, .check_owner = TRUE, .owner = me},
                 "no regular file");
  assert_refused(&(HttpKerberos){.ccache = keyring, .check_owner = TRUE, .owner = other},
                 "nothing proves");
  assert_refused(&(HttpKerberos){.ccache = "DIR:/tmp", .check_owner = TRUE, .owner = me},
                 "nothing proves");
}

/* Without ccache=, a user of many has what the configuration gives that user. */
static void test_default_of_owner(void **state)
{
  (void)state;
  guint me = getuid();
  g_autofree char *name = g_strdup_printf("default_%u", me), *path = at(name);
  g_autofree char *theirs = g_strdup_printf("default_%u", me + 7);
  make_cache(path, "alice@" REALM, "krbtgt", REALM, 3600);
  assert_ready(&(HttpKerberos){.check_owner = TRUE, .owner = me}, "alice@" REALM);
  assert_refused(&(HttpKerberos){.check_owner = TRUE, .owner = me + 7}, theirs);
  g_setenv("KRB5CCNAME", path, TRUE); /* the daemon's, nobody else's */
  assert_refused(&(HttpKerberos){.check_owner = TRUE, .owner = me + 7}, theirs);
  g_unsetenv("KRB5CCNAME");
  g_remove(path);
}

static void test_keytab(void **state)
{
  (void)state;
  g_autofree char *none = at("none.keytab"), *path = at("svc.keytab"), *junk = at("junk.keytab");
  assert_refused(&(HttpKerberos){.keytab = none}, none);
  assert_true(g_file_set_contents(junk, "not a keytab", -1, NULL));
  assert_refused(&(HttpKerberos){.keytab = junk}, junk);
  make_keytab(path, "svc/localhost@" REALM);
  HttpKerberos options = {.keytab = path};
  assert_ready(&options, "svc/localhost@" REALM);
  options.impersonate = "alice";
  assert_ready(&options, "alice@" REALM);
  options.principal = "bob";
  assert_refused(&options, "no key of bob");
}

static int line_errno(Negotiate *negotiate, Cancel *cancel, gint64 deadline)
{
  g_autoptr(GError) error = NULL;
  char *line = negotiate_line(negotiate, cancel, deadline, &error);
  assert_true((line != NULL) == (error == NULL));
  if (error)
    print_message("%s\n", error->message);
  negotiate_line_free(line);
  return error_errno(error);
}

static gpointer trigger_later(gpointer cancel)
{
  g_usleep(100000);
  cancel_trigger(cancel);
  return NULL;
}

/* The KDC takes the question and is silent. */
static void test_leave(void **state)
{
  (void)state;
  g_autofree char *path = at("leave");
  make_cache(path, "alice@" REALM, "krbtgt", REALM, 3600);
  g_autoptr(Negotiate) negotiate = negotiate_new("localhost", &(HttpKerberos){.ccache = path});
  g_autoptr(Cancel) cancel = cancel_new();
  GThread *thread = g_thread_new("trigger", trigger_later, cancel);
  gint64 began = g_get_monotonic_time();
  assert_int_equal(line_errno(negotiate, cancel, G_MAXINT64), EINTR);
  g_thread_join(thread);
  /* The one before still waits for the KDC. */
  assert_int_equal(line_errno(negotiate, NULL, g_get_monotonic_time() + 100000), ETIMEDOUT);
  assert_int_equal(line_errno(negotiate, cancel, G_MAXINT64), EINTR);
  g_clear_pointer(&negotiate, negotiate_free); /* nor does this wait */
  assert_true(g_get_monotonic_time() - began < G_USEC_PER_SEC);
}

static void test_no_kdc(void **state)
{
  (void)state;
  g_autofree char *path = at("alone"), *keytab = at("alone.keytab");
  struct sockaddr_in here;
  socklen_t len = sizeof here;
  make_cache(path, "alice@" REALM, "krbtgt", REALM, 3600);
  make_keytab(keytab, "svc/localhost@" REALM);
  assert_int_equal(getsockname(kdc, (struct sockaddr *)&here, &len), 0);
  write_config(1); /* nobody listens there */
  const HttpKerberos options[] = {{.ccache = path}, {.keytab = keytab}};
  for (gsize i = 0; i < G_N_ELEMENTS(options); i++) {
    g_autoptr(Negotiate) negotiate = negotiate_new("localhost", &options[i]);
    assert_int_equal(line_errno(negotiate, NULL, G_MAXINT64), EHOSTUNREACH);
  }
  write_config(ntohs(here.sin_port));
}

static gpointer many_lines(gpointer negotiate)
{
  GHashTable *lines = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  for (int i = 0; i < 40; i++) {
    char *line = negotiate_line(negotiate, NULL, G_MAXINT64, NULL);
    g_hash_table_add(lines, line ? line : g_strdup("none"));
  }
  return lines;
}

/* With the service's ticket at hand nobody is asked; no two tokens are alike. */
static void test_many_threads(void **state)
{
  (void)state;
  g_autofree char *path = at("service");
  make_cache(path, "alice@" REALM, "HTTP", "localhost", 3600);
  g_autoptr(Negotiate) negotiate = negotiate_new("localhost", &(HttpKerberos){.ccache = path});
  g_autoptr(GHashTable) all = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
  GThread *threads[8];
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("asks", many_lines, negotiate);
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++) {
    g_autoptr(GHashTable) lines = g_thread_join(threads[i]);
    GHashTableIter iter;
    gpointer line;
    g_hash_table_iter_init(&iter, lines);
    while (g_hash_table_iter_next(&iter, &line, NULL)) {
      assert_true(g_str_has_prefix(line, "Authorization: Negotiate YII"));
      assert_null(strpbrk(line, "\r\n"));
      g_hash_table_add(all, g_strdup(line));
    }
  }
  assert_int_equal(g_hash_table_size(all), 8 * 40);
}

/* kinit replaces the file: the same client goes on with what is there now. */
static void test_replaced(void **state)
{
  (void)state;
  g_autofree char *path = at("replaced");
  g_autoptr(Negotiate) negotiate = negotiate_new("localhost", &(HttpKerberos){.ccache = path});
  assert_int_equal(line_errno(negotiate, NULL, G_MAXINT64), EACCES);
  make_cache(path, "alice@" REALM, "HTTP", "localhost", 2);
  assert_int_equal(line_errno(negotiate, NULL, G_MAXINT64), 0);
  g_usleep(2500000);
  assert_int_equal(line_errno(negotiate, NULL, G_MAXINT64), EACCES);
  make_cache(path, "alice@" REALM, "HTTP", "localhost", 3600);
  assert_int_equal(line_errno(negotiate, NULL, G_MAXINT64), 0);
  g_remove(path);
  assert_int_equal(line_errno(negotiate, NULL, G_MAXINT64), EACCES);
}

static void test_explain(void **state)
{
  (void)state;
  g_autoptr(Negotiate) negotiate = negotiate_new("localhost", &(HttpKerberos){0});
  const struct {
    krb5_error_code code;
    const char *word;
  } cases[] = {{KRB5KRB_AP_ERR_SKEW, "clock"},
               {KRB5KRB_AP_ERR_MODIFIED, "key"},
               {KRB5KRB_AP_ERR_TKT_EXPIRED, "expired"},
               {KRB5KRB_AP_ERR_REPEAT, "replay"}};
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *challenge = make_challenge((guint)(cases[i].code - ERROR_TABLE_BASE_krb5));
    g_autofree char *text = negotiate_explain(negotiate, challenge);
    assert_non_null(text);
    assert_non_null(strstr(text, cases[i].word));
    challenge[strlen(challenge) / 2] = 0; /* cut off */
    g_autofree char *nothing = negotiate_explain(negotiate, challenge);
    assert_null(nothing);
  }
  assert_null(negotiate_explain(negotiate, "Negotiate"));
  assert_null(negotiate_explain(negotiate, "Negotiate ====~~~~"));
  assert_null(negotiate_explain(negotiate, "Basic realm=\"x\""));
}

int main(void)
{
  if (g_getenv("XFS_BREAK"))
    rule_break(g_getenv("XFS_BREAK"));
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_no_ticket),
      cmocka_unit_test(test_ready),
      cmocka_unit_test(test_expired),
      cmocka_unit_test(test_owner),
      cmocka_unit_test(test_default_of_owner),
      cmocka_unit_test(test_keytab),
      cmocka_unit_test(test_leave),
      cmocka_unit_test(test_no_kdc),
      cmocka_unit_test(test_many_threads),
      cmocka_unit_test(test_replaced),
      cmocka_unit_test(test_explain),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
