/* SPDX-License-Identifier: Apache-2.0 */
/* What http_perform() puts on the wire and hands back when the server behaves. */
#include "net_client.h"

#include <errno.h>
#include <sys/mman.h>

/* Answers every request with 200 and five bytes. */
static void serve_hello(Conn *conn)
{
  while (conn_take(conn))
    if (!conn_send(conn, OK_5))
      return;
}

typedef struct {
  guint heads;
  GString *bytes;
  GError *refuse_head, *refuse_data;
} Taker;

static gboolean take_head(const HttpResponse *response, gpointer user, GError **error)
{
  Taker *taker = user;
  taker->heads++;
  assert_int_equal(http_response_status(response), 200);
  if (taker->refuse_head)
    g_propagate_error(error, g_steal_pointer(&taker->refuse_head));
  return error == NULL || *error == NULL;
}

static gboolean take_data(const void *bytes, gsize len, gpointer user, GError **error)
{
  Taker *taker = user;
  g_string_append_len(taker->bytes, bytes, (gssize)len);
  if (taker->refuse_data)
    g_propagate_error(error, g_steal_pointer(&taker->refuse_data));
  return error == NULL || *error == NULL;
}

static void test_get(void **state)
{
  (void)state;
  Server *server = server_new(serve_hello);
  HttpClient *client = client_for(server, (HttpOptions){0});
  assert_string_equal(http_client_origin(client), server->origin);
  for (guint i = 0; i < 3; i++) {
    g_autoptr(HttpResponse) response = NULL;
    Taker taker = {.bytes = g_string_new(NULL)};
    HttpRequest request = request_for("GET", "/exchange/a%20b/..%2F?x=1");
    request.on_head = take_head;
    request.on_data = take_data;
    request.user = &taker;
    assert_true(http_perform(client, &request, &response, NULL));
    assert_int_equal(taker.heads, 1);
    assert_string_equal(taker.bytes->str, "hello");
    assert_string_equal(http_response_text(response), "");
    assert_int_equal(http_response_length(response), 5);
    g_string_free(taker.bytes, TRUE);
  }
  assert_true(server_saw(server, "GET /exchange/a%20b/..%2F?x=1 HTTP/1.1\r\n"));
  assert_true(server_saw(server, "\r\nUser-Agent: exchangefs/"));
  assert_true(server_saw(server, "\r\nAccept-Language: en\r\n")); /* quirk 19 */
  assert_false(server_saw(server, "Accept-Encoding"));
  assert_false(server_saw(server, "Authorization"));
  assert_false(server_saw(server, "Expect"));

  HttpCounts counts;
  http_client_counts(client, &counts);
  assert_int_equal(counts.requests, 3);
  assert_int_equal(counts.changing_requests, 0);
  assert_int_equal(counts.connections, 1); /* kept alive */
  assert_int_equal(counts.bytes_in, 3 * strlen(OK_5));
  assert_true(counts.bytes_out > 0);
  http_client_free(client);
  server_free(server);
}

static void test_kept_text(void **state)
{
  (void)state;
  Server *server = server_new(serve_hello);
  HttpClient *client = client_for(server, (HttpOptions){0});
  HttpRequest request = request_for("SEARCH", "/");
  g_autoptr(HttpResponse) response = NULL;
  assert_true(http_perform(client, &request, &response, NULL));
  assert_string_equal(http_response_text(response), "hello");
  http_client_free(client);
  server_free(server);
}

static void test_sign_in(void **state)
{
  (void)state;
  Server *server = server_new(serve_hello);
  g_autoptr(Secret) password = secret_new("open sesame", 11);
  HttpClient *client = client_for(
      server, (HttpOptions){.schemes = HTTP_AUTH_BASIC, .user = "Aladdin", .password = password});
  assert_int_equal(ask_for(client, "GET"), 200);
  assert_int_equal(server_requests(server), 1); /* sent at once, not after a 401 */
  assert_true(server_saw(server, "\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n"));
  http_client_free(client);
  server_free(server);
}

