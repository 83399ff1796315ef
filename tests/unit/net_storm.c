/* SPDX-License-Identifier: Apache-2.0 */
/* NTLM at servers that do not do their part of it, and a server that changes its mind all the time.
 */
#include "net_signin.h"

#define NO_401 "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
#define NO_440 "HTTP/1.1 440 Login Timeout\r\nContent-Length: 0\r\n\r\n"
#define WELCOME "HTTP/1.1 200 OK\r\nSet-Cookie: id=1\r\nContent-Length: 0\r\n\r\n"
#define ALICE "Authorization: Basic YWxpY2U6c2VzYW1l"

/* ---- NTLM ---- */

/* Needs no sign-in, and keeps what comes first: a file that is there is not replaced. */
static void serve_open(Conn *conn)
{
  for (char *head; (head = conn_take_head(conn));) {
    guint64 before = conn->server->body_seen;
    gboolean go_on = conn_take_body(conn, head);
    gboolean taken = value_of(conn->server) > 0 && strstr(head, "PUT ");
    if (strstr(head, "PUT ") && !taken)
      set_value(conn->server, 1 + (int)(conn->server->body_seen - before));
    go_on = go_on &&
            conn_send(conn, taken ? "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"
                                  : OK_5);
    g_free(head);
    if (!go_on)
      return;
  }
}

/*
 * NTLM begins with a request without its body. A server that does not want it must not be given an
 * empty file for the real one, nor its answer to that be taken for the one to the file.
 */
static void test_no_empty_body_for_an_open_server(void **state)
{
  (void)state;
  for (guint first = 0; first < 2; first++) {
    guint asked = 0;
    Server *server = server_new(serve_open);
    HttpClient *client = client_for(server, (HttpOptions){.schemes = HTTP_AUTH_NTLM,
                                                          .user = "alice",
                                                          .credentials = {sesame, NULL, &asked}});
    HttpRequest put = request_for("PUT", "/new");
    put.changes = TRUE;
    put.body = "0123456789";
    put.body_len = 10;
    if (!first)
      assert_int_equal(ask_path(client, "GET", "/a"),
                       200); /* a mount has looked before it writes */
    assert_int_equal(ask(client, &put), first ? 412 : 200);
    assert_int_equal(value_of(server), first ? 1 : 11);
    assert_int_equal(count_of(server, "PUT "), first ? 2 : 1);
    http_client_free(client);
    server_free(server);
  }
}

/* Wants content, and says so to a request without. */
static void serve_picky(Conn *conn)
{
  for (char *head; (head = conn_take_head(conn));) {
    gboolean empty = strstr(head, "Content-Length: 0") != NULL;
    gboolean go_on =
        conn_take_body(conn, head) &&
        conn_send(conn, empty ? "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n" : OK_5);
    g_free(head);
    if (!go_on)
      return;
  }
}

static void test_a_refused_empty_body(void **state)
{
  (void)state;
  guint asked = 0;
  Server *server = server_new(serve_picky);
  HttpClient *client = client_for(server, (HttpOptions){.schemes = HTTP_AUTH_NTLM,
                                                        .user = "alice",
                                                        .credentials = {sesame, NULL, &asked}});
  HttpRequest search = request_for("SEARCH", "/a");
  search.body = "0123456789";
  search.body_len = 10;
  assert_int_equal(ask(client, &search), 200);
  assert_int_equal(ask(client, &search), 200);
  assert_int_equal(server_requests(server), 3);
  http_client_free(client);
  server_free(server);
}

#define TYPE2                                                                                      \
  "TlRMTVNTUAACAAAADAAMADgAAAAFgomiASNFZ4mrze8AAAAAAAAAACQAJABEAAAABgBwFwAAAA9TAGUAcgB2AGUAcgACAA" \
  "wA"                                                                                             \
  "RABvAG0AYQBpAG4AAQAMAFMAZQByAHYAZQByAAAAAAA="

/* Challenges for ever: each answer holds what is made of the password. */
static void serve_challenges(Conn *conn)
{
  while (conn_take(conn))
    if (!conn_send(conn, "HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM " TYPE2
                         "\r\nContent-Length: 0\r\n\r\n"))
      return;
}

static void serve_garbage(Conn *conn)
{
  while (conn_take(conn))
    if (!conn_send(
            conn, "HTTP/1.1 401 No\r\nWWW-Authenticate: NTLM TlRM!!!\r\nContent-Length: 0\r\n\r\n"))
      return;
}

static void test_ntlm_without_an_end(void **state)
{
  (void)state;
  const ConnFunc hostile[] = {serve_challenges, serve_garbage};
  for (gsize i = 0; i < G_N_ELEMENTS(hostile); i++) {
    guint asked = 0;
    Server *server = server_new(hostile[i]);
    HttpClient *client = client_for(server, (HttpOptions){.schemes = HTTP_AUTH_NTLM,
                                                          .user = "alice",
                                                          .credentials = {sesame, NULL, &asked}});
    assert_int_equal(ask_path(client, "GET", "/a"), -EACCES);
    assert_true(server_requests(server) <= 4);
    http_client_free(client);
    server_free(server);
  }
}

