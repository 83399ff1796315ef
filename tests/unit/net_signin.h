/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of signing in share: a number that says how the server behaves, and counting. */
#pragma once

#include "net_client.h"

#include <stdlib.h>
#include <string.h>

static inline int value_of(Server *server)
{
  pthread_mutex_lock(&server->lock);
  int value = server->value;
  pthread_mutex_unlock(&server->lock);
  return value;
}

static inline void set_value(Server *server, int value)
{
  pthread_mutex_lock(&server->lock);
  server->value = value;
  pthread_mutex_unlock(&server->lock);
}

static inline guint count_of(Server *server, const char *text)
{
  guint count = 0;
  pthread_mutex_lock(&server->lock);
  for (const char *at = server->log->str; (at = strstr(at, text)); at += strlen(text))
    count++;
  pthread_mutex_unlock(&server->lock);
  return count;
}

static inline int ask_path(HttpClient *client, const char *method, const char *path)
{
  HttpRequest request = request_for(method, path);
  request.changes = strcmp(method, "PUT") == 0;
  return ask(client, &request);
}

static inline Secret *sesame(gpointer data, GError **error)
{
  guint *asked = data;
  (void)error;
  g_atomic_int_inc(asked);
  return secret_new("sesame", 6);
}

static inline gboolean is_440(const HttpResponse *response)
{
  return http_response_status(response) == 440;
}

static inline gboolean post_form(HttpClient *client, const HttpRequest *request,
                                 const HttpResponse *asked, const char *user,
                                 const Secret *password, GError **error)
{
  (void)asked;
  HttpRequest post = request_for("POST", "/logon");
  post.anonymous = TRUE;
  post.changes = TRUE;
  post.deadline = request->deadline;
  post.origin = request->origin;
  assert_string_equal(user, "alice");
  assert_string_equal(secret_peek(password), "sesame");
  return http_perform(client, &post, NULL, error);
}

static const HttpForms forms = {is_440, post_form};
