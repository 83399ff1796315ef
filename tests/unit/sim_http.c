/* SPDX-License-Identifier: Apache-2.0 */
/* exchange-sim on the wire: sign-in, faults, counters, and that one connection never waits for
 * another. Requests are raw bytes on a socket, so that what is cut, stalled or wrong can be seen.
 */
#include "sim_rig.h"

#include "auth.h"
#include "fault.h"
#include "http.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>

#define BASIC "Authorization: Basic YWxpY2U6c2VjcmV0\r\nTranslate: f\r\n"

typedef struct {
  Rig *rig;
  Http *http;
  char *fault_path;
} Wire;

static Wire *wire_new(const char *profile, const char *switches, const char *faults)
{
  Wire *wire = g_new0(Wire, 1);
  g_autoptr(GError) error = NULL;
  wire->rig = rig_new(profile, switches);
  wire->rig->sim.auth = auth_new();
  auth_add_user(wire->rig->sim.auth, "alice", "secret");
  int fd = g_file_open_tmp("sim-fault-XXXXXX", &wire->fault_path, NULL);
  assert_true(fd >= 0);
  close(fd);
  assert_true(g_file_set_contents(wire->fault_path, faults, -1, NULL));
  wire->rig->sim.faults = faults_new(wire->fault_path, &error);
  assert_non_null(wire->rig->sim.faults);
  wire->http = http_start(&wire->rig->sim, "127.0.0.1", 0, &error);
  assert_non_null(wire->http);
  return wire;
}

static void wire_free(Wire *wire)
{
  http_stop(wire->http);
  faults_free(wire->rig->sim.faults);
  auth_free(wire->rig->sim.auth);
  rig_free(wire->rig);
  g_unlink(wire->fault_path);
  g_free(wire->fault_path);
  g_free(wire);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Wire, wire_free)

static GSocketConnection *wire_open(const Wire *wire)
{
  g_autoptr(GSocketClient) client = g_socket_client_new();
  g_socket_client_set_timeout(client, 5);
  GSocketConnection *connection = g_socket_client_connect_to_host(
      client, "127.0.0.1", (guint16)http_port(wire->http), NULL, NULL);
  assert_non_null(connection);
  return connection;
}

/* Sends raw bytes and reads until the end (or `enough` bytes). *ret_ended: the server closed. */
static char *exchange(GSocketConnection *connection, const char *bytes, gsize enough,
                      gboolean *ret_ended)
{
  GIOStream *stream = G_IO_STREAM(connection);
  assert_true(g_output_stream_write_all(g_io_stream_get_output_stream(stream), bytes, strlen(bytes),
                                        NULL, NULL, NULL));
  GString *got = g_string_new(NULL);
  char buffer[65536];
  gssize n = 1;
  while (got->len < enough && n > 0) {
    n = g_input_stream_read(g_io_stream_get_input_stream(stream), buffer, sizeof buffer, NULL,
                            NULL);
    if (n > 0) {
      g_string_append_len(got, buffer, n);
    }
  }
  if (ret_ended) {
    *ret_ended = n == 0;
  }
  return g_string_free(got, FALSE);
}

/* One request on a connection of its own, closed by the server afterwards. */
static char *once(const Wire *wire, const char *method, const char *path, const char *headers,
                  const char *body)
{
  g_autoptr(GSocketConnection) connection = wire_open(wire);
  g_autofree char *bytes = g_strdup_printf(
      "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s", method,
      path, headers, strlen(body), body);
  return exchange(connection, bytes, G_MAXSIZE, NULL);
}

static int status_of(const char *answer)
{
  return strlen(answer) > 12 ? (int)g_ascii_strtoll(answer + 9, NULL, 10) : 0;
}

static gsize body_length(const char *answer)
{
  const char *body = strstr(answer, "\r\n\r\n");
  return body ? strlen(body + 4) : 0;
}

