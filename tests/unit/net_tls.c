/* SPDX-License-Identifier: Apache-2.0 */
/* What TLS may be, what a handshake shows of hostile certificates, and the sentences made of it. */
#include "net_client.h"

#include "base/log.h"
#include "net/tls_private.h"
#include "net_certs.h"

#include <errno.h>
#include <glib/gstdio.h>

#define ORIGIN "https://mail.example.com"
#define PIN "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="

typedef struct {
  char *dir;
  Pair authority, server, other;
} Rig;

static char *in_dir(const Rig *rig, const char *name)
{
  return name ? g_build_filename(rig->dir, name, NULL) : NULL;
}

static int set_up(void **state)
{
  Rig *rig = g_new0(Rig, 1);
  rig->dir = g_dir_make_tmp("xfs-tls-XXXXXX", NULL);
  rig->authority = pair_new((Wish){.name = "Test CA", .is_authority = TRUE});
  rig->server = pair_new((Wish){.name = "mail", .hosts = "DNS:mail", .issuer = &rig->authority});
  rig->other = pair_new((Wish){.name = "other"});
  g_autofree char *ca = in_dir(rig, "ca.pem"), *cert = in_dir(rig, "cert.pem"),
                  *key = in_dir(rig, "key.pem"), *locked = in_dir(rig, "locked.pem"),
                  *other = in_dir(rig, "other.pem"), *junk = in_dir(rig, "junk.pem");
  write_cert(ca, &rig->authority);
  write_cert(cert, &rig->server);
  write_key(key, &rig->server, NULL);
  write_key(locked, &rig->server, "sesame-key");
  write_key(other, &rig->other, NULL);
  g_file_set_contents(junk, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", -1,
                      NULL);
  *state = rig;
  return 0;
}

static int tear_down(void **state)
{
  static const char *const names[] = {"ca.pem",    "cert.pem", "key.pem", "locked.pem",
                                      "other.pem", "junk.pem", "log"};
  Rig *rig = *state;
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = in_dir(rig, names[i]);
    g_unlink(path);
  }
  g_rmdir(rig->dir);
  g_free(rig->dir);
  pair_free(rig->authority);
  pair_free(rig->server);
  pair_free(rig->other);
  g_free(rig);
  return 0;
}

/* Which files, pins and versions make a policy. */
static void test_policy(void **state)
{
  const Rig *rig = *state;
  static const struct {
    const char *cacert, *cert, *key, *password, *pin;
    guint min;
    int errnum;
    const char *words;
  } rows[] = {
      {.errnum = 0},
      {.cacert = "ca.pem", .pin = PIN, .min = 13},
      {.cacert = "absent.pem", .errnum = EACCES, .words = "absent.pem"},
      {.cacert = "junk.pem", .errnum = EINVAL, .words = "PEM"},
      {.cacert = "key.pem", .errnum = EINVAL, .words = "PEM"},
      {.cacert = ".", .errnum = EINVAL, .words = "PEM"},
      {.pin = PIN ";" PIN},
      {.pin = "", .errnum = EINVAL, .words = "sha256//HASH"},
      {.pin = PIN ";", .errnum = EINVAL, .words = "sha256//HASH"},
      {.pin = "sha256//AAAA", .errnum = EINVAL, .words = "sha256//HASH"},
      {.pin = "sha1//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", .errnum = EINVAL},
      {.pin = "/etc/passwd", .errnum = EINVAL},
      {.cert = "cert.pem", .key = "key.pem"},
      {.cert = "cert.pem", .key = "locked.pem", .password = "sesame-key"},
      {.cert = "cert.pem", .key = "locked.pem", .errnum = EACCES, .words = "key_passwd_file="},
      {.cert = "cert.pem",
       .key = "locked.pem",
       .password = "wrong-key",
       .errnum = EACCES,
       .words = "does not open"},
      {.cert = "cert.pem", .key = "other.pem", .errnum = EINVAL, .words = "one pair"},
      {.cert = "cert.pem", .key = "ca.pem", .errnum = EINVAL, .words = "PEM"},
      {.cert = "cert.pem", .errnum = EINVAL, .words = "holds no key"}, /* no key in it */
      {.cert = "absent.pem", .key = "key.pem", .errnum = EACCES},
      {.key = "key.pem", .errnum = EINVAL, .words = "cert="},
      {.min = 9, .errnum = EINVAL, .words = "1.0 to 1.3"},
      {.min = 14, .errnum = EINVAL},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *cacert = in_dir(rig, rows[i].cacert), *cert = in_dir(rig, rows[i].cert),
                    *key = in_dir(rig, rows[i].key);
    const char *password = rows[i].password;
    g_autoptr(Secret) secret = password ? secret_new(password, strlen(password)) : NULL;
    HttpTls options = {cacert, rows[i].pin, cert, key, secret, rows[i].min};
    g_autoptr(TlsPolicy) policy = tls_policy_new(&options, ORIGIN, NULL, &error);
    if (error_errno(error) != rows[i].errnum || (policy == NULL) != (error != NULL) ||
        (rows[i].words && !strstr(error->message, rows[i].words)))
      fail_msg("row %zu: %s", i, error ? error->message : "no error");
    if (error)
      assert_null(strstr(error->message, "sesame-key"));
  }
}

