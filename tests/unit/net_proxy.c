/* SPDX-License-Identifier: Apache-2.0 */
/* Which proxies are taken, and who is told which password on the way by one. */
#include "net_client.h"

#include "net/config.h"

#include <errno.h>

#define ALADDIN "QWxhZGRpbjpvcGVuIHNlc2FtZQ==" /* Aladdin:open sesame */

static void test_options(void **state)
{
  (void)state;
  static const struct {
    const char *url, *user;
    int errnum;
  } rows[] = {
      {NULL, NULL, 0},
      {"http://proxy:3128", NULL, 0},
      {"http://proxy:3128/", "Aladdin", 0},
      {"HTTPS://proxy", "Aladdin", 0},
      {"http://[::1]:3128", NULL, 0},
      {NULL, "Aladdin", EINVAL},
      {"", NULL, EINVAL},
      {"proxy:3128", NULL, EINVAL},
      {"socks5://proxy:1080", NULL, EINVAL},
      {"http://", NULL, EINVAL},
      {"http://proxy:99999", NULL, EINVAL},
      {"http://proxy/path", NULL, EINVAL},
      {"http://proxy?x", NULL, EINVAL},
      {"http://proxy#x", NULL, EINVAL},
      {"http://hunter2@proxy", NULL, EINVAL},
      {"http://eve:hunter2@proxy", NULL, EINVAL},
      {"http://eve:hunter2@", NULL, EINVAL},
      {"http://proxy", "a:b", EINVAL},
      {"http://proxy", "a\r\nX: b", EINVAL},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    HttpProxy options = {rows[i].url, rows[i].user, NULL};
    g_autoptr(Proxy) proxy = proxy_new(&options, &error);
    if (error_errno(error) != rows[i].errnum || (proxy == NULL) != (error != NULL))
      fail_msg("row %zu: %s", i, error ? error->message : "no error");
    if (error)
      assert_null(strstr(error->message, "hunter2"));
  }
}

/* An address of this machine is another matter once it is asked of somebody elsewhere. */
static void test_leaves_this_machine(void **state)
{
  (void)state;
  static const struct {
    const char *url;
    int errnum;
  } rows[] = {
      {NULL, 0}, {"http://127.0.0.1:1", 0}, {"http://localhost", 0}, {"http://proxy", EACCES}};
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autoptr(GError) error = NULL;
    HttpOptions options = {.origin = "http://127.0.0.1:1",
                           .schemes = HTTP_AUTH_BASIC,
                           .user = "Aladdin",
                           .proxy.url = rows[i].url};
    g_autoptr(NetConfig) config = config_new(&options, &error);
    assert_int_equal(error_errno(error), rows[i].errnum);
  }
}

static void serve_hello(Conn *conn)
{
  while (conn_take(conn))
    if (!conn_send(conn, OK_5))
      return;
}

static void serve_407(Conn *conn)
{
  while (conn_take(conn))
    if (!conn_send(conn, "HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=\"\033[2J\"\r\n"
                         "Content-Length: 0\r\n\r\n"))
      return;
}

/* A client of ORIGIN by PROXY, signing in at PROXY as USER. */
static HttpClient *client_by(const char *origin, const Server *proxy, const char *user)
{
  g_autoptr(Secret) password = secret_new("open sesame", 11);
  HttpOptions options = {.origin = origin,
                         .proxy = {proxy ? proxy->origin : NULL, user, password},
                         .insecure_basic = TRUE};
  HttpClient *client = http_client_new(&options, NULL);
  assert_non_null(client);
  return client;
}

static void test_signs_in_at_once(void **state)
{
  (void)state;
  Server *proxy = server_new(serve_hello);
  HttpClient *client = client_by("http://mail.example.com", proxy, "Aladdin");
  HttpRequest request = request_for("PUT", "/a");
  request.body = "body";
  request.body_len = 4;
  assert_int_equal(ask(client, &request), 200);
  assert_int_equal(server_requests(proxy), 1);
  assert_true(server_saw(proxy, "PUT http://mail.example.com/a HTTP/1.1\r\n"));
  assert_true(server_saw(proxy, "\r\nProxy-Authorization: Basic " ALADDIN "\r\n"));
  assert_false(server_saw(proxy, "\r\nAuthorization:"));
  http_client_free(client);
  server_free(proxy);
}

