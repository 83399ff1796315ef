/* SPDX-License-Identifier: Apache-2.0 */
/* Servers that break off, hang up, say nonsense, are busy or fall silent: what the caller gets. */
#include "net_client.h"

#include <errno.h>

/* What the server answers to every request before it hangs up; test_answers() sets it. */
static const char *answer;

static void serve_answer(Conn *conn)
{
  if (conn_take(conn))
    conn_send(conn, answer);
}

/* How an answer that is not whole, or not HTTP, ends; 200 where nobody could tell. */
static void test_answers(void **state)
{
  (void)state;
  g_autofree char *stuffing = g_strnfill(200 * 1024, 'x');
  g_autofree char *wide =
      g_strconcat("HTTP/1.1 200 OK\r\nX: ", stuffing, "\r\nContent-Length: 0\r\n\r\n", NULL);
  GString *many = g_string_new("HTTP/1.1 200 OK\r\n");
  for (guint i = 0; i < 250; i++)
    g_string_append(many, "X: y\r\n");
  g_string_append(many, "Content-Length: 0\r\n\r\n");
  const struct {
    const char *bytes;
    int result;
  } rows[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", -EIO},
      {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", -EIO},
      {"HTTP/1.1 200 OK\r\nContent-Le", -EIO},
      {"HTTP/1.1 200 OK\r\n", -EIO},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", -EIO},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel", -EIO},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 200},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n", -EIO},
      {"HTTP/1.0 200 OK\r\n\r\nhello", 200},
      {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more than that", 200},
      {"SSH-2.0-OpenSSH_9.2p1\r\n", -EPROTO},
      {"<html>no head</html>", -EPROTO},
      {wide, -EPROTO},
      {many->str, -EPROTO},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    answer = rows[i].bytes;
    Server *server = server_new(serve_answer);
    HttpClient *client = client_for(server, (HttpOptions){0});
    int result = ask_for(client, "GET");
    if (result != rows[i].result)
      fail_msg("row %zu: %d, not %d", i, result, rows[i].result);
    http_client_free(client);
    server_free(server);
  }
  g_string_free(many, TRUE);
}

static void serve_too_much(Conn *conn)
{
  while (conn_take(conn)) {
    if (!conn_send(conn, OK_5 "HTTP/1.1 666 Not asked for\r\nContent-Length: 0\r\n\r\n"))
      return;
    g_usleep(20000);
    if (!conn_send(conn, "HTTP/1.1 667 Nor that\r\nContent-Length: 0\r\n\r\n"))
      return;
  }
}

/* What comes after the end of an answer is not the next one's beginning. */
static void test_too_much(void **state)
{
  (void)state;
  Server *server = server_new(serve_too_much);
  HttpClient *client = client_for(server, (HttpOptions){0});
  for (guint i = 0; i < 3; i++) {
    assert_int_equal(ask_for(client, "GET"), 200);
    g_usleep(50000);
  }
  http_client_free(client);
  server_free(server);
}

static void serve_silence(Conn *conn)
{
  if (conn_take(conn) && conn->server->value)
    conn_reset(conn);
}

/* Sends once, whole; the error says whether the change may have been made. */
static int ask_to_change(HttpClient *client, const char *method, gboolean *maybe)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(HttpResponse) response = NULL;
  HttpRequest request = request_for(method, "/");
  request.changes = TRUE;
  request.body = "x";
  request.body_len = 1;
  gboolean ok = http_perform(client, &request, &response, &error);
  *maybe = error_maybe_applied(error);
  return ok ? http_response_status(response) : -error_errno(error);
}

static void test_hang_up(void **state)
{
  (void)state;
  for (int reset = 0; reset < 2; reset++) {
    gboolean maybe;
    Server *server = server_new(serve_silence);
    HttpClient *client = client_for(server, (HttpOptions){0});
    server->value = reset;
    assert_int_equal(ask_for(client, "PROPFIND"), -EIO);
    assert_int_equal(server_requests(server), 3); /* twice again, no more */
    assert_int_equal(ask_to_change(client, "PUT", &maybe), -EIO);
    assert_true(maybe);
    assert_int_equal(server_requests(server), 4); /* a change is not sent again */
    http_client_free(client);
    server_free(server);
  }
}

/* Answers each connection's first request and hangs up on the second without a word. */
static void serve_once(Conn *conn)
{
  if (conn_take(conn) && conn_send(conn, OK_5))
    conn_take(conn);
}

