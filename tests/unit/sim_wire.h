/* SPDX-License-Identifier: Apache-2.0 */
/* exchange-sim on a socket, for its tests. Requests are raw bytes, so that what is cut, stalled or
 * wrong can be seen. */
#pragma once

#include "sim_rig.h"

#include "access.h"
#include "auth.h"
#include "fault.h"
#include "http.h"

#include <gio/gio.h>
#include <glib/gstdio.h>

#define BASIC "Authorization: Basic YWxpY2U6c2VjcmV0\r\nTranslate: f\r\n"
#define BOB "Authorization: Basic Ym9iOmJ1aWxkZXI=\r\nTranslate: f\r\n"

typedef struct {
  Rig *rig;
  Http *http;
  char *fault_path;
} Wire;

static inline Wire *wire_new(const char *profile, const char *switches, const char *faults)
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
  auth_add_user(wire->rig->sim.auth, "bob", "builder");
  wire->rig->sim.access = access_new();
  wire->rig->sim.faults = faults_new(wire->fault_path, &error);
  assert_non_null(wire->rig->sim.faults);
  wire->http = http_start(&wire->rig->sim, "127.0.0.1", 0, &error);
  assert_non_null(wire->http);
  return wire;
}

static inline void wire_free(Wire *wire)
{
  http_stop(wire->http);
  faults_free(wire->rig->sim.faults);
  auth_free(wire->rig->sim.auth);
  access_free(wire->rig->sim.access);
  rig_free(wire->rig);
  g_unlink(wire->fault_path);
  g_free(wire->fault_path);
  g_free(wire);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Wire, wire_free)

static inline GSocketConnection *wire_open(const Wire *wire)
{
  g_autoptr(GSocketClient) client = g_socket_client_new();
  g_socket_client_set_timeout(client, 5);
  GSocketConnection *connection = g_socket_client_connect_to_host(
      client, "127.0.0.1", (guint16)http_port(wire->http), NULL, NULL);
  assert_non_null(connection);
  return connection;
}

/* Sends raw bytes and reads until the end (or `enough` bytes). *ret_ended: the server closed. */
static inline char *exchange(GSocketConnection *connection, const char *bytes, gsize enough,
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
static inline char *once(const Wire *wire, const char *method, const char *path,
                         const char *headers, const char *body)
{
  g_autoptr(GSocketConnection) connection = wire_open(wire);
  g_autofree char *bytes = g_strdup_printf(
      "%s %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s", method,
      path, headers, strlen(body), body);
  return exchange(connection, bytes, G_MAXSIZE, NULL);
}

static inline int status_of(const char *answer)
{
  return strlen(answer) > 12 ? (int)g_ascii_strtoll(answer + 9, NULL, 10) : 0;
}

static inline gsize body_length(const char *answer)
{
  const char *body = strstr(answer, "\r\n\r\n");
  return body ? strlen(body + 4) : 0;
}
