/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in at servers that lie, flip their mind, or wait for a second way to lose something. */
#include "net_signin.h"

#define NO_401 "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
#define NO_TOKEN "HTTP/1.1 401 No\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n"
#define NO_440 "HTTP/1.1 440 Login Timeout\r\nContent-Length: 0\r\n\r\n"
#define WELCOME "HTTP/1.1 200 OK\r\nSet-Cookie: id=1\r\nContent-Length: 0\r\n\r\n"
#define ALICE "Authorization: Basic YWxpY2U6c2VzYW1l"

/* ---- a password that is refused for a moment ---- */

/* Value 0: the password is right. Refusals take a while, so that callers meet them together. */
static void serve_basic(Conn *conn)
{
  for (char *head; (head = conn_take_head(conn));) {
    gboolean good = strstr(head, ALICE) && value_of(conn->server) == 0;
    if (!good)
      g_usleep(100 * 1000);
    gboolean go_on = conn_take_body(conn, head) && conn_send(conn, good ? OK_5 : NO_401);
    g_free(head);
    if (!go_on)
      return;
  }
}

static gpointer ask_once(gpointer client)
{
  return GINT_TO_POINTER(ask_path(client, "GET", "/b"));
}

/* Eight callers meet one refusal: it counts once, one looks, and the mount is soon well again. */
static void test_one_refusal_counts_once(void **state)
{
  (void)state;
  guint asked = 0;
  Server *server = server_new(serve_basic);
  HttpClient *client = client_for(server, (HttpOptions){.schemes = HTTP_AUTH_BASIC,
                                                        .user = "alice",
                                                        .hold_ms = 300,
                                                        .credentials = {sesame, NULL, &asked}});
  GThread *threads[8];
  assert_int_equal(ask_path(client, "GET", "/a"), 200);
  set_value(server, 1);
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("caller", ask_once, client);
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
    assert_int_equal(GPOINTER_TO_INT(g_thread_join(threads[i])), -EACCES);
  assert_int_equal(count_of(server, "HEAD /a "), 1);
  set_value(server, 0);
  g_usleep(600 * 1000);
  assert_int_equal(ask_path(client, "GET", "/b"), 200);
  http_client_free(client);
  server_free(server);
}

/* Half an hour, three hundred times as fast: with a wrong password fewer than five tries. */
static void test_no_account_is_locked(void **state)
{
  (void)state;
  guint asked = 0;
  Server *server = server_new(serve_basic);
  set_value(server, 1);
  HttpClient *client = client_for(server, (HttpOptions){.schemes = HTTP_AUTH_BASIC,
                                                        .user = "alice",
                                                        .hold_ms = 100,
                                                        .credentials = {sesame, NULL, &asked}});
  for (gint64 until = now_ms() + 6000; now_ms() < until; g_usleep(20 * 1000))
    assert_int_equal(ask_path(client, "GET", "/a"), -EACCES);
  assert_in_range(count_of(server, ALICE), 3, 4);
  http_client_free(client);
  server_free(server);
}

/* ---- a token and a folder that is not for everybody ---- */

static void serve_token(Conn *conn)
{
  for (char *head; (head = conn_take_head(conn));) {
    gboolean good = strstr(head, "Authorization: Bearer sesame") && !strstr(head, " /private ");
    gboolean go_on = conn_take_body(conn, head) && conn_send(conn, good ? OK_5 : NO_TOKEN);
    g_free(head);
    if (!go_on)
      return;
  }
}

/* No right there: a new token is tried, then that is the answer, and all else goes on. */
static void test_a_token_without_right(void **state)
{
  (void)state;
  guint asked = 0;
  Server *server = server_new(serve_token);
  HttpClient *client = client_for(
      server, (HttpOptions){.schemes = HTTP_AUTH_BEARER, .credentials = {NULL, sesame, &asked}});
  assert_int_equal(ask_path(client, "GET", "/a"), 200);
  for (guint i = 0; i < 3; i++) {
    assert_int_equal(ask_path(client, "GET", "/private"), 401);
    assert_int_equal(ask_path(client, "GET", "/a"), 200);
  }
  http_client_free(client);
  server_free(server);
}

