/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits that end at once when asked to, whatever the request is doing; the bound on what a slow
 * caller makes us hold; many requests at a time.
 */
#include "net_client.h"

#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>

#define SOON_MS 400 /* "at once" on a machine that is busy with other tests */

/* libcurl finds this one first: a name server that takes its time. */
__attribute__((visibility("default"))) int getaddrinfo(const char *node, const char *service,
                                                       const struct addrinfo *hints,
                                                       struct addrinfo **result)
{
  typedef int (*Real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  Real real;
  *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
  if (node && strcmp(node, "slow.test") == 0) {
    g_usleep(3 * G_USEC_PER_SEC);
    return EAI_AGAIN;
  }
  return real(node, service, hints, result);
}

typedef struct {
  HttpClient *client;
  const HttpRequest *request;
  int result;
  gint64 ended_ms;
} Asker;

static void *run_asker(void *data)
{
  Asker *asker = data;
  asker->result = ask(asker->client, asker->request);
  asker->ended_ms = now_ms();
  return NULL;
}

/* Asks on a thread, cancels after 100 ms: the call ends with EINTR soon after. */
static void assert_cancels(HttpClient *client, HttpRequest request)
{
  g_autoptr(Cancel) cancel = cancel_new();
  request.cancel = cancel;
  request.deadline = g_get_monotonic_time() + 3 * G_USEC_PER_SEC;
  Asker asker = {.client = client, .request = &request};
  pthread_t thread;
  pthread_create(&thread, NULL, run_asker, &asker);
  g_usleep(100 * 1000);
  gint64 start = now_ms();
  cancel_trigger(cancel);
  pthread_join(thread, NULL);
  assert_int_equal(asker.result, -EINTR);
  assert_true(asker.ended_ms - start < SOON_MS);
}

static void serve_nothing(Conn *conn)
{
  conn_hang(conn);
}

static void test_cancel_waiting(void **state)
{
  (void)state;
  Server *server = server_new(serve_nothing);
  HttpClient *client = client_for(server, (HttpOptions){.connections = 1});
  assert_cancels(client, request_for("GET", "/"));
  HttpRequest put = request_for("PUT", "/");
  put.body = "x";
  put.body_len = 1;
  put.changes = TRUE;
  assert_cancels(client, put);
  http_client_free(client);
  server_free(server);
}

static void test_cancel_before(void **state)
{
  (void)state;
  Server *server = server_new(serve_nothing);
  HttpClient *client = client_for(server, (HttpOptions){0});
  g_autoptr(Cancel) cancel = cancel_new();
  cancel_trigger(cancel);
  HttpRequest request = request_for("GET", "/");
  request.cancel = cancel;
  assert_int_equal(ask(client, &request), -EINTR);
  http_client_free(client);
  assert_int_equal(server->n_conns, 0);
  server_free(server);
}

/* A full listen queue answers no SYN: the connection hangs. */
static void test_cancel_connecting(void **state)
{
  (void)state;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t len = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fillers[4];
  assert_int_equal(bind(listener, (struct sockaddr *)&address, len), 0);
  assert_int_equal(listen(listener, 0), 0);
  assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &len), 0);
  for (guint i = 0; i < G_N_ELEMENTS(fillers); i++) {
    fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int failed = connect(fillers[i], (struct sockaddr *)&address, len);
    assert_true(failed == 0 || errno == EINPROGRESS);
  }
  g_autofree char *origin = g_strdup_printf("http://127.0.0.1:%u", ntohs(address.sin_port));
  HttpOptions options = {.origin = origin, .connect_ms = 600};
  HttpClient *client = http_client_new(&options, NULL);
  assert_cancels(client, request_for("GET", "/"));
  gint64 start = now_ms();
  assert_int_equal(ask_for(client, "GET"), -ETIMEDOUT);
  assert_in_range(now_ms() - start, 500, 2000);
  http_client_free(client);
  for (guint i = 0; i < G_N_ELEMENTS(fillers); i++)
    close(fillers[i]);
  close(listener);
}

static void test_cancel_resolving(void **state)
{
  (void)state;
  HttpOptions options = {.origin = "http://slow.test"};
  HttpClient *client = http_client_new(&options, NULL);
  assert_cancels(client, request_for("GET", "/"));
  gint64 start = now_ms();
  http_client_free(client);
  assert_true(now_ms() - start < SOON_MS);
  g_usleep(3 * G_USEC_PER_SEC + 200 * 1000); /* the resolver's own thread ends: no leak to report */
}

