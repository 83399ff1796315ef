/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in, as a server sees it: how often, with what, and what is sent again. */
#include "net_signin.h"

/* Server.value: what the server takes for right. */
enum { WRONG, RIGHT, RIGHT_BUT_FOR_ONE, FORM, FORM_BUT_FOR_ONE };

#define NO_401 "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n\r\n"
#define NO_440                                                                                     \
  "HTTP/1.1 440 Login Timeout\r\nSet-Cookie: id=; Max-Age=0\r\nContent-Length: 0\r\n\r\n"
#define WELCOME "HTTP/1.1 200 OK\r\nSet-Cookie: id=%d; path=/\r\nContent-Length: 0\r\n\r\n"
#define ALICE "Authorization: Basic YWxpY2U6c2VzYW1l"

/* Basic: who says nothing, or says it while the password is another, gets 401. */
static void serve_basic(Conn *conn)
{
  for (char *head; (head = conn_take_head(conn));) {
    int value = value_of(conn->server);
    gboolean good = strstr(head, ALICE) && value != WRONG &&
                    !(value == RIGHT_BUT_FOR_ONE && strstr(head, " /private "));
    gboolean go_on = conn_take_body(conn, head) && conn_send(conn, good ? OK_5 : NO_401);
    g_free(head);
    if (!go_on)
      return;
  }
}

static HttpClient *basic_client(Server *server, guint schemes)
{
  g_autoptr(Secret) password = secret_new("sesame", 6);
  return client_for(server,
                    (HttpOptions){.schemes = schemes, .user = "alice", .password = password});
}

/* Found out by the first request, then sent at once. */
static void test_found_out_once(void **state)
{
  (void)state;
  Server *server = server_new(serve_basic);
  set_value(server, RIGHT);
  HttpClient *client = basic_client(server, HTTP_AUTH_ALL & ~(guint)HTTP_AUTH_NEGOTIATE);
  for (guint i = 0; i < 3; i++)
    assert_int_equal(ask_path(client, "GET", "/a"), 200);
  assert_int_equal(server_requests(server), 4);
  assert_int_equal(count_of(server, ALICE), 3);
  HttpAuth scheme;
  g_autofree char *as = NULL;
  http_client_signed(client, &scheme, &as);
  assert_int_equal(scheme, HTTP_AUTH_BASIC);
  assert_string_equal(as, "alice");
  http_client_free(client);
  server_free(server);
}

/* What has a body is not spent on finding out: a HEAD is. */
static void test_a_challenge_is_foreseen(void **state)
{
  (void)state;
  Server *server = server_new(serve_basic);
  set_value(server, RIGHT);
  HttpClient *client = basic_client(server, HTTP_AUTH_ALL & ~(guint)HTTP_AUTH_NEGOTIATE);
  HttpRequest put = request_for("PUT", "/new");
  put.body = "0123456789";
  put.body_len = 10;
  put.changes = TRUE;
  assert_int_equal(ask(client, &put), 200);
  assert_int_equal(count_of(server, "PUT "), 1);
  assert_int_equal(count_of(server, "HEAD /new "), 1);
  assert_int_equal(server->body_seen, 10);
  http_client_free(client);
  server_free(server);
}

/* Refused: one try, then silence for a while, so that no account gets locked. */
static void test_a_refusal_is_not_repeated(void **state)
{
  (void)state;
  Server *server = server_new(serve_basic);
  HttpClient *client = basic_client(server, HTTP_AUTH_BASIC);
  for (guint i = 0; i < 5; i++)
    assert_int_equal(ask_path(client, "GET", "/a"), -EACCES);
  assert_int_equal(count_of(server, ALICE), 1);
  http_client_free(client);
  server_free(server);
}

/* A 401 to one who was let in: no right there; the caller gets the 401, the rest goes on. */
static void test_no_right_to_one_path(void **state)
{
  (void)state;
  Server *server = server_new(serve_basic);
  set_value(server, RIGHT_BUT_FOR_ONE);
  HttpClient *client = basic_client(server, HTTP_AUTH_BASIC);
  assert_int_equal(ask_path(client, "GET", "/a"), 200);
  assert_int_equal(ask_path(client, "GET", "/private"), 401);
  assert_int_equal(ask_path(client, "GET", "/b"), 200);
  assert_int_equal(count_of(server, "HEAD /a "), 1); /* is it the password? no */
  http_client_free(client);
  server_free(server);
}