/* The tunnel is the proxy's business: nothing that is for the server is said there. */
static void test_tunnel(void **state)
{
  (void)state;
  Server *proxy = server_new(serve_407);
  HttpClient *client = client_by("https://mail.example.com", proxy, NULL);
  g_autoptr(GError) error = NULL;
  HttpRequest request = request_for("GET", "/secret-path");
  static const char *const headers[] = {"Authorization: Basic c2VjcmV0", "X-Mine: 1", NULL};
  request.headers = headers;
  assert_false(http_perform(client, &request, NULL, &error));
  assert_int_equal(error_errno(error), EACCES);
  assert_non_null(strstr(error->message, proxy->origin));
  assert_non_null(strstr(error->message, "it offers Basic"));
  assert_non_null(strstr(error->message, "proxy_user="));
  assert_true(server_saw(proxy, "CONNECT mail.example.com:443 HTTP/1.1\r\n"));
  assert_false(server_saw(proxy, "Authorization"));
  assert_false(server_saw(proxy, "X-Mine"));
  assert_false(server_saw(proxy, "secret-path"));
  http_client_free(client);
  server_free(proxy);
}

static void test_refused(void **state)
{
  (void)state;
  Server *proxy = server_new(serve_407);
  HttpClient *client = client_by("http://mail.example.com", proxy, "Aladdin");
  g_autoptr(GError) error = NULL;
  HttpRequest request = request_for("GET", "/");
  assert_false(http_perform(client, &request, NULL, &error));
  assert_int_equal(error_errno(error), EACCES);
  assert_non_null(strstr(error->message, "does not take the user name and password"));
  assert_null(strchr(error->message, '\033'));
  assert_int_equal(server_requests(proxy), 1);
  http_client_free(client);
  server_free(proxy);
}

static void serve_503(Conn *conn)
{
  if (conn_take(conn))
    conn_send(conn, "HTTP/1.1 503 No\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n");
}

static void serve_junk(Conn *conn)
{
  if (conn_take(conn))
    conn_send(conn, "220 mail ESMTP\r\n");
}

static void serve_nothing(Conn *conn)
{
  conn_take(conn);
}

/* A proxy that does not do its work is named; the server is not to blame. */
static void test_out_of_order(void **state)
{
  (void)state;
  static const ConnFunc funcs[] = {serve_503, serve_junk, serve_nothing};
  for (gsize i = 0; i < G_N_ELEMENTS(funcs); i++) {
    Server *proxy = server_new(funcs[i]);
    HttpClient *client = client_by("https://mail.example.com", proxy, "Aladdin");
    g_autoptr(GError) error = NULL;
    HttpRequest request = request_for("GET", "/");
    assert_false(http_perform(client, &request, NULL, &error));
    if (error_errno(error) != EHOSTUNREACH || !strstr(error->message, proxy->origin))
      fail_msg("row %zu: %s", i, error->message);
    http_client_free(client);
    server_free(proxy);
  }
}

/* Loopback is gone to directly, whatever the environment says, unless a proxy is named. */
static void test_loopback(void **state)
{
  (void)state;
  Server *server = server_new(serve_hello), *proxy = server_new(serve_hello);
  g_setenv("http_proxy", proxy->origin, TRUE);
  HttpClient *direct = client_by(server->origin, NULL, NULL);
  assert_int_equal(ask_for(direct, "GET"), 200);
  assert_int_equal(server_requests(server), 1);
  assert_int_equal(server_requests(proxy), 0);
  g_setenv("no_proxy", "127.0.0.1", TRUE); /* nor does that hold when one is named */
  HttpClient *by = client_by(server->origin, proxy, NULL);
  assert_int_equal(ask_for(by, "GET"), 200);
  assert_int_equal(server_requests(server), 1);
  assert_int_equal(server_requests(proxy), 1);
  HttpClient *elsewhere = client_by("http://mail.example.com", NULL, NULL);
  assert_int_equal(ask_for(elsewhere, "GET"), 200); /* http_proxy holds for the rest */
  assert_int_equal(server_requests(proxy), 2);
  g_unsetenv("http_proxy");
  g_unsetenv("no_proxy");
  http_client_free(direct);
  http_client_free(by);
  http_client_free(elsewhere);
  server_free(server);
  server_free(proxy);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_options),      cmocka_unit_test(test_leaves_this_machine),
      cmocka_unit_test(test_loopback),     cmocka_unit_test(test_signs_in_at_once),
      cmocka_unit_test(test_tunnel),       cmocka_unit_test(test_refused),
      cmocka_unit_test(test_out_of_order),
  };
  break_rules();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