static void serve_busy(Conn *conn)
{
  while (conn_take(conn))
    if (!conn_send(conn, "HTTP/1.1 503 Busy\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n"))
      return;
}

static void test_cancel_between(void **state)
{
  (void)state;
  Server *server = server_new(serve_busy);
  HttpClient *client = client_for(server, (HttpOptions){0});
  assert_cancels(client, request_for("GET", "/"));
  http_client_free(client);
  server_free(server);
}

#define FLOOD_MIB 128

/* FLOOD_MIB MiB, each filled with its number; Server.value counts those sent. */
static void serve_flood(Conn *conn)
{
  g_autofree char *mib = g_malloc(1024 * 1024);
  g_autofree char *head =
      g_strdup_printf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", FLOOD_MIB * 1024 * 1024);
  conn_take(conn);
  conn_send(conn, head);
  for (int i = 0; i < FLOOD_MIB; i++) {
    memset(mib, i, 1024 * 1024);
    if (!conn_send_bytes(conn, mib, 1024 * 1024))
      return;
    pthread_mutex_lock(&conn->server->lock);
    conn->server->value = i + 1;
    pthread_mutex_unlock(&conn->server->lock);
  }
  conn_hang(conn);
}

typedef struct {
  Server *server;
  gsize got;
  int sent_while_asleep;
  gboolean wrong;
} Sleeper;

/* Sleeps over the first piece for longer than stall_ms, then takes all. */
static gboolean sleep_once(const void *bytes, gsize len, gpointer user, GError **error)
{
  (void)error;
  Sleeper *sleeper = user;
  if (sleeper->got == 0) {
    g_usleep(600 * 1000);
    pthread_mutex_lock(&sleeper->server->lock);
    sleeper->sent_while_asleep = sleeper->server->value;
    pthread_mutex_unlock(&sleeper->server->lock);
  }
  for (gsize i = 0; i < len; i += 4096)
    if (((const guint8 *)bytes)[i] != (guint8)((sleeper->got + i) >> 20))
      sleeper->wrong = TRUE;
  sleeper->got += len;
  return TRUE;
}

/* Held: the ring and the kernel's socket buffers, not the body. A slow caller is no stall. */
static void test_slow_caller(void **state)
{
  (void)state;
  Server *server = server_new(serve_flood);
  HttpClient *client = client_for(server, (HttpOptions){.stall_ms = 300});
  Sleeper sleeper = {.server = server};
  HttpRequest request = request_for("GET", "/");
  request.on_data = sleep_once;
  request.user = &sleeper;
  assert_int_equal(ask(client, &request), 200);
  assert_int_equal(sleeper.got, FLOOD_MIB * 1024 * 1024);
  assert_false(sleeper.wrong);
  assert_in_range(sleeper.sent_while_asleep, 1, FLOOD_MIB / 4);
  http_client_free(client);
  server_free(server);
}

static gboolean sleep_always(const void *bytes, gsize len, gpointer user, GError **error)
{
  (void)bytes, (void)len, (void)user, (void)error;
  g_usleep(50 * 1000);
  return TRUE;
}

static void test_cancel_paused(void **state)
{
  (void)state;
  Server *server = server_new(serve_flood);
  HttpClient *client = client_for(server, (HttpOptions){0});
  HttpRequest request = request_for("GET", "/");
  request.on_data = sleep_always;
  assert_cancels(client, request);
  http_client_free(client);
  server_free(server);
}

/* Answers after 150 ms. */
static void serve_late(Conn *conn)
{
  while (conn_take(conn)) {
    g_usleep(150 * 1000);
    if (!conn_send(conn, OK_5))
      return;
  }
}

/* Six requests over two connections: the others wait, and waiting is no failure to connect. */
static void test_turns(void **state)
{
  (void)state;
  Server *server = server_new(serve_late);
  HttpClient *client =
      client_for(server, (HttpOptions){.connections = 2, .connect_ms = 100, .stall_ms = 250});
  HttpRequest request = request_for("GET", "/");
  Asker askers[6];
  pthread_t threads[6];
  gint64 start = now_ms();
  for (guint i = 0; i < 6; i++) {
    askers[i] = (Asker){.client = client, .request = &request};
    pthread_create(&threads[i], NULL, run_asker, &askers[i]);
  }
  for (guint i = 0; i < 6; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(askers[i].result, 200);
  }
  assert_true(now_ms() - start >= 3 * 150);
  assert_int_equal(server->n_conns, 2);

  /* Who waits for a turn runs out of time, or is cancelled, all the same. */
  for (guint i = 0; i < 2; i++)
    pthread_create(&threads[i], NULL, run_asker, &askers[i]);
  g_usleep(20 * 1000);
  HttpRequest hasty = request_for("GET", "/");
  hasty.deadline = g_get_monotonic_time() + 50 * 1000;
  assert_int_equal(ask(client, &hasty), -ETIMEDOUT);
  hasty.deadline = G_MAXINT64;
  assert_cancels(client, hasty);
  for (guint i = 0; i < 2; i++)
    pthread_join(threads[i], NULL);
  http_client_free(client);
  server_free(server);
}