static void test_plain_http(void **state)
{
  (void)state;
  g_autoptr(GError) error = NULL;
  HttpTls options = {.pin = PIN};
  assert_null(tls_policy_new(&options, "http://127.0.0.1:80", NULL, &error));
  assert_int_equal(error_errno(error), EINVAL);
}

/* One loud line for an old TLS, none for today's. */
static void test_loud(void **state)
{
  const Rig *rig = *state;
  g_autofree char *path = in_dir(rig, "log"), *text = NULL;
  assert_true(log_open(LOG_TO_FILE, path, LOG_WARNING_LEVEL, NULL));
  for (guint min = 10; min <= 13; min++) {
    HttpTls options = {.min = min};
    g_autoptr(TlsPolicy) policy = tls_policy_new(&options, ORIGIN, NULL, NULL);
    g_autoptr(TlsPolicy) plain = tls_policy_new(&options, "http://127.0.0.1", NULL, NULL);
    assert_true(policy && plain);
  }
  log_open(LOG_TO_STDERR, NULL, LOG_WARNING_LEVEL, NULL);
  assert_true(g_file_get_contents(path, &text, NULL, NULL));
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  assert_int_equal(g_strv_length(lines), 3); /* and what is behind the last */
  assert_non_null(strstr(lines[0], "warning net: tls_min=1.0"));
  assert_non_null(strstr(lines[1], "tls_min=1.1"));
  assert_non_null(strstr(lines[0], ORIGIN));
  assert_non_null(strstr(lines[0], "take the option away"));
}

