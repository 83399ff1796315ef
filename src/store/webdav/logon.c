/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the sign-in by a web form: from the answer that asks for it to the page, from the page to
 * the answer that says yes or no (protocol note WebDAV, sections 3.3, 3.4). Leaves the cookies, and
 * when to sign in, to net/; the reading of pages to wire/.
 */
#include "store/webdav/private.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"
#include "wire/logonform.h"
#include "wire/logonurl.h"

#include <errno.h>
#include <string.h>

#define HOPS_MAX 10

/* One sign-in under way. */
typedef struct {
  HttpClient *client;
  const HttpRequest *request; /* what had been asked for; its limits are ours */
  const char *origin;
  char *page; /* absolute: the page whose form is sent, or the next one to get */
} Logon;

gboolean dav_is_logon_redirect(const HttpResponse *response)
{
  const char *location = http_response_header(response, "Location");
  return http_response_status(response) / 100 == 3 && location && logon_is_page(location);
}

static gboolean is_logon(const HttpResponse *response)
{
  return RULE("forms-logon") &&
         (http_response_status(response) == 440 || dav_is_logon_redirect(response));
}

/* The path of URL at the server that is signed in to; FALSE with EACCES when it is elsewhere. */
static gboolean own_path(const Logon *logon, const char *url, const char **ret, GError **error)
{
  const char *path = url ? logon_path_at(url, logon->origin) : NULL;
  if (!path) {
    g_autofree char *where = url ? davurl_origin(url) : g_strdup("an address that is none");
    return error_set(
        error, EACCES, SCOPE_SIGN_IN,
        "%s sends its sign-in to %.200s, which may not have the password; nothing was sent "
        "there: mount an address that has its own logon page (a TLS proxy in front must send "
        "Front-End-Https: on)",
        logon->origin, where ? where : url);
  }
  *ret = path;
  return TRUE;
}

/* BODY NULL: a GET. The page is one for people, so without Translate: f (which it answers 403). */
static gboolean ask(const Logon *logon, const char *path, const GString *body,
                    const char *const *headers, HttpResponse **ret, GError **error)
{
  HttpRequest request = {.method = body ? "POST" : "GET",
                         .path = path,
                         .headers = headers,
                         .origin = logon->request->origin,
                         .anonymous = TRUE,
                         .body = body ? body->str : NULL,
                         .body_len = body ? body->len : 0,
                         .cancel = logon->request->cancel,
                         .deadline = logon->request->deadline,
                         /* A second try may lock the account. */
                         .changes = body && RULE("forms-once")};
  return http_perform(logon->client, &request, ret, error);
}

/* Why a GET that should have led to the logon page did not. */
static gboolean no_page(const Logon *logon, const HttpResponse *response, GError **error)
{
  int status = http_response_status(response);
  if (status / 100 == 5)
    return error_set(error, EIO, SCOPE_STORE,
                     "%s cannot show its logon page (status %d); try again later", logon->origin,
                     status);
  return error_set(
      error, EPROTO, SCOPE_SIGN_IN,
      "%s wants to be signed in to on a web page, but %.200s (status %d) has no form for "
      "a name and a password: choose another way with sec=, or ask its administrator",
      logon->origin, logon->page, status);
}

static gboolean find_form(Logon *logon, LogonForm *form, GError **error)
{
  for (int hops = 0; hops <= HOPS_MAX; hops++) {
    g_autoptr(HttpResponse) response = NULL;
    const char *path = NULL;
    if (!own_path(logon, logon->page, &path, error) ||
        !ask(logon, path, NULL, NULL, &response, error))
      return FALSE;
    const char *location = http_response_header(response, "Location");
    if (http_response_status(response) / 100 == 3 && location) {
      char *next = logon_resolve(logon->page, location);
      g_free(logon->page);
      logon->page = next;
      continue;
    }
    const char *html = http_response_text(response);
    g_autofree char *destination = g_strconcat(logon->origin, logon->request->path, NULL);
    if (logon_form_parse(html, strlen(html), destination, form))
      return TRUE;
    return no_page(logon, response, error);
  }
  return error_set(error, EPROTO, SCOPE_SIGN_IN,
                   "%s leads from one page to the next and never to a logon page: check the "
                   "address, or ask its administrator",
                   logon->origin);
}

/* Appends NAME=VALUE, escaped, into room that BODY has already: nothing secret is left behind. */
static void append_escaped(GString *body, const char *text)
{
  static const char digits[] = "0123456789ABCDEF";
  for (; *text; text++) {
    guchar c = (guchar)*text;
    if (g_ascii_isalnum(c) || strchr("-._*", c)) {
      g_string_append_c(body, (char)c);
    } else if (c == ' ') {
      g_string_append_c(body, '+');
    } else {
      g_string_append_c(body, '%');
      g_string_append_c(body, digits[c >> 4]);
      g_string_append_c(body, digits[c & 15]);
    }
  }
}

