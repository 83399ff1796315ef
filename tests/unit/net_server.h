/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TCP server in the test's own process, one thread a connection, that does what a test's function
 * says, however wrong: it sends bytes, not HTTP. Server.lock guards all that test and threads
 * share.
 */
#pragma once

#include <glib.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_CONNS_MAX 256

typedef struct Server Server;

typedef struct {
  Server *server;
  pthread_t thread;
  int fd;
  guint number; /* of the connection, from 0 */
  GString *in;  /* received, not yet taken */
} Conn;

/* Runs on the connection's thread; the connection is closed when it returns. */
typedef void (*ConnFunc)(Conn *conn);

struct Server {
  int fd;
  char origin[40];
  ConnFunc func;
  pthread_t thread;
  pthread_mutex_t lock;
  Conn conns[SERVER_CONNS_MAX];
  guint n_conns, requests;
  gboolean stop;
  GString *log;      /* heads as received */
  guint64 body_seen; /* bytes of bodies received */
  int value;         /* a test's own */
};

static inline void *server_conn_run(void *data)
{
  Conn *conn = data;
  conn->server->func(conn);
  shutdown(conn->fd, SHUT_RDWR);
  return NULL;
}

static inline void *server_run(void *data)
{
  Server *server = data;
  int fd;
  while ((fd = accept(server->fd, NULL, NULL)) >= 0) {
    pthread_mutex_lock(&server->lock);
    if (server->stop || server->n_conns == SERVER_CONNS_MAX) {
      pthread_mutex_unlock(&server->lock);
      close(fd);
      continue;
    }
    Conn *conn = &server->conns[server->n_conns];
    *conn = (Conn){.server = server, .fd = fd, .number = server->n_conns};
    conn->in = g_string_new(NULL);
    server->n_conns++;
    pthread_create(&conn->thread, NULL, server_conn_run, conn);
    pthread_mutex_unlock(&server->lock);
  }
  return NULL;
}

static inline Server *server_new(ConnFunc func)
{
  Server *server = g_new0(Server, 1);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t len = sizeof address;
  server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(server->fd, (struct sockaddr *)&address, len) < 0 || listen(server->fd, 64) < 0 ||
      getsockname(server->fd, (struct sockaddr *)&address, &len) < 0)
    g_error("no port for the test's server: %s", g_strerror(errno));
  g_snprintf(server->origin, sizeof server->origin, "http://127.0.0.1:%u", ntohs(address.sin_port));
  server->func = func;
  server->log = g_string_new(NULL);
  pthread_mutex_init(&server->lock, NULL);
  pthread_create(&server->thread, NULL, server_run, server);
  return server;
}

static inline void server_free(Server *server)
{
  pthread_mutex_lock(&server->lock);
  server->stop = TRUE;
  pthread_mutex_unlock(&server->lock);
  shutdown(server->fd, SHUT_RDWR);
  pthread_join(server->thread, NULL);
  for (guint i = 0; i < server->n_conns; i++) {
    Conn *conn = &server->conns[i];
    shutdown(conn->fd, SHUT_RDWR);
    pthread_join(conn->thread, NULL);
    close(conn->fd);
    g_string_free(conn->in, TRUE);
  }
  close(server->fd);
  pthread_mutex_destroy(&server->lock);
  g_string_free(server->log, TRUE);
  g_free(server);
}

/* FALSE when the client has hung up. */
static inline gboolean conn_send_bytes(Conn *conn, const void *bytes, gsize len)
{
  const char *from = bytes;
  while (len > 0) {
    ssize_t sent = send(conn->fd, from, len, MSG_NOSIGNAL);
    if (sent <= 0)
      return FALSE;
    from += sent;
    len -= (gsize)sent;
  }
  return TRUE;
}

static inline gboolean conn_send(Conn *conn, const char *text)
{
  return conn_send_bytes(conn, text, strlen(text));
}

static inline gboolean conn_fill(Conn *conn)
{
  char buffer[64 * 1024];
  ssize_t got = recv(conn->fd, buffer, sizeof buffer, 0);
  if (got > 0)
    g_string_append_len(conn->in, buffer, got);
  return got > 0;
}

/* Waits for the end of the connection or of the test. */
static inline void conn_hang(Conn *conn)
{
  while (conn_fill(conn))
    g_string_truncate(conn->in, 0);
}

/* Closes with a reset instead of an orderly end. */
static inline void conn_reset(Conn *conn)
{
  struct linger now = {1, 0};
  setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  int nothing = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  dup2(nothing, conn->fd); /* the number stays taken until server_free() */
  close(nothing);
}

/* One request's head (the caller's to free), NULL at the end of the connection. */
static inline char *conn_take_head(Conn *conn)
{
  char *end;
  while (!(end = strstr(conn->in->str, "\r\n\r\n")))
    if (!conn_fill(conn))
      return NULL;
  gsize len = (gsize)(end - conn->in->str) + 4;
  char *head = g_strndup(conn->in->str, len);
  g_string_erase(conn->in, 0, (gssize)len);
  pthread_mutex_lock(&conn->server->lock);
  conn->server->requests++;
  g_string_append(conn->server->log, head);
  pthread_mutex_unlock(&conn->server->lock);
  return head;
}

/* Takes the body that HEAD announces, and counts it. FALSE when it does not come whole. */
static inline gboolean conn_take_body(Conn *conn, const char *head)
{
  const char *length = strstr(head, "Content-Length: ");
  gsize left = length ? (gsize)g_ascii_strtoull(length + 16, NULL, 10) : 0;
  while (left > 0) {
    if (conn->in->len == 0 && !conn_fill(conn))
      return FALSE;
    gsize take = MIN(left, conn->in->len);
    g_string_erase(conn->in, 0, (gssize)take);
    left -= take;
    pthread_mutex_lock(&conn->server->lock);
    conn->server->body_seen += take;
    pthread_mutex_unlock(&conn->server->lock);
  }
  return TRUE;
}

/* One request, head and body; FALSE at the end of the connection. */
static inline gboolean conn_take(Conn *conn)
{
  g_autofree char *head = conn_take_head(conn);
  return head && conn_take_body(conn, head);
}

static inline guint server_requests(Server *server)
{
  pthread_mutex_lock(&server->lock);
  guint requests = server->requests;
  pthread_mutex_unlock(&server->lock);
  return requests;
}

static inline gboolean server_saw(Server *server, const char *text)
{
  pthread_mutex_lock(&server->lock);
  gboolean saw = strstr(server->log->str, text) != NULL;
  pthread_mutex_unlock(&server->lock);
  return saw;
}