/* What a client that trusts TRUSTED sees of a server with PAIR. */
static TlsSeen *shake(const Pair *trusted, const Pair *pair, gboolean demand)
{
  TlsSeen *seen = tls_seen_new();
  SSL_CTX *client = SSL_CTX_new(TLS_client_method()), *server = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
  if (trusted)
    X509_STORE_add_cert(SSL_CTX_get_cert_store(client), trusted->x509);
  tls_seen_watch(seen, client);
  SSL_CTX_use_certificate(server, pair->x509);
  SSL_CTX_use_PrivateKey(server, pair->key);
  if (demand)
    SSL_CTX_set_verify(server, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
  Wire wire = wire_new(client, server);
  gboolean through = wire_run(wire);
  assert_true(through == (seen->verify == X509_V_OK) || demand);
  wire_free(wire);
  SSL_CTX_free(client);
  SSL_CTX_free(server);
  return seen;
}

static void test_seen(void **state)
{
  const Rig *rig = *state;
  const struct {
    Wish wish;
    const Pair *trusted;
    long verify;
  } rows[] = {
      {{.name = "a", .issuer = &rig->authority}, &rig->authority, X509_V_OK},
      {{.name = "b", .issuer = &rig->authority},
       &rig->other,
       X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY},
      {{.name = "c"}, &rig->authority, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT},
      {{.name = "d", .issuer = &rig->authority, .from = -9 * DAY, .until = -DAY},
       &rig->authority,
       X509_V_ERR_CERT_HAS_EXPIRED},
      {{.name = "e", .issuer = &rig->authority, .from = DAY, .until = 9 * DAY},
       &rig->authority,
       X509_V_ERR_CERT_NOT_YET_VALID},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    Pair pair = pair_new(rows[i].wish);
    g_autoptr(TlsSeen) seen = shake(rows[i].trusted, &pair, FALSE);
    if (seen->verify != rows[i].verify)
      fail_msg("row %zu: %s", i, X509_verify_cert_error_string(seen->verify));
    g_autofree char *subject = g_strdup_printf("CN=%s", rows[i].wish.name);
    assert_string_equal(seen->server.subject, subject);
    assert_string_equal(seen->server.issuer, rows[i].wish.issuer ? "CN=Test CA" : subject);
    assert_int_equal(strlen(seen->server.from), strlen("2026-11-24T10:15:00Z"));
    if (seen->verify != X509_V_OK)
      assert_string_equal(seen->failed.subject, subject);
    pair_free(pair);
  }
}

static void test_asked(void **state)
{
  const Rig *rig = *state;
  g_autoptr(TlsSeen) quiet = shake(&rig->authority, &rig->server, FALSE);
  assert_false(quiet->asked);
  assert_int_equal(quiet->alert, 0);
  g_autoptr(TlsSeen) seen = shake(&rig->authority, &rig->server, TRUE);
  assert_true(seen->asked);
  assert_int_equal(seen->alert, 116);
}

/* A certificate says what its maker likes: it is cut, and nothing of it moves a cursor. */
static void test_hostile(void **state)
{
  const Rig *rig = *state;
  static const char name[] = "x\nmounted: all is well\033[2J\xe2\x80\xae\0y";
  Pair pair = pair_new((Wish){.name = name,
                              .name_len = sizeof name - 1,
                              .hosts = "DNS:a\033[2J",
                              .issuer = &rig->authority});
  g_autoptr(TlsSeen) seen = shake(&rig->authority, &pair, FALSE);
  const char *texts[] = {seen->server.subject, seen->server.names};
  for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
    assert_non_null(strchr(texts[i], '?'));
    for (const char *at = texts[i]; *at; at = g_utf8_next_char(at))
      assert_true(g_unichar_isprint(g_utf8_get_char(at)));
  }
  pair_free(pair);
}

static void test_endless(void **state)
{
  const Rig *rig = *state;
  GString *hosts = g_string_new("DNS:a.example");
  for (int i = 0; i < 200; i++)
    g_string_append_printf(hosts, ",DNS:host-%d.example,IP:10.0.0.%d", i, i);
  Pair pair = pair_new((Wish){.name = "many", .hosts = hosts->str, .issuer = &rig->authority});
  X509_NAME *subject = X509_get_subject_name(pair.x509);
  g_autofree char *unit = g_strnfill(60, 'u');
  for (int i = 0; i < 400; i++)
    X509_NAME_add_entry_by_NID(subject, NID_organizationalUnitName, MBSTRING_UTF8,
                               (const guchar *)unit, -1, -1, 0);
  X509_sign(pair.x509, rig->authority.key, EVP_sha256());
  g_autoptr(TlsSeen) seen = shake(&rig->authority, &pair, FALSE);
  assert_true(g_str_has_suffix(seen->server.subject, "..."));
  assert_true(g_utf8_strlen(seen->server.subject, -1) <= 103);
  assert_true(strlen(seen->server.names) < 300);
  assert_non_null(strstr(seen->server.names, "host-3.example"));
  assert_non_null(strstr(seen->server.names, " and more"));
  pair_free(pair);
  g_string_free(hosts, TRUE);
}

/* The request is over and its notes are gone; the server asks for another handshake. */
static void test_outlived(void **state)
{
  const Rig *rig = *state;
  TlsSeen *seen = tls_seen_new();
  SSL_CTX *client = SSL_CTX_new(TLS_client_method()), *server = SSL_CTX_new(TLS_server_method());
  SSL_CTX_set_max_proto_version(client, TLS1_2_VERSION);
  SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
  X509_STORE_add_cert(SSL_CTX_get_cert_store(client), rig->authority.x509);
  tls_seen_watch(seen, client);
  SSL_CTX_use_certificate(server, rig->server.x509);
  SSL_CTX_use_PrivateKey(server, rig->server.key);
  Wire wire = wire_new(client, server);
  assert_true(wire_run(wire));
  tls_seen_unref(seen);
  assert_int_equal(SSL_renegotiate(wire.server), 1);
  assert_true(wire_run(wire));
  assert_int_equal(SSL_total_renegotiations(wire.client), 1);
  wire_free(wire);
  SSL_CTX_free(client);
  SSL_CTX_free(server);
}