static void append_field(GString *body, const char *name, const char *value)
{
  if (body->len)
    g_string_append_c(body, '&');
  append_escaped(body, name);
  g_string_append_c(body, '=');
  append_escaped(body, value);
}

/* The form as a browser sends it; the caller wipes it. */
static GString *fill_form(const LogonForm *form, const char *user, const char *password)
{
  gsize room = 3 * (strlen(form->user_name) + strlen(user) + strlen(form->password_name) +
                    strlen(password)) +
               8;
  for (guint i = 0; i < form->pairs->len; i++)
    room += 3 * strlen(form->pairs->pdata[i]) + 1;
  GString *body = g_string_sized_new(room);
  for (guint i = 0; i + 1 < form->pairs->len; i += 2)
    append_field(body, form->pairs->pdata[i], form->pairs->pdata[i + 1]);
  append_field(body, form->user_name, user);
  append_field(body, form->password_name, password);
  return body;
}

/* Where the form goes. A page of 2010 and later that names no address means /owa/auth.owa. */
static char *form_target(const Logon *logon, const LogonForm *form)
{
  g_autofree char *here = logon_resolve(logon->page, "");
  const char *path = here ? logon_path_at(here, logon->origin) : NULL;
  if (!*form->action && path && g_ascii_strncasecmp(path, "/owa/", 5) == 0)
    return logon_resolve(logon->page, "/owa/auth.owa");
  return logon_resolve(logon->page, form->action);
}

static gboolean has_form(const HttpResponse *response)
{
  g_auto(LogonForm) form = {0};
  const char *html = http_response_text(response);
  return logon_form_parse(html, strlen(html), "", &form);
}

/* Whether RESPONSE sets a cookie that has a value: its name is looked at, no more. */
static gboolean has_cookie(const HttpResponse *response)
{
  guint at = 0;
  for (const char *line; (line = http_response_next(response, "Set-Cookie", &at));) {
    gsize name = strcspn(line, "=;");
    if (line[name] == '=' && !strchr("; ", line[name + 1]) && strncmp(line, "PBack", name) != 0)
      return TRUE;
  }
  return FALSE;
}

/* The 302 proves little: on 2003 it comes for a wrong password too (quirk 17). */
static gboolean judge(const Logon *logon, const HttpResponse *response, GError **error)
{
  int status = http_response_status(response);
  const char *location = http_response_header(response, "Location");
  if (status / 100 == 5)
    return error_set(error, EIO, SCOPE_STORE,
                     "%s failed while it looked at the password (status %d); try again later",
                     logon->origin, status);
  if (status == 403)
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "%s does not let this user in (status 403): the account may be locked or may "
                     "not use web access; ask its administrator",
                     logon->origin);
  gboolean back = location ? logon_is_page(location) : has_form(response);
  gboolean in = has_cookie(response) && !back && status < 400;
  if (in)
    return TRUE;
  if (location && back && logon_reason(location) == LOGON_ASKED && has_cookie(response))
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "%s asks to sign in again at once: ask its administrator, or choose another "
                     "way with sec=",
                     logon->origin);
  return error_set(error, EACCES, SCOPE_SIGN_IN,
                   "%s refused the user name or the password: check that both are right (it may "
                   "want DOMAIN\\user)",
                   logon->origin);
}

static gboolean send_form(Logon *logon, const LogonForm *form, const char *user,
                          const Secret *password, GError **error)
{
  static const char *const plain[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
  static const char *const owa2010[] = {"Content-Type: application/x-www-form-urlencoded",
                                        "Cookie: PBack=0", NULL};
  g_autofree char *target = form_target(logon, form);
  const char *path = NULL;
  if (!own_path(logon, target, &path, error))
    return FALSE;
  g_autoptr(HttpResponse) response = NULL;
  GString *body = fill_form(form, user, secret_peek(password));
  gboolean newer = g_str_has_prefix(path, "/owa/auth.owa");
  gboolean sent = ask(logon, path, body, newer ? owa2010 : plain, &response, error);
  if (RULE("forms-wipe"))
    secret_wipe(body->str, body->allocated_len);
  g_string_free(body, TRUE);
  return sent && (!RULE("forms-verdict") || judge(logon, response, error));
}

static gboolean sign_in(HttpClient *client, const HttpRequest *request, const HttpResponse *asked,
                        const char *user, const Secret *password, GError **error)
{
  Logon logon = {.client = client,
                 .request = request,
                 .origin = request->origin ? request->origin : http_client_origin(client)};
  g_autofree char *here = g_strconcat(logon.origin, request->path, NULL);
  const char *location =
      dav_is_logon_redirect(asked) ? http_response_header(asked, "Location") : "";
  logon.page = logon_resolve(here, location);
  g_auto(LogonForm) form = {0};
  gboolean good =
      find_form(&logon, &form, error) && send_form(&logon, &form, user, password, error);
  log_debug("store", "sign-in by form at %s: %s", logon.origin, good ? "done" : "failed");
  g_free(logon.page);
  return good;
}

const HttpForms dav_forms = {.is_logon = is_logon, .sign_in = sign_in};