/* The password was changed: that is said, and not asked again for a while. */
static void test_a_changed_password(void **state)
{
  (void)state;
  Server *server = server_new(serve_basic);
  set_value(server, RIGHT);
  HttpClient *client = basic_client(server, HTTP_AUTH_BASIC);
  assert_int_equal(ask_path(client, "GET", "/a"), 200);
  set_value(server, WRONG);
  for (guint i = 0; i < 5; i++)
    assert_int_equal(ask_path(client, "GET", "/b"), -EACCES);
  assert_int_equal(server_requests(server), 3); /* /a, /b, a look at /a */
  http_client_free(client);
  server_free(server);
}

static Secret *no_password(gpointer data, GError **error)
{
  (void)data;
  error_set(error, ENOENT, SCOPE_LOCAL, "the password file is gone");
  return NULL;
}

/* "No such file" of a password file is none of the file that a program asked for. */
static void test_no_password_is_eacces(void **state)
{
  (void)state;
  Server *server = server_new(serve_basic);
  HttpClient *client =
      client_for(server, (HttpOptions){.schemes = HTTP_AUTH_BASIC,
                                       .user = "alice",
                                       .credentials = {no_password, no_password, NULL}});
  assert_int_equal(ask_path(client, "GET", "/a"), -EACCES);
  http_client_free(client);
  client = client_for(server, (HttpOptions){.schemes = HTTP_AUTH_BEARER,
                                            .credentials = {no_password, no_password, NULL}});
  assert_int_equal(ask_path(client, "GET", "/a"), -EACCES);
  http_client_free(client);
  server_free(server);
}

static Secret *next_password(gpointer data, GError **error)
{
  guint *asked = data;
  (void)error;
  return ++*asked == 1 ? secret_new("old", 3) : secret_new("sesame", 6);
}

/* Refused: after the pause the source of the password is asked again, it may know better. */
static void test_a_password_is_asked_for_again(void **state)
{
  (void)state;
  guint asked = 0;
  Server *server = server_new(serve_basic);
  set_value(server, RIGHT);
  HttpClient *client =
      client_for(server, (HttpOptions){.schemes = HTTP_AUTH_BASIC,
                                       .user = "alice",
                                       .hold_ms = 500,
                                       .credentials = {next_password, NULL, &asked}});
  assert_int_equal(ask_path(client, "GET", "/a"), -EACCES);
  assert_int_equal(ask_path(client, "GET", "/a"), -EACCES);
  assert_int_equal(asked, 1);
  g_usleep(700 * 1000);
  assert_int_equal(ask_path(client, "GET", "/a"), 200);
  assert_int_equal(asked, 2);
  http_client_free(client);
  server_free(server);
}

/* ---- forms ---- */

static void serve_form(Conn *conn)
{
  for (char *head; (head = conn_take_head(conn));) {
    int value = value_of(conn->server);
    g_autofree char *cookie = g_strdup_printf("Cookie: id=%d", value);
    gboolean good =
        strstr(head, cookie) && !(value % 10 == FORM_BUT_FOR_ONE && strstr(head, " /private "));
    g_autofree char *welcome = g_strdup_printf(WELCOME, value);
    const char *answer = g_str_has_prefix(head, "POST ") ? welcome : good ? OK_5 : NO_440;
    gboolean go_on = conn_take_body(conn, head) && conn_send(conn, answer);
    g_free(head);
    if (!go_on)
      return;
  }
}

static HttpClient *form_client(Server *server, int value)
{
  set_value(server, value);
  HttpClient *client = basic_client(server, HTTP_AUTH_FORMS);
  http_client_set_forms(client, &forms);
  return client;
}

/* 440: sign in once, send the same method again; so when the session has expired. */
static void test_a_session_expires(void **state)
{
  (void)state;
  Server *server = server_new(serve_form);
  HttpClient *client = form_client(server, FORM);
  assert_int_equal(ask_path(client, "SEARCH", "/a"), 200);
  assert_int_equal(count_of(server, "POST "), 1);
  set_value(server, 10 + FORM);
  assert_int_equal(ask_path(client, "SEARCH", "/b"), 200);
  assert_int_equal(ask_path(client, "SEARCH", "/c"), 200);
  assert_int_equal(count_of(server, "POST "), 2);
  assert_int_equal(count_of(server, "SEARCH /b "), 2);
  assert_int_equal(count_of(server, "SEARCH /c "), 1);
  http_client_free(client);
  server_free(server);
}