typedef struct {
  guint min;
  gboolean own; /* cert= was given */
  TlsSeen seen;
  CURLcode code;
  const char *detail;
  const char *words[3]; /* NULL: tls_explain() has nothing to say */
} Sentence;

#define CERT                                                                                       \
  {                                                                                                \
    .subject = (char *)"CN=mail", .issuer = (char *)"CN=Test CA",                                  \
    .from = (char *)"2020-01-01T00:00:00Z", .until = (char *)"2021-01-01T00:00:00Z",               \
    .names = (char *)"a.example, 10.0.0.1"                                                         \
  }
#define FAILED(error)                                                                              \
  {                                                                                                \
    .verify = (error), .server = CERT, .failed = CERT                                              \
  }
#define WHO "CN=mail, issued by CN=Test CA, valid from 2020-01-01T00:00:00Z until 2021-01-01"
#define FAIL CURLE_PEER_FAILED_VERIFICATION
#define BROKEN CURLE_SSL_CONNECT_ERROR
#define SSL_SAYS "OpenSSL SSL_connect: error:0A000000:SSL routines::"

static const Sentence sentences[] = {
    {.seen = FAILED(X509_V_ERR_CERT_HAS_EXPIRED),
     .code = FAIL,
     .words = {WHO, "has expired", "this machine's clock (it says 20"}},
    {.seen = FAILED(X509_V_ERR_CERT_NOT_YET_VALID),
     .code = FAIL,
     .words = {WHO, "is not valid yet", "clock"}},
    {.seen = FAILED(X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT),
     .code = FAIL,
     .words = {WHO, "signed by itself", "cacert="}},
    {.seen = FAILED(X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN),
     .code = FAIL,
     .words = {WHO, "authority that is not trusted", "cacert="}},
    {.seen = FAILED(X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY),
     .code = FAIL,
     .words = {WHO, "authority that is not trusted", "cacert="}},
    {.seen = FAILED(X509_V_ERR_EE_KEY_TOO_SMALL),
     .code = BROKEN,
     .words = {WHO, "too short", "tls_min=1.0"}},
    {.seen = FAILED(X509_V_ERR_PATH_LENGTH_EXCEEDED),
     .code = FAIL,
     .words = {WHO, "path length", "replace"}},
    {.seen = {.server = CERT},
     .code = FAIL,
     .words = {WHO, "a.example, 10.0.0.1", "use a name that it has"}},
    {.seen = {0}, .code = FAIL, .words = {"none that it names"}},
    {.seen = {.server = CERT},
     .code = CURLE_SSL_PINNEDPUBKEYNOTMATCH,
     .words = {WHO, "another public key", "in between"}},
    {.seen = {.asked = TRUE, .alert = 40},
     .code = BROKEN,
     .words = {"demands a certificate of yours", "cert=FILE"}},
    {.seen = {.asked = TRUE, .alert = 116},
     .code = CURLE_RECV_ERROR,
     .words = {"demands a certificate of yours"}},
    {.detail = SSL_SAYS "tlsv13 alert certificate required",
     .code = CURLE_RECV_ERROR,
     .words = {"demands a certificate of yours"}},
    {.own = TRUE,
     .seen = {.asked = TRUE, .alert = 48},
     .code = CURLE_RECV_ERROR,
     .words = {"does not take the certificate", "operator"}},
    {.seen = {.alert = 70},
     .code = BROKEN,
     .words = {"does not speak TLS 1.2 or newer", "tls_min=1.0"}},
    {.min = 13,
     .seen = {.alert = 70},
     .code = BROKEN,
     .words = {"does not speak TLS 1.3", "tls_min=1.2"}},
    {.min = 10,
     .seen = {.alert = 70},
     .code = BROKEN,
     .words = {"does not speak TLS 1.0", "patch the server", "TLS proxy in front"}},
    {.detail = SSL_SAYS "unsupported protocol",
     .code = BROKEN,
     .words = {"does not speak TLS 1.2 or newer", "tls_min=1.0"}},
    {.seen = {.alert = 40},
     .code = BROKEN,
     .words = {"no TLS version or cipher in common", "tls_min=1.0", "RC4 and 3DES: patch"}},
    {.min = 10,
     .seen = {.alert = 40},
     .code = BROKEN,
     .words = {"no cipher in common", "RC4 and 3DES", "patch the server, or put a TLS proxy"}},
    {.detail = SSL_SAYS "unsafe legacy renegotiation disabled",
     .code = BROKEN,
     .words = {"before 2010", "tls_min=1.0"}},
    {.detail = SSL_SAYS "wrong version number",
     .code = BROKEN,
     .words = {"does not speak TLS on this port", "http://"}},
    {.detail = "OpenSSL SSL_connect: Connection reset by peer in connection to mail:443",
     .code = BROKEN,
     .words = {"hung up during the TLS handshake", "tls_min=1.0"}},
    {.min = 10,
     .detail = "OpenSSL SSL_connect: SSL_ERROR_SYSCALL",
     .code = BROKEN,
     .words = {"hung up", "RC4 and 3DES", "TLS proxy"}},
    {.detail = SSL_SAYS "internal error", .code = BROKEN, .words = {"cannot agree", "https"}},
    {.code = CURLE_SSL_CACERT_BADFILE, .words = {"ca-certificates", "cacert="}},
    {.code = CURLE_RECV_ERROR, .detail = "Connection reset by peer"},
    {.code = CURLE_RECV_ERROR, .detail = SSL_SAYS "unexpected eof while reading"},
    {.code = CURLE_COULDNT_CONNECT},
    {.code = CURLE_OPERATION_TIMEDOUT, .seen = {.asked = TRUE}},
    {.code = CURLE_GOT_NOTHING},
};