static void test_free_under_way(void **state)
{
  (void)state;
  Server *server = server_new(serve_nothing);
  Server *busy = server_new(serve_busy);
  HttpClient *clients[] = {client_for(server, (HttpOptions){.connections = 1}),
                           client_for(busy, (HttpOptions){0})};
  HttpRequest request = request_for("GET", "/");
  Asker askers[4];
  pthread_t threads[4];
  for (guint i = 0; i < 4; i++) {
    askers[i] = (Asker){.client = clients[i == 3], .request = &request};
    pthread_create(&threads[i], NULL, run_asker, &askers[i]);
  }
  g_usleep(100 * 1000);
  gint64 start = now_ms();
  http_client_free(clients[0]);
  http_client_free(clients[1]);
  assert_true(now_ms() - start < SOON_MS);
  for (guint i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(askers[i].result, -EINTR);
  }
  http_client_free(NULL);
  server_free(server);
  server_free(busy);
}

/* The length asked for in the path, every byte its place modulo 251. */
static void serve_sizes(Conn *conn)
{
  char *head;
  while ((head = conn_take_head(conn))) {
    gsize size = (gsize)g_ascii_strtoull(strchr(head, '/') + 1, NULL, 10);
    g_autofree char *start =
        g_strdup_printf("HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", size);
    g_autofree guint8 *body = g_malloc(size + 1);
    for (gsize i = 0; i < size; i++)
      body[i] = (guint8)(i % 251);
    g_free(head);
    if (!conn_send(conn, start) || !conn_send_bytes(conn, body, size))
      return;
  }
}

typedef struct {
  gsize got;
  gboolean wrong;
} Checker;

static gboolean check_bytes(const void *bytes, gsize len, gpointer user, GError **error)
{
  (void)error;
  Checker *checker = user;
  for (gsize i = 0; i < len; i++)
    if (((const guint8 *)bytes)[i] != (guint8)((checker->got + i) % 251))
      checker->wrong = TRUE;
  checker->got += len;
  return TRUE;
}

static void *run_many(void *data)
{
  HttpClient *client = data;
  GRand *random = g_rand_new_with_seed((guint32)(gsize)pthread_self());
  const char *fault = NULL;
  for (guint i = 0; i < 60 && !fault; i++) {
    g_autoptr(Cancel) cancel = cancel_new();
    gsize size = (gsize)g_rand_int_range(random, 0, 1 << g_rand_int_range(random, 1, 23));
    g_autofree char *path = g_strdup_printf("/%zu", size);
    Checker checker = {0};
    HttpRequest request = request_for("GET", path);
    request.on_data = check_bytes;
    request.user = &checker;
    request.cancel = cancel;
    if (i % 8 == 7)
      request.deadline = g_get_monotonic_time() + g_rand_int_range(random, 0, 3000);
    int result = ask(client, &request);
    if (checker.wrong)
      fault = "a wrong byte";
    else if (result == 200 ? checker.got != size : i % 8 != 7 || result != -ETIMEDOUT)
      fault = "a wrong end";
  }
  g_rand_free(random);
  return (void *)fault;
}

static void test_many(void **state)
{
  (void)state;
  Server *server = server_new(serve_sizes);
  HttpClient *client = client_for(server, (HttpOptions){.connections = 4});
  pthread_t threads[8];
  for (guint i = 0; i < 8; i++)
    pthread_create(&threads[i], NULL, run_many, client);
  for (guint i = 0; i < 8; i++) {
    void *fault = NULL;
    pthread_join(threads[i], &fault);
    if (fault)
      fail_msg("%s", (const char *)fault);
  }
  http_client_free(client);
  server_free(server);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cancel_waiting),    cmocka_unit_test(test_cancel_before),
      cmocka_unit_test(test_cancel_connecting), cmocka_unit_test(test_cancel_resolving),
      cmocka_unit_test(test_cancel_between),    cmocka_unit_test(test_cancel_paused),
      cmocka_unit_test(test_slow_caller),       cmocka_unit_test(test_turns),
      cmocka_unit_test(test_free_under_way),    cmocka_unit_test(test_many),
  };
  break_rules();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