static gpointer ask_often(gpointer client)
{
  for (guint i = 0; i < 20; i++)
    if (ask_path(client, "SEARCH", "/a") != 200)
      return GINT_TO_POINTER(1);
  return NULL;
}

/* Eight callers meet the end of the session together: one signs in. */
static void test_many_callers_sign_in_once(void **state)
{
  (void)state;
  Server *server = server_new(serve_form);
  HttpClient *client = form_client(server, FORM);
  assert_int_equal(ask_path(client, "SEARCH", "/a"), 200); /* the first session stands */
  GThread *threads[8];
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("caller", ask_often, client);
  g_usleep(5000);
  set_value(server, 20 + FORM);
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
    assert_null(g_thread_join(threads[i]));
  assert_int_equal(count_of(server, "POST "), 2);
  http_client_free(client);
  server_free(server);
}

/* 440 means "forbidden" too: after one sign-in the second 440 is the answer. */
static void test_440_for_one_path(void **state)
{
  (void)state;
  Server *server = server_new(serve_form);
  HttpClient *client = form_client(server, FORM_BUT_FOR_ONE);
  assert_int_equal(ask_path(client, "SEARCH", "/a"), 200);
  assert_int_equal(ask_path(client, "SEARCH", "/private"), 440);
  assert_int_equal(ask_path(client, "SEARCH", "/b"), 200);
  assert_int_equal(count_of(server, "SEARCH /private "), 2);
  assert_int_equal(count_of(server, "POST "), 2);
  http_client_free(client);
  server_free(server);
}

/* A form is never filled in where the password could be read, nor without a name. */
static void test_no_form_without_leave(void **state)
{
  (void)state;
  Server *server = server_new(serve_form);
  HttpClient *client = basic_client(server, HTTP_AUTH_BASIC | HTTP_AUTH_NTLM);
  http_client_set_forms(client, &forms);
  assert_int_equal(ask_path(client, "SEARCH", "/a"), -EACCES);
  http_client_free(client);
  client = client_for(server, (HttpOptions){.schemes = HTTP_AUTH_ALL});
  http_client_set_forms(client, &forms);
  assert_int_equal(ask_path(client, "SEARCH", "/a"), -EACCES);
  assert_int_equal(count_of(server, "POST "), 0);
  http_client_free(client);
  server_free(server);
}

/* ---- more than one server ---- */

static void serve_ok(Conn *conn)
{
  while (conn_take(conn))
    if (!conn_send(conn, OK_5))
      return;
}

/* Sends everything on to the port in `value`, with a space in the address. */
static void serve_elsewhere(Conn *conn)
{
  while (conn_take(conn)) {
    g_autofree char *answer =
        g_strdup_printf("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%d/rep lica?x\r\n"
                        "Content-Length: 0\r\n\r\n",
                        value_of(conn->server));
    if (!conn_send(conn, answer))
      return;
  }
}

static int port_of(const Server *server)
{
  return atoi(strrchr(server->origin, ':') + 1);
}

static HttpClient *client_of_two(const Server *first, const Server *second)
{
  const char *servers[] = {second->origin, NULL};
  return client_for(first, (HttpOptions){.servers = servers, .connect_ms = 500, .stall_ms = 500});
}

/* A server that was named is followed to, with method, body and Destination; any other is not. */
static void test_redirects(void **state)
{
  (void)state;
  Server *from = server_new(serve_elsewhere), *to = server_new(serve_ok);
  Server *foreign = server_new(serve_ok);
  HttpClient *client = client_of_two(from, to);
  HttpRequest search = request_for("SEARCH", "/public/");
  search.body = "0123456789";
  search.body_len = 10;
  search.destination = "/x";
  set_value(from, port_of(to));
  assert_int_equal(ask(client, &search), 200);
  assert_true(server_saw(to, "SEARCH /rep%20lica?x HTTP"));
  g_autofree char *destination = g_strdup_printf("Destination: %s/x\r\n", to->origin);
  assert_true(server_saw(to, destination));
  assert_int_equal(to->body_seen, 10);
  set_value(from, port_of(foreign));
  assert_int_equal(ask(client, &search), 302);
  assert_int_equal(server_requests(foreign), 0);
  http_client_free(client);
  server_free(from);
  server_free(to);
  server_free(foreign);
}