static Secret *some_token(gpointer data, GError **error)
{
  guint *asked = data;
  (void)error;
  return ++*asked > 4 ? secret_new("sesame", 6) : secret_new("stale", 5);
}

/* No account is locked by a token or a ticket, so the pause stays short. */
static void test_refused_tokens_lock_nothing(void **state)
{
  (void)state;
  guint asked = 0;
  Server *server = server_new(serve_token);
  HttpClient *client = client_for(server, (HttpOptions){.schemes = HTTP_AUTH_BEARER,
                                                        .hold_ms = 100,
                                                        .credentials = {NULL, some_token, &asked}});
  gint64 began = now_ms();
  while (ask_path(client, "GET", "/a") != 200 && now_ms() - began < 5000)
    g_usleep(20 * 1000);
  assert_true(now_ms() - began < 1500);
  http_client_free(client);
  server_free(server);
}

/* ---- two servers ---- */

/* Sends /public on to the port in `value`, answers the rest. */
static void serve_public_elsewhere(Conn *conn)
{
  for (char *head; (head = conn_take_head(conn));) {
    g_autofree char *there =
        g_strdup_printf("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/replica\r\n"
                        "Content-Length: 0\r\n\r\n",
                        value_of(conn->server));
    gboolean go_on =
        conn_take_body(conn, head) && conn_send(conn, strstr(head, " /public ") ? there : OK_5);
    g_free(head);
    if (!go_on)
      return;
  }
}

/* What the second server asks for is looked into there: the first never sees that password. */
static void test_a_look_stays_at_its_server(void **state)
{
  (void)state;
  guint asked = 0;
  Server *first = server_new(serve_public_elsewhere), *second = server_new(serve_basic);
  const char *servers[] = {second->origin, NULL};
  HttpClient *client = client_for(first, (HttpOptions){.schemes = HTTP_AUTH_BASIC | HTTP_AUTH_NTLM,
                                                       .servers = servers,
                                                       .user = "alice",
                                                       .credentials = {sesame, NULL, &asked}});
  set_value(first, atoi(strrchr(second->origin, ':') + 1));
  assert_int_equal(ask_path(client, "GET", "/a"), 200);
  assert_int_equal(ask_path(client, "PUT", "/public"), 200);
  assert_int_equal(count_of(second, "PUT "), 1); /* foreseen: a HEAD asked there */
  set_value(second, 1);
  HttpRequest other = request_for("GET", "/b");
  other.origin = second->origin;
  assert_int_equal(ask(client, &other), -EACCES);
  assert_int_equal(count_of(second, "HEAD /replica "), 2);
  assert_int_equal(count_of(first, "Authorization"), 0);
  http_client_free(client);
  server_free(first);
  server_free(second);
}

/* ---- forms ---- */

/* 440, and no answer to the form but, in a lone CR, a header that is none. */
static void serve_form(Conn *conn)
{
  for (char *head; (head = conn_take_head(conn));) {
    gboolean post = g_str_has_prefix(head, "POST "), good = strstr(head, "Cookie: id=1") != NULL;
    if (!conn_take_body(conn, head) || (post && value_of(conn->server) == 0)) {
      g_free(head);
      return;
    }
    conn_send(conn, post   ? "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\rX-Evil: c\r\n"
                             "Set-Cookie: t=x\ty\r\nSet-Cookie: id=1\r\nContent-Length: 0\r\n\r\n"
                    : good ? OK_5
                           : NO_440);
    g_free(head);
  }
}

/* The answer to the form is lost: that says nothing about the change, which was refused by 440. */
static void test_a_lost_form_is_no_lost_change(void **state)
{
  (void)state;
  guint asked = 0;
  Server *server = server_new(serve_form);
  HttpClient *client = client_for(server, (HttpOptions){.schemes = HTTP_AUTH_FORMS,
                                                        .user = "alice",
                                                        .credentials = {sesame, NULL, &asked}});
  http_client_set_forms(client, &forms);
  HttpRequest put = request_for("PUT", "/new");
  put.changes = TRUE;
  g_autoptr(GError) error = NULL;
  assert_false(http_perform(client, &put, NULL, &error));
  assert_int_equal(error_errno(error), EIO);
  assert_false(error_maybe_applied(error));
  assert_int_equal(count_of(server, "POST "), 1);
  set_value(server, 1);
  assert_int_equal(ask_path(client, "PUT", "/new"), 200);
  assert_false(server_saw(server, "X-Evil"));
  assert_false(server_saw(server, "x\ty"));
  http_client_free(client);
  server_free(server);
}

