/* SPDX-License-Identifier: Apache-2.0 */
/* A store on a server that says what a test writes down, for the tests of store/webdav. */
#pragma once

#include "base/error.h"
#include "base/rule.h"
#include "store/store_write.h"
#include "store/webdav.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "net_server.h"

static const StoreCall call = {.deadline = G_MAXINT64};

/* ---- the server: the first rule whose text is in the request's head answers ---- */

typedef struct {
  const char *match;  /* in the head */
  const char *answer; /* "STATUS|header\r\nheader|body" */
  int times;          /* so often, then it is passed over; 0: always */
} Rule;

static const Rule *rules;
static int used[32];

static void answer_rule(Conn *conn, const char *text)
{
  g_auto(GStrv) part = g_strsplit(text, "|", 3);
  g_autofree char *length = strstr(part[1], "Content-Length")
                                ? g_strdup("")
                                : g_strdup_printf("Content-Length: %zu\r\n", strlen(part[2]));
  g_autofree char *whole = g_strdup_printf("HTTP/1.1 %s X\r\n%s%s%s\r\n%s", part[0], length,
                                           part[1], *part[1] ? "\r\n" : "", part[2]);
  conn_send(conn, whole);
}

static void serve(Conn *conn)
{
  for (;;) {
    g_autofree char *head = conn_take_head(conn);
    if (!head || !conn_take_body(conn, head))
      return;
    const Rule *hit = NULL;
    pthread_mutex_lock(&conn->server->lock);
    for (int i = 0; rules[i].match && !hit; i++)
      if (strstr(head, rules[i].match) && (!rules[i].times || used[i] < rules[i].times)) {
        used[i]++;
        hit = &rules[i];
      }
    pthread_mutex_unlock(&conn->server->lock);
    if (!hit) {
      conn_send(conn, "HTTP/1.1 418 No rule\r\nContent-Length: 0\r\n\r\n");
      continue;
    }
    answer_rule(conn, hit->answer);
    if (strstr(hit->answer, "Content-Length")) /* promised more than it sends */
      return;
  }
}

#define XML "Content-Type: text/xml"
#define HEAD                                                                                       \
  "<a:multistatus xmlns:a=\"DAV:\" xmlns:r=\"http://schemas.microsoft.com/repl/\" "                \
  "xmlns:e=\"http://schemas.microsoft.com/exchange/\" xmlns:h=\"urn:schemas:httpmail:\">"
#define TAIL "</a:multistatus>"
#define ROW(href, props)                                                                           \
  "<a:response><a:href>" href                                                                      \
  "</a:href><a:propstat><a:status>HTTP/1.1 200 OK</a:status><a:prop>" props                        \
  "</a:prop></a:propstat></a:response>"
#define ITEM(name, uid)                                                                            \
  ROW("http://other.invalid/m/" name, "<a:isfolder>0</a:isfolder><a:getetag>\"t\"</a:getetag>"     \
                                      "<a:getcontentlength>9</a:getcontentlength>"                 \
                                      "<r:repl-uid>" uid "</r:repl-uid>")
#define PLAIN_ROOT                                                                                 \
  "207|" XML "|" HEAD ROW("/m/", "<a:resourcetype><a:collection/></a:resourcetype>") TAIL
#define EXCHANGE_ROOT                                                                              \
  "207|MS-WebStorage: 6.5.7226\r\n" XML                                                            \
  "|" HEAD ROW("http://other.invalid/m/", "<a:isfolder>1</a:isfolder>"                             \
                                          "<r:repl-uid>rid:1</r:repl-uid>"                         \
                                          "<h:deleteditems>http://x/m/Trash</h:deleteditems>")     \
      TAIL

/* ---- a store on that server ---- */

typedef struct {
  Server *server;
  Store *store;
} Rig;

static void rig_new(Rig *rig, const Rule *with)
{
  rules = with;
  memset(used, 0, sizeof used);
  rig->server = server_new(serve);
  HttpOptions options = {.origin = rig->server->origin, .stall_ms = 2000};
  HttpClient *client = http_client_new(&options, NULL);
  assert_non_null(client);
  rig->store = webdav_store_new(client, "/m/");
}

static void rig_clear(Rig *rig)
{
  store_free(rig->store);
  server_free(rig->server);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Rig, rig_clear)

/* An opened store; the first rule of WITH must answer the probe. */
static void rig_open(Rig *rig, const Rule *with)
{
  g_autoptr(GError) error = NULL;
  rig_new(rig, with);
  if (!store_open(rig->store, &call, &error))
    fail_msg("%s", error->message);
}

static void assert_error(const GError *error, int errnum, const char *words)
{
  assert_non_null(error);
  if (error_errno(error) != errnum || (words && !strstr(error->message, words)))
    fail_msg("errno %d instead of %d, \"%s\" instead of %s", error_errno(error), errnum,
             error->message, words ? words : "?");
}

typedef struct {
  GString *names;
  int resets, ends;
} Seen;

static gboolean see(StoreChangeKind kind, const Entry *entry, gpointer user, GError **error)
{
  (void)error;
  Seen *seen = user;
  seen->resets += kind == CHANGE_RESET;
  seen->ends += kind == CHANGE_END;
  if (kind == CHANGE_ENTRY)
    g_string_append_printf(seen->names, "%s%s ", entry->name, entry->folder ? "/" : "");
  return TRUE;
}

/* The names a listing of FOLDER (NULL: the root) gives, NULL with ERROR. */
static inline char *list_folder(Rig *rig, GBytes *folder, GError **error)
{
  Seen seen = {.names = g_string_new(NULL)};
  StoreRef ref = {.path = g_ptr_array_new()};
  if (folder)
    g_ptr_array_add(ref.path, folder);
  gboolean good = store_list(rig->store, &call, &ref, see, &seen, error);
  g_ptr_array_unref(ref.path);
  assert_int_equal(seen.ends, good ? 1 : 0);
  assert_true(seen.resets <= 1);
  return g_string_free(seen.names, !good);
}

static inline GBytes *id_of(const char *segment)
{
  return g_bytes_new(segment, strlen(segment));
}