static void test_a_circle_ends(void **state)
{
  (void)state;
  Server *one = server_new(serve_elsewhere), *two = server_new(serve_elsewhere);
  set_value(one, port_of(two));
  set_value(two, port_of(one));
  HttpClient *client = client_of_two(one, two);
  assert_int_equal(ask_path(client, "SEARCH", "/"), -ELOOP);
  assert_true(server_requests(one) + server_requests(two) <= 12);
  http_client_free(client);
  server_free(one);
  server_free(two);
}

/* Not reached: the next is asked, also with a change, since nobody has seen it. */
static void test_the_next_server_stands_in(void **state)
{
  (void)state;
  Server *gone = server_new(serve_ok), *well = server_new(serve_ok);
  HttpClient *client = client_of_two(gone, well);
  server_free(gone);
  assert_int_equal(ask_path(client, "PUT", "/a"), 200);
  assert_int_equal(ask_path(client, "GET", "/a"), 200);
  assert_int_equal(server_requests(well), 2);
  http_client_free(client);
  server_free(well);
}

static void serve_silence(Conn *conn)
{
  if (conn_take(conn))
    conn_hang(conn);
}

/* Silent: what is safe to ask twice is asked elsewhere; a change is not. */
static void test_a_silent_server(void **state)
{
  (void)state;
  Server *silent = server_new(serve_silence), *well = server_new(serve_ok);
  const char *servers[] = {well->origin, NULL};
  HttpClient *client =
      client_for(silent, (HttpOptions){.servers = servers, .stall_ms = 300, .commit_ms = 300});
  assert_int_equal(ask_path(client, "PUT", "/a"), -ETIMEDOUT);
  assert_int_equal(server_requests(well), 0);
  http_client_free(client);
  client = client_for(silent, (HttpOptions){.servers = servers, .stall_ms = 300, .commit_ms = 300});
  assert_int_equal(ask_path(client, "GET", "/a"), 200);
  gint64 began = now_ms();
  assert_int_equal(ask_path(client, "PUT", "/a"), 200); /* now known: asked there at once */
  assert_true(now_ms() - began < 250);
  http_client_free(client);
  server_free(silent);
  server_free(well);
}

/* Answers once a connection, saying that more may come, and hangs up a moment later. */
static void serve_dying(Conn *conn)
{
  if (!conn_take(conn) || !conn_send(conn, OK_5))
    return;
  if (conn->number < 3)
    conn_take(conn); /* the next request dies with the connection */
}

/* A change that met a dying connection is not sent again by itself, and the next one gets a fresh
 * connection instead of another dying one. */
static void test_changes_avoid_dying_connections(void **state)
{
  (void)state;
  Server *server = server_new(serve_dying);
  HttpClient *client = client_for(server, (HttpOptions){0});
  assert_int_equal(ask_path(client, "GET", "/"), 200);
  assert_int_equal(ask_path(client, "PUT", "/a"), -EIO);
  assert_int_equal(ask_path(client, "GET", "/"), 200);
  assert_int_equal(ask_path(client, "PUT", "/a"), 200);
  http_client_free(client);
  server_free(server);
}

int main(void)
{
  break_rules();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_found_out_once),
      cmocka_unit_test(test_a_challenge_is_foreseen),
      cmocka_unit_test(test_a_refusal_is_not_repeated),
      cmocka_unit_test(test_no_right_to_one_path),
      cmocka_unit_test(test_a_changed_password),
      cmocka_unit_test(test_a_password_is_asked_for_again),
      cmocka_unit_test(test_no_password_is_eacces),
      cmocka_unit_test(test_a_session_expires),
      cmocka_unit_test(test_many_callers_sign_in_once),
      cmocka_unit_test(test_440_for_one_path),
      cmocka_unit_test(test_no_form_without_leave),
      cmocka_unit_test(test_redirects),
      cmocka_unit_test(test_a_circle_ends),
      cmocka_unit_test(test_the_next_server_stands_in),
      cmocka_unit_test(test_a_silent_server),
      cmocka_unit_test(test_changes_avoid_dying_connections),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