static Secret *locked_at_first(gpointer data, GError **error)
{
  guint *asked = data;
  if (++*asked > 1)
    return secret_new("sesame", 6);
  error_set(error, EACCES, SCOPE_SIGN_IN, "the keyring is locked: unlock it");
  return NULL;
}

/* No password to be had is no refusal by the server: nobody waits for it to forget. */
static void test_a_locked_keyring(void **state)
{
  (void)state;
  guint asked = 0;
  Server *server = server_new(serve_form);
  set_value(server, 1);
  HttpClient *client =
      client_for(server, (HttpOptions){.schemes = HTTP_AUTH_FORMS,
                                       .user = "alice",
                                       .credentials = {locked_at_first, NULL, &asked}});
  http_client_set_forms(client, &forms);
  assert_int_equal(ask_path(client, "GET", "/a"), -EACCES);
  assert_int_equal(ask_path(client, "GET", "/a"), 200);
  http_client_free(client);
  server_free(server);
}

/* Value 1: forms; 2: they were switched off, and Basic takes their place. */
static void serve_form_then_basic(Conn *conn)
{
  for (char *head; (head = conn_take_head(conn));) {
    gboolean basic = value_of(conn->server) == 2, post = g_str_has_prefix(head, "POST ");
    gboolean good = strstr(head, basic ? ALICE : "Cookie: id=1") != NULL;
    gboolean go_on = conn_take_body(conn, head) && conn_send(conn, good    ? OK_5
                                                                   : basic ? NO_401
                                                                   : post  ? WELCOME
                                                                           : NO_440);
    g_free(head);
    if (!go_on)
      return;
  }
}

/* The mount goes on by the other way. */
static void test_forms_are_switched_off(void **state)
{
  (void)state;
  guint asked = 0;
  Server *server = server_new(serve_form_then_basic);
  set_value(server, 1);
  HttpClient *client =
      client_for(server, (HttpOptions){.schemes = HTTP_AUTH_BASIC | HTTP_AUTH_FORMS,
                                       .user = "alice",
                                       .credentials = {sesame, NULL, &asked}});
  http_client_set_forms(client, &forms);
  assert_int_equal(ask_path(client, "GET", "/a"), 200);
  set_value(server, 2);
  assert_int_equal(ask_path(client, "GET", "/b"), 200);
  set_value(server, 1);
  assert_int_equal(ask_path(client, "GET", "/b"), 200);
  http_client_free(client);
  server_free(server);
}

/* A page without an end. */
static void serve_endless(Conn *conn)
{
  if (!conn_take(conn) || !conn_send(conn, "HTTP/1.1 200 OK\r\n\r\n"))
    return;
  while (conn_send(conn, "<p>and so on and on and on and on and on and on and on and on</p>\n"))
    ;
}

/* What nobody keeps nobody reads: 64 KiB of it, then it counts as over. */
static void test_an_endless_page(void **state)
{
  (void)state;
  Server *server = server_new(serve_endless);
  HttpClient *client = client_for(server, (HttpOptions){0});
  HttpRequest get = request_for("GET", "/logon");
  get.deadline = g_get_monotonic_time() + 5 * G_USEC_PER_SEC;
  assert_int_equal(ask(client, &get), 200);
  http_client_free(client);
  server_free(server);
}

int main(void)
{
  break_rules();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_one_refusal_counts_once),
      cmocka_unit_test(test_no_account_is_locked),
      cmocka_unit_test(test_a_token_without_right),
      cmocka_unit_test(test_refused_tokens_lock_nothing),
      cmocka_unit_test(test_a_look_stays_at_its_server),
      cmocka_unit_test(test_a_lost_form_is_no_lost_change),
      cmocka_unit_test(test_a_locked_keyring),
      cmocka_unit_test(test_forms_are_switched_off),
      cmocka_unit_test(test_an_endless_page),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