static void serve_redirect(Conn *conn)
{
  g_autofree char *answer = g_strdup_printf(
      "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/\r\nContent-Length: 0\r\n\r\n",
      conn->server->value);
  while (conn_take(conn))
    if (!conn_send(conn, answer))
      return;
}

/* Neither request nor password goes where a server points. */
static void test_redirect(void **state)
{
  (void)state;
  Server *other = server_new(serve_hello);
  Server *server = server_new(serve_redirect);
  server->value = atoi(strrchr(other->origin, ':') + 1);
  g_autoptr(Secret) password = secret_new("secret", 6);
  HttpClient *client = client_for(
      server, (HttpOptions){.schemes = HTTP_AUTH_BASIC, .user = "alice", .password = password});
  assert_int_equal(ask_for(client, "PROPFIND"), 302);
  assert_int_equal(ask_for(client, "GET"), 302);
  assert_int_equal(server_requests(other), 0);
  http_client_free(client);
  server_free(server);
  server_free(other);
}

static void test_bodies(void **state)
{
  (void)state;
  Server *server = server_new(serve_hello);
  HttpClient *client = client_for(server, (HttpOptions){0});
  const gsize big = 3 * 1024 * 1024 + 17;
  g_autofree char *bytes = g_strnfill(big, 'b');
  int fd = memfd_create("body", MFD_CLOEXEC);
  assert_int_equal(write(fd, bytes, big), big);

  static const char *const headers[] = {"Translate: f", "Content-Type: message/rfc822", NULL};
  HttpRequest put = request_for("PUT", "/a.eml");
  put.headers = headers;
  put.changes = TRUE;
  assert_int_equal(ask(client, &put), 200);
  assert_true(server_saw(server, "\r\nContent-Length: 0\r\n"));
  put.body = bytes;
  put.body_len = big;
  assert_int_equal(ask(client, &put), 200);
  put.body = NULL;
  put.body_len = 0;
  put.body_fd = fd;
  put.body_size = (goffset)big;
  put.has_body_fd = TRUE;
  assert_int_equal(ask(client, &put), 200);
  assert_int_equal(lseek(fd, 0, SEEK_CUR), big); /* by pread: the offset is others' */
  HttpRequest search = request_for("SEARCH", "/");
  search.body = "<x/>";
  search.body_len = 4;
  assert_int_equal(ask(client, &search), 200);

  pthread_mutex_lock(&server->lock);
  assert_int_equal(server->body_seen, 2 * big + 4);
  pthread_mutex_unlock(&server->lock);
  assert_true(server_saw(server, "\r\nTranslate: f\r\nContent-Type: message/rfc822\r\n"));
  assert_false(server_saw(server, "Expect:"));
  assert_false(server_saw(server, "chunked"));
  HttpCounts counts;
  http_client_counts(client, &counts);
  assert_int_equal(counts.requests, 4);
  assert_int_equal(counts.changing_requests, 3);
  assert_true(counts.bytes_out > 2 * big + 4);
  http_client_free(client);
  server_free(server);
  close(fd);
}

/* The file became shorter than was promised to the server: that is said, not sent. */
static void test_short_file(void **state)
{
  (void)state;
  Server *server = server_new(serve_hello);
  HttpClient *client = client_for(server, (HttpOptions){0});
  int fd = memfd_create("body", MFD_CLOEXEC);
  assert_int_equal(ftruncate(fd, 1000), 0);
  HttpRequest put = request_for("PUT", "/a.eml");
  put.body_fd = fd;
  put.body_size = 2000000;
  g_autoptr(GError) error = NULL;
  assert_false(http_perform(client, &put, NULL, &error));
  assert_int_equal(error_errno(error), EIO);
  assert_int_equal(error_scope(error), SCOPE_LOCAL);
  http_client_free(client);
  server_free(server);
  close(fd);
}