/*
 * A kept connection dies under a request. libcurl would send it again by itself, and does for one
 * that is safe to repeat; a change is never on the wire twice.
 */
static void test_stale(void **state)
{
  (void)state;
  gboolean maybe;
  Server *server = server_new(serve_once);
  HttpClient *client = client_for(server, (HttpOptions){0});
  assert_int_equal(ask_for(client, "GET"), 200);
  assert_int_equal(ask_for(client, "GET"), 200);
  assert_int_equal(server_requests(server), 3);
  assert_int_equal(ask_to_change(client, "MOVE", &maybe), -EIO);
  assert_true(maybe);
  assert_int_equal(server_requests(server), 4);
  assert_int_equal(ask_to_change(client, "MOVE", &maybe), 200);
  assert_false(maybe);

  HttpCounts counts;
  http_client_counts(client, &counts);
  assert_int_equal(counts.requests, 5);
  assert_int_equal(counts.changing_requests, 2);
  http_client_free(client);
  server_free(server);
}

static void test_nobody(void **state)
{
  (void)state;
  gboolean maybe;
  Server *server = server_new(serve_once);
  HttpClient *client = client_for(server, (HttpOptions){0});
  server_free(server);
  assert_int_equal(ask_for(client, "GET"), -EHOSTUNREACH);
  assert_int_equal(ask_to_change(client, "PUT", &maybe), -EHOSTUNREACH);
  assert_false(maybe);
  http_client_free(client);
}

static void serve_busy(Conn *conn)
{
  for (int i = 0; conn_take(conn); i++)
    if (!conn_send(conn,
                   i < conn->server->value
                       ? "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\nContent-Length: 5\r\n\r\nlater"
                       : OK_5))
      return;
}

static gboolean fail_on_503(const HttpResponse *response, gpointer user, GError **error)
{
  (void)user, (void)error;
  assert_int_equal(http_response_status(response), 200);
  return TRUE;
}

static void test_busy(void **state)
{
  (void)state;
  Server *server = server_new(serve_busy);
  HttpClient *client = client_for(server, (HttpOptions){0});
  server->value = 2;
  HttpRequest request = request_for("GET", "/");
  request.on_head = fail_on_503;
  g_autoptr(HttpResponse) response = NULL;
  assert_true(http_perform(client, &request, &response, NULL));
  assert_int_equal(http_response_status(response), 200);
  assert_string_equal(http_response_text(response), "hello");
  assert_int_equal(server_requests(server), 3);
  assert_int_equal(server->n_conns, 1);
  http_client_free(client);
  server_free(server);
}

static void serve_closed(Conn *conn)
{
  while (conn_take(conn))
    if (!conn_send(conn, "HTTP/1.1 503 No\r\nRetry-After: 3600\r\nContent-Length: 6\r\n\r\nclosed"))
      return;
}

static void test_busy_for_long(void **state)
{
  (void)state;
  Server *server = server_new(serve_closed);
  HttpClient *client = client_for(server, (HttpOptions){0});
  HttpRequest request = request_for("GET", "/");
  g_autoptr(HttpResponse) response = NULL;
  assert_true(http_perform(client, &request, &response, NULL));
  assert_int_equal(http_response_status(response), 503);
  assert_string_equal(http_response_text(response), "closed");
  assert_int_equal(server_requests(server), 1);
  http_client_free(client);
  server_free(server);
}

