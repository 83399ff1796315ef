/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of http.h share: a client for a test's server, requests in one line. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/rule.h"
#include "net/http.h"
#include "net_server.h"

#define OK_5 "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static inline HttpClient *client_for(const Server *server, HttpOptions options)
{
  g_autoptr(GError) error = NULL;
  options.origin = server->origin;
  HttpClient *client = http_client_new(&options, &error);
  assert_non_null(client);
  return client;
}

static inline HttpRequest request_for(const char *method, const char *path)
{
  return (HttpRequest){.method = method, .path = path, .deadline = G_MAXINT64};
}

/* Sends REQUEST; its status, or minus the errno of its error. */
static inline int ask(HttpClient *client, const HttpRequest *request)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(HttpResponse) response = NULL;
  gboolean ok = http_perform(client, request, &response, &error);
  assert_true(ok == (response != NULL) && ok == (error == NULL));
  return ok ? http_response_status(response) : -error_errno(error);
}

static inline int ask_for(HttpClient *client, const char *method)
{
  HttpRequest request = request_for(method, "/");
  return ask(client, &request);
}

static inline gint64 now_ms(void)
{
  return g_get_monotonic_time() / 1000;
}

/* To be called first in main(): scripts/test --prove names the rules that are to be off. */
static inline void break_rules(void)
{
  const char *broken = g_getenv("XFS_BREAK");
  if (broken)
    rule_break(broken);
}