static void basic_is_asked_for(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003", "", "");
  g_autofree char *no = once(wire, "PROPFIND", ROOT, "Depth: 0\r\n", "");
  assert_int_equal(status_of(no), 401);
  assert_non_null(strstr(no, "WWW-Authenticate: Basic realm="));
  g_autofree char *wrong =
      once(wire, "PROPFIND", ROOT, "Authorization: Basic YWxpY2U6eA==\r\n", "");
  assert_int_equal(status_of(wrong), 401);
  g_autofree char *yes = once(wire, "PROPFIND", ROOT, BASIC "Depth: 0\r\n", "");
  assert_int_equal(status_of(yes), 207);
  assert_non_null(strstr(yes, "Transfer-Encoding: chunked"));
}

static void forms_sign_in_and_out(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003-fba", "", "");
  g_autofree char *dav = once(wire, "PROPFIND", ROOT, BASIC, "");
  assert_int_equal(status_of(dav), 440);
  assert_non_null(strstr(dav, "Set-Cookie: cadata=;"));
  g_autofree char *page = once(wire, "GET", "/exchange/", "", "");
  assert_int_equal(status_of(page), 302);
  g_autofree char *wrong =
      once(wire, "POST", "/exchweb/bin/auth/owaauth.dll", "",
           "username=alice&password=x&destination=http%3A%2F%2Fh%2Fexchange%2F");
  assert_int_equal(status_of(wrong), 302);
  assert_non_null(strstr(wrong, "reason=2"));
  g_autofree char *right =
      once(wire, "POST", "/exchweb/bin/auth/owaauth.dll", "",
           "username=CONTOSO%5Calice&password=secret&destination=http%3A%2F%2Fh%2Fexchange%2F");
  assert_int_equal(status_of(right), 302);
  const char *cookie = strstr(right, "sessionid=");
  assert_non_null(cookie);
  g_autofree char *header =
      g_strdup_printf("Cookie: %.*s\r\nDepth: 0\r\n", (int)strcspn(cookie, ";"), cookie);
  g_autofree char *in = once(wire, "PROPFIND", ROOT, header, "");
  assert_int_equal(status_of(in), 207);
}

static void faults_do_what_they_say(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003", "",
                                  "# one a line\n"
                                  "PUT */once times=1 drop-after\n"
                                  "PUT */never nth=2 drop\n"
                                  "GET */busy always status=503 retry-after=7 body=no%20time\n"
                                  "GET */cut always cut=10\n"
                                  "GET */long always length=5\n"
                                  "GET */short always length=-5\n"
                                  "GET */late after=1 delay=50\n");
  const char *text = "0123456789abcdef";
  const char *const names[] = {"cut", "long", "short", "late"};
  for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
    g_autofree char *path = g_strconcat(ROOT "Inbox/", names[i], NULL);
    g_autofree char *put = once(wire, "PUT", path, BASIC, text);
    assert_int_equal(status_of(put), 201);
  }
  g_autofree char *busy = once(wire, "GET", ROOT "Inbox/busy", BASIC, "");
  assert_int_equal(status_of(busy), 503);
  assert_non_null(strstr(busy, "Retry-After: 7"));
  assert_non_null(strstr(busy, "no time"));
  g_autofree char *cut = once(wire, "GET", ROOT "Inbox/cut", BASIC, "");
  assert_non_null(strstr(cut, "Content-Length: 16"));
  assert_int_equal(body_length(cut), 10);
  g_autofree char *longer = once(wire, "GET", ROOT "Inbox/long", BASIC, "");
  assert_non_null(strstr(longer, "Content-Length: 21"));
  assert_int_equal(body_length(longer), 16);
  g_autofree char *shorter = once(wire, "GET", ROOT "Inbox/short", BASIC, "");
  assert_int_equal(body_length(shorter), 11);
  g_autofree char *lost = once(wire, "PUT", ROOT "Inbox/once", BASIC, text);
  assert_string_equal(lost, "");
  g_autofree char *there = once(wire, "PUT", ROOT "Inbox/once", BASIC, text);
  assert_int_equal(status_of(there), 200); /* it had been done */
  g_autofree char *first = once(wire, "PUT", ROOT "Inbox/never", BASIC, text);
  assert_int_equal(status_of(first), 201);
  g_autofree char *second = once(wire, "PUT", ROOT "Inbox/never", BASIC, text);
  assert_string_equal(second, "");
}