static void serve_stall(Conn *conn)
{
  if (conn_take(conn) && conn_send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"))
    conn_hang(conn);
}

/* Reads no body, and is gone before the next test. */
static void serve_deaf(Conn *conn)
{
  char *head = conn_take_head(conn);
  g_free(head);
  g_usleep(2500 * 1000);
}

static gboolean count_bytes(const void *bytes, gsize len, gpointer user, GError **error)
{
  (void)bytes, (void)error;
  *(gsize *)user += len;
  return TRUE;
}

static void test_stall(void **state)
{
  (void)state;
  gsize got = 0;
  Server *server = server_new(serve_stall);
  HttpClient *client = client_for(server, (HttpOptions){.stall_ms = 200});
  HttpRequest request = request_for("GET", "/");
  request.on_data = count_bytes;
  request.user = &got;
  request.deadline = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
  gint64 start = now_ms();
  assert_int_equal(ask(client, &request), -ETIMEDOUT);
  assert_in_range(now_ms() - start, 190, 1500);
  assert_int_equal(got, 5); /* what came, came */
  http_client_free(client);
  server_free(server);
}

static void test_stalled_upload(void **state)
{
  (void)state;
  const gsize big = 64 * 1024 * 1024;
  g_autofree char *bytes = g_malloc0(big);
  Server *server = server_new(serve_deaf);
  HttpClient *client = client_for(server, (HttpOptions){.stall_ms = 200, .commit_ms = 60000});
  HttpRequest put = request_for("PUT", "/");
  put.body = bytes;
  put.body_len = big;
  put.deadline = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
  gint64 start = now_ms();
  assert_int_equal(ask(client, &put), -ETIMEDOUT);
  assert_in_range(now_ms() - start, 190, 2400);
  http_client_free(client);
  server_free(server);
}

/* Five bytes, one every 100 ms. */
static void serve_trickle(Conn *conn)
{
  conn_take(conn);
  conn_send(conn, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
  for (guint i = 0; i < 5; i++) {
    g_usleep(100 * 1000);
    conn_send(conn, "x");
  }
  conn_hang(conn);
}

static void test_slow_is_no_stall(void **state)
{
  (void)state;
  Server *server = server_new(serve_trickle);
  HttpClient *client = client_for(server, (HttpOptions){.stall_ms = 300});
  assert_int_equal(ask_for(client, "GET"), 200);
  http_client_free(client);
  server_free(server);
}

/* Thinks for 500 ms about each request. */
static void serve_thinker(Conn *conn)
{
  while (conn_take(conn)) {
    g_usleep(500 * 1000);
    if (!conn_send(conn, OK_5))
      return;
  }
}

static void test_commit(void **state)
{
  (void)state;
  gboolean maybe;
  Server *server = server_new(serve_thinker);
  HttpClient *patient = client_for(server, (HttpOptions){.stall_ms = 200, .commit_ms = 3000});
  assert_int_equal(ask_to_change(patient, "PUT", &maybe), 200);
  assert_int_equal(ask_for(patient, "GET"), -ETIMEDOUT);
  http_client_free(patient);
  HttpClient *hasty = client_for(server, (HttpOptions){.stall_ms = 3000, .commit_ms = 200});
  assert_int_equal(ask_to_change(hasty, "PUT", &maybe), -ETIMEDOUT);
  assert_true(maybe);
  assert_int_equal(ask_for(hasty, "GET"), 200);
  http_client_free(hasty);
  server_free(server);
}

static void test_deadline(void **state)
{
  (void)state;
  Server *server = server_new(serve_thinker);
  HttpClient *client = client_for(server, (HttpOptions){0});
  HttpRequest request = request_for("GET", "/");
  gint64 start = now_ms();
  request.deadline = g_get_monotonic_time() + 100 * 1000;
  assert_int_equal(ask(client, &request), -ETIMEDOUT);
  assert_in_range(now_ms() - start, 90, 400);
  request.deadline = g_get_monotonic_time() - 1;
  assert_int_equal(ask(client, &request), -ETIMEDOUT);
  assert_int_equal(server_requests(server), 1);
  http_client_free(client);
  server_free(server);
}

static void serve_refusal(Conn *conn)
{
  char *head = conn_take_head(conn);
  g_free(head);
  conn_send(conn, "HTTP/1.1 413 Too large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  conn_hang(conn);
}

/* A server that refuses an upload while it is still coming is heard. */
static void test_early_refusal(void **state)
{
  (void)state;
  const gsize big = 32 * 1024 * 1024;
  g_autofree char *bytes = g_malloc0(big);
  Server *server = server_new(serve_refusal);
  HttpClient *client = client_for(server, (HttpOptions){0});
  HttpRequest put = request_for("PUT", "/");
  put.body = bytes;
  put.body_len = big;
  put.changes = TRUE;
  assert_int_equal(ask(client, &put), 413);
  http_client_free(client);
  server_free(server);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_answers),        cmocka_unit_test(test_too_much),
      cmocka_unit_test(test_hang_up),        cmocka_unit_test(test_stale),
      cmocka_unit_test(test_nobody),         cmocka_unit_test(test_busy),
      cmocka_unit_test(test_busy_for_long),  cmocka_unit_test(test_stall),
      cmocka_unit_test(test_stalled_upload), cmocka_unit_test(test_slow_is_no_stall),
      cmocka_unit_test(test_commit),         cmocka_unit_test(test_deadline),
      cmocka_unit_test(test_early_refusal),
  };
  break_rules();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