/* ---- a server that changes its mind ---- */

/* Value 0: says no, asks for a form, lets in and hangs up as it likes; 1: is well. A PUT that is
 * let in leaves DONE in the log. */
static void serve_moods(Conn *conn)
{
  Server *server = conn->server;
  for (char *head; (head = conn_take_head(conn));) {
    guint mood = value_of(server) ? 0 : g_random_int() % 64;
    gboolean post = g_str_has_prefix(head, "POST ");
    gboolean known = post || strstr(head, ALICE) || strstr(head, "Cookie: id=1");
    gboolean in = known && mood < 32;
    gboolean go_on = conn_take_body(conn, head);
    if (go_on && in && g_str_has_prefix(head, "PUT ")) {
      pthread_mutex_lock(&server->lock);
      g_string_append(server->log, "DONE");
      pthread_mutex_unlock(&server->lock);
    }
    const char *no = mood < 32 || mood > 47 ? NO_401 : NO_440;
    go_on = go_on && conn_send(conn, !in ? no : post ? WELCOME : OK_5);
    g_free(head);
    if (!go_on)
      return;
  }
}

typedef struct {
  HttpClient *client;
  Server *server;
  gint64 until;
} Storm;

static gpointer read_on(gpointer data)
{
  Storm *storm = data;
  gint random = 0;
  while (now_ms() < storm->until) {
    HttpRequest get = request_for("GET", "/a");
    g_autoptr(Cancel) cancel = cancel_new();
    get.cancel = cancel;
    get.deadline = g_get_monotonic_time() + 2 * G_USEC_PER_SEC;
    if (++random % 500 == 0)
      cancel_trigger(cancel);
    ask(storm->client, &get);
  }
  return NULL;
}

/* What was answered with success was done once; what was refused was not done at all. */
static gpointer write_on(gpointer data)
{
  Storm *storm = data;
  guint wrong = 0, done = 0, refused = 0, lost = 0;
  while (now_ms() < storm->until) {
    g_autoptr(GError) error = NULL;
    g_autoptr(HttpResponse) response = NULL;
    HttpRequest put = request_for("PUT", "/new");
    put.changes = TRUE;
    put.body = "0123456789";
    put.body_len = 10;
    put.deadline = g_get_monotonic_time() + 2 * G_USEC_PER_SEC;
    gboolean sent = http_perform(storm->client, &put, &response, &error);
    guint times = count_of(storm->server, "DONE");
    pthread_mutex_lock(&storm->server->lock);
    g_string_truncate(storm->server->log, 0);
    pthread_mutex_unlock(&storm->server->lock);
    gboolean good = sent && http_response_status(response) == 200;
    gboolean unsure = !sent && error_maybe_applied(error);
    done += good ? 1 : 0;
    refused += good || unsure ? 0 : 1;
    lost += unsure ? 1 : 0;
    wrong += (good ? times == 1 : times <= (unsure ? 1 : 0)) ? 0 : 1;
    g_usleep(2000);
  }
  print_message("%u written, %u refused, %u unsure\n", done, refused, lost);
  return GINT_TO_POINTER(wrong);
}

static void test_a_storm_passes(void **state)
{
  (void)state;
  guint asked = 0;
  const char *seconds = g_getenv("STORM_SECONDS");
  Server *server = server_new(serve_moods);
  HttpClient *client =
      client_for(server, (HttpOptions){.schemes = HTTP_AUTH_ALL & ~(guint)HTTP_AUTH_NEGOTIATE,
                                       .user = "alice",
                                       .hold_ms = 10,
                                       .credentials = {sesame, NULL, &asked}});
  http_client_set_forms(client, &forms);
  Storm storm = {client, server, now_ms() + 1000 * (seconds ? atoi(seconds) : 3)};
  GThread *readers[8], *writer = g_thread_new("writer", write_on, &storm);
  for (gsize i = 0; i < G_N_ELEMENTS(readers); i++)
    readers[i] = g_thread_new("reader", read_on, &storm);
  for (gsize i = 0; i < G_N_ELEMENTS(readers); i++)
    g_thread_join(readers[i]);
  assert_int_equal(GPOINTER_TO_INT(g_thread_join(writer)), 0);
  set_value(server, 1);
  gint64 began = now_ms();
  int status;
  while ((status = ask_path(client, "GET", "/a")) != 200 && now_ms() - began < 3000)
    g_usleep(20 * 1000);
  assert_int_equal(status, 200);
  assert_int_equal(ask_path(client, "PUT", "/last"), 200);
  http_client_free(client);
  server_free(server);
}

int main(void)
{
  break_rules();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_no_empty_body_for_an_open_server),
      cmocka_unit_test(test_a_refused_empty_body),
      cmocka_unit_test(test_ntlm_without_an_end),
      cmocka_unit_test(test_a_storm_passes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