static void rules_are_read_again(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003", "", "GET * always status=500\n");
  g_autofree char *before = once(wire, "GET", ROOT "Inbox/x", BASIC, "");
  assert_int_equal(status_of(before), 500);
  assert_true(g_file_set_contents(wire->fault_path, "nonsense\n", -1, NULL));
  assert_false(faults_reload(wire->rig->sim.faults, NULL));
  assert_true(g_file_set_contents(wire->fault_path, "", -1, NULL));
  assert_true(faults_reload(wire->rig->sim.faults, NULL));
  g_autofree char *after = once(wire, "GET", ROOT "Inbox/x", BASIC, "");
  assert_int_equal(status_of(after), 404);
}

static void a_stall_holds_up_nobody(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("generic", "", "GET */x always stall=4\n");
  g_autofree char *put = once(wire, "PUT", ROOT "Inbox/x", BASIC, "0123456789");
  assert_int_equal(status_of(put), 201);
  g_autoptr(GPtrArray) stalled = g_ptr_array_new_with_free_func(g_object_unref);
  for (guint i = 0; i < 64; i++) {
    GSocketConnection *connection = wire_open(wire);
    g_ptr_array_add(stalled, connection);
    g_autofree char *got =
        exchange(connection, "GET " ROOT "Inbox/x HTTP/1.1\r\nHost: h\r\n" BASIC "\r\n", 1, NULL);
    assert_int_equal(status_of(got), 200);
  }
  gint64 start = g_get_monotonic_time();
  g_autofree char *other = once(wire, "PROPFIND", ROOT, BASIC "Depth: 1\r\n", "");
  assert_int_equal(status_of(other), 207);
  assert_true(g_get_monotonic_time() - start < G_USEC_PER_SEC);
}

static void connections_live_on(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("e2003", "random-chunks", "");
  g_autoptr(GSocketConnection) connection = wire_open(wire);
  for (guint i = 0; i < 3; i++) {
    g_autofree char *got =
        exchange(connection, "OPTIONS " ROOT " HTTP/1.1\r\nHost: h\r\n" BASIC "\r\n", 100, NULL);
    assert_int_equal(status_of(got), 200);
  }
}

static void requests_are_counted(void **state)
{
  (void)state;
  g_autoptr(Wire) wire = wire_new("generic", "", "");
  g_autofree char *put = once(wire, "PUT", ROOT "Inbox/x", BASIC, "12345");
  g_autofree char *get = once(wire, "GET", ROOT "Inbox/x", BASIC, "");
  assert_int_equal(status_of(put) + status_of(get), 401);
  g_autofree char *requests = once(wire, "GET", "/.sim/requests", "", "");
  assert_non_null(strstr(requests, "\r\n\r\nGET 1 0 5\nPUT 1 5 0\n"));
  g_autofree char *mutations = once(wire, "GET", "/.sim/mutations", "", "");
  assert_non_null(strstr(mutations, "1 create /alice/Inbox/x "));
  g_autofree char *log = once(wire, "GET", "/.sim/log", "", "");
  assert_non_null(strstr(log, "PUT /exchange/alice/Inbox/x 201\nauthorization: (not shown)\n"));
  assert_non_null(strstr(log, "\n\n12345\n----\n"));
  g_autofree char *reset = once(wire, "POST", "/.sim/reset", "", "");
  assert_int_equal(status_of(reset), 200);
  g_autofree char *empty = once(wire, "GET", "/.sim/mutations", "", "");
  assert_int_equal(body_length(empty), 0);
}

int main(void)
{
  signal(SIGPIPE, SIG_IGN);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(basic_is_asked_for),      cmocka_unit_test(forms_sign_in_and_out),
      cmocka_unit_test(faults_do_what_they_say), cmocka_unit_test(rules_are_read_again),
      cmocka_unit_test(a_stall_holds_up_nobody), cmocka_unit_test(connections_live_on),
      cmocka_unit_test(requests_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