static void test_sentences(void **state)
{
  const Rig *rig = *state;
  for (gsize i = 0; i < G_N_ELEMENTS(sentences); i++) {
    const Sentence *row = &sentences[i];
    TlsPolicy policy = {.min = row->min ? row->min : 12,
                        .cert = row->own ? rig->server.x509 : NULL};
    g_autoptr(GError) error =
        tls_explain(&policy, &row->seen, row->code, row->detail ? row->detail : "?", ORIGIN);
    if (!row->words[0]) {
      assert_null(error);
      continue;
    }
    if (error_errno(error) != EPROTO || !g_str_has_prefix(error->message, ORIGIN ": ") ||
        strchr(error->message, '\n'))
      fail_msg("row %zu: %s", i, error ? error->message : "nothing said");
    for (gsize w = 0; w < G_N_ELEMENTS(row->words) && row->words[w]; w++)
      if (!strstr(error->message, row->words[w]))
        fail_msg("row %zu: \"%s\" is not in: %s", i, row->words[w], error->message);
  }
}

/* The proxy's handshake comes first, and it is the proxy that is blamed for it. */
static void test_proxy_is_named(void **state)
{
  (void)state;
  TlsPolicy policy = {.min = 12, .proxy = (char *)"https://proxy.example:3129"};
  TlsSeen seen = FAILED(X509_V_ERR_CERT_HAS_EXPIRED);
  seen.policy = &policy;
  for (seen.contexts = 1; seen.contexts <= 2; seen.contexts++) {
    g_autoptr(GError) error = tls_explain(&policy, &seen, FAIL, "?", ORIGIN);
    assert_true(g_str_has_prefix(error->message, seen.contexts == 1 ? policy.proxy : ORIGIN));
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_policy),    cmocka_unit_test(test_plain_http),
      cmocka_unit_test(test_loud),      cmocka_unit_test(test_seen),
      cmocka_unit_test(test_asked),     cmocka_unit_test(test_hostile),
      cmocka_unit_test(test_endless),   cmocka_unit_test(test_outlived),
      cmocka_unit_test(test_sentences), cmocka_unit_test(test_proxy_is_named),
  };
  break_rules();
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
