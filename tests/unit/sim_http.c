/* SPDX-License-Identifier: Apache-2.0 */
/* exchange-sim on the wire: faults, counters, and that one connection never waits for another. */
#include "sim_wire.h"

#include <signal.h>

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
      cmocka_unit_test(basic_is_asked_for),   cmocka_unit_test(faults_do_what_they_say),
      cmocka_unit_test(rules_are_read_again), cmocka_unit_test(a_stall_holds_up_nobody),
      cmocka_unit_test(connections_live_on),  cmocka_unit_test(requests_are_counted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