static void test_unclean(void **state)
{
  (void)state;
  Server *server = server_new(serve_hello);
  HttpClient *client = client_for(server, (HttpOptions){0});
  static const char *const paths[] = {"",     "x",      "@h/",    "/a b",
                                      "/a#b", "/a\r\n", "/a\x7f", "/a HTTP/1.1\r\nX: y"};
  for (gsize i = 0; i < G_N_ELEMENTS(paths); i++) {
    HttpRequest request = request_for("GET", paths[i]);
    assert_int_equal(ask(client, &request), -EINVAL);
  }
  static const char *const bad[] = {"A: b\r\nX: y", "no colon", "A: \n"};
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
    const char *headers[] = {bad[i], NULL};
    HttpRequest request = request_for("GET", "/");
    request.headers = headers;
    assert_int_equal(ask(client, &request), -EINVAL);
  }
  assert_int_equal(ask_for(client, "GE T"), -EINVAL);
  assert_int_equal(ask_for(client, "GET\r\n"), -EINVAL);
  assert_int_equal(server_requests(server), 0);
  http_client_free(client);
  server_free(server);
}

static void serve_head(Conn *conn)
{
  while (conn_take(conn))
    if (!conn_send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"))
      return;
}

static void test_head(void **state)
{
  (void)state;
  Server *server = server_new(serve_head);
  HttpClient *client = client_for(server, (HttpOptions){.stall_ms = 2000});
  HttpRequest request = request_for("HEAD", "/");
  for (guint i = 0; i < 2; i++) {
    g_autoptr(HttpResponse) response = NULL;
    assert_true(http_perform(client, &request, &response, NULL));
    assert_int_equal(http_response_length(response), 1000);
  }
  assert_int_equal(server->n_conns, 1);
  http_client_free(client);
  server_free(server);
}

static void serve_interim(Conn *conn)
{
  conn_take(conn);
  conn_send(conn, "HTTP/1.1 102 Processing\r\nX-Early: 1\r\n\r\n");
  conn_send(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n"
                  "5\r\nhello\r\n1;x=y\r\n!\r\n0\r\nX-Late: 1\r\n\r\n");
  conn_hang(conn);
}

static void test_interim(void **state)
{
  (void)state;
  Server *server = server_new(serve_interim);
  HttpClient *client = client_for(server, (HttpOptions){0});
  HttpRequest request = request_for("GET", "/");
  g_autoptr(HttpResponse) response = NULL;
  assert_true(http_perform(client, &request, &response, NULL));
  assert_int_equal(http_response_status(response), 200);
  assert_string_equal(http_response_text(response), "hello!");
  assert_int_equal(http_response_length(response), -1);
  assert_null(http_response_header(response, "X-Early"));
  http_client_free(client);
  server_free(server);
}

/* What a callback says ends the transfer, and is what the caller gets. */
static void test_refusals(void **state)
{
  (void)state;
  Server *server = server_new(serve_hello);
  HttpClient *client = client_for(server, (HttpOptions){0});
  for (guint i = 0; i < 2; i++) {
    g_autoptr(GError) error = NULL;
    Taker taker = {.bytes = g_string_new(NULL)};
    GError *refusal = error_new(EFBIG, SCOPE_ITEM, "no more of this");
    *(i == 0 ? &taker.refuse_head : &taker.refuse_data) = refusal;
    HttpRequest request = request_for("GET", "/");
    request.on_head = take_head;
    request.on_data = take_data;
    request.user = &taker;
    assert_false(http_perform(client, &request, NULL, &error));
    assert_int_equal(error_errno(error), EFBIG);
    assert_int_equal(taker.bytes->len, i == 0 ? 0 : 5);
    g_string_free(taker.bytes, TRUE);
  }
  assert_int_equal(ask_for(client, "GET"), 200);
  http_client_free(client);
  server_free(server);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_get),     cmocka_unit_test(test_kept_text),
      cmocka_unit_test(test_sign_in), cmocka_unit_test(test_redirect),
      cmocka_unit_test(test_bodies),  cmocka_unit_test(test_short_file),
      cmocka_unit_test(test_unclean), cmocka_unit_test(test_head),
      cmocka_unit_test(test_interim), cmocka_unit_test(test_refusals),
  };
  break_rules();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
