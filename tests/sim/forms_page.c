/* SPDX-License-Identifier: Apache-2.0 */
/* The logon page of 2003, 2007 and ISA, and what becomes of the form sent from it. */
#include "forms_private.h"

#include "dav_url.h"

#include <string.h>

typedef struct {
  const char *page, *target; /* paths */
  const char *action;        /* of the form: 2003 says it relative to the page */
  const char *more;          /* further fields */
} Face;

static const Face faces[] = {
    {"/exchweb/bin/auth/owalogon.asp", "/exchweb/bin/auth/owaauth.dll", "owaauth.dll", ""},
    {"/owa/auth/logon.aspx", "/owa/auth/owaauth.dll", "/owa/auth/owaauth.dll",
     "<input type=\"hidden\" name=\"forcedownlevel\" value=\"0\">"
     "<input type=\"hidden\" name=\"isUtf8\" value=\"1\">"},
    {"/CookieAuth.dll", "/CookieAuth.dll", "/CookieAuth.dll?Logon",
     "<input type=\"hidden\" name=\"forcedownlevel\" value=\"0\">"
     "<input type=\"hidden\" name=\"formdir\" value=\"3\">"},
};

static const Face *face_of(const Sim *sim)
{
  if (sim_switch(sim, SWITCH_ISA)) {
    return &faces[2];
  }
  return &faces[sim_switch(sim, SWITCH_OWA2007) ? 1 : 0];
}

/* What had been asked for, as the logon page hands it on. */
static char *wanted_url(const Sim *sim, const Request *request)
{
  const char *path = request->path;
  const char *at = request->query ? strstr(request->query, "url=") : NULL;
  if (at) {
    g_autofree char *value = g_strndup(at + 4, strcspn(at + 4, "&?"));
    return url_decode(value);
  }
  if (g_ascii_strcasecmp(path, face_of(sim)->page) == 0 ||
      g_ascii_strcasecmp(path, face_of(sim)->target) == 0) {
    path = "/exchange/";
  }
  g_autoptr(GString) url = g_string_new(NULL);
  request_append_origin(sim, request, url);
  return g_strconcat(url->str, path, NULL);
}

void forms_redirect(const Sim *sim, const Request *request, int reason, Reply *reply)
{
  g_autoptr(GString) origin = g_string_new(NULL);
  request_append_origin(sim, request, origin);
  g_autofree char *wanted = wanted_url(sim, request);
  g_autofree char *escaped = g_uri_escape_string(wanted, NULL, FALSE);
  if (sim_switch(sim, SWITCH_ISA)) {
    reply_headerf(reply, "Location", "%s%s?GetLogon?curl=Z2Fexchange&reason=%d&formdir=3",
                  origin->str, face_of(sim)->page, reason);
  } else {
    reply_headerf(reply, "Location", "%s%s?url=%s&reason=%d", origin->str, face_of(sim)->page,
                  escaped, reason);
  }
  reply_status(reply, 302);
}

static void logon_page(const Sim *sim, const Request *request, Reply *reply)
{
  const Face *face = face_of(sim);
  gboolean isa = sim_switch(sim, SWITCH_ISA) != 0;
  g_autofree char *wanted = wanted_url(sim, request);
  g_autofree char *value = g_markup_escape_text(isa ? "Z2Fexchange" : wanted, -1);
  g_autofree char *page = g_strdup_printf(
      "<html><head><title>Outlook Web Access</title></head><body>"
      "<form action=\"%s\" method=\"POST\" name=\"logonForm\" autocomplete=\"OFF\">"
      "<input type=\"hidden\" name=\"%s\" value=\"%s\">"
      "<input type=\"hidden\" name=\"flags\" value=\"0\">%s<table><tr><td>"
      "<input type=\"radio\" name=\"trusted\" value=\"0\" checked>Public</td></tr><tr><td>"
      "<input type=\"radio\" name=\"trusted\" value=\"4\">Private</td></tr><tr><td>"
      "<input type=\"text\" name=\"username\"><input type=\"password\" name=\"password\">"
      "</td></tr></table><input type=\"submit\" name=\"SubmitCreds\" value=\"Log On\">"
      "</form></body></html>",
      face->action, isa ? "curl" : "destination", value, face->more);
  reply_text(reply, 200, "text/html", page);
}

static char *form_field(const char *form, const char *name)
{
  g_auto(GStrv) pairs = g_strsplit(form, "&", 64);
  gsize len = strlen(name);
  for (guint i = 0; pairs[i]; i++) {
    if (strncmp(pairs[i], name, len) == 0 && pairs[i][len] == '=') {
      g_strdelimit(pairs[i], "+", ' ');
      return url_decode(pairs[i] + len + 1);
    }
  }
  return g_strdup("");
}

/* The ways in which servers say no (quirk 17). */
typedef enum {
  WRONG_REASON_2,
  WRONG_DEAD_COOKIES, /* 302 with cookies that give 440 at once */
  WRONG_REASON_4,
  WRONG_NO_COOKIES, /* 302 as for a right one, without cookies */
  WRONG_PAGE,       /* the page again, 200 */
} WrongHow;

static void refuse(Sim *sim, const Request *request, const char *destination, Reply *reply)
{
  WrongHow how = (WrongHow)sim_switch(sim, SWITCH_WRONG);
  switch (how) {
  case WRONG_PAGE:
    logon_page(sim, request, reply);
    return;
  case WRONG_DEAD_COOKIES:
  case WRONG_NO_COOKIES:
    if (how == WRONG_DEAD_COOKIES) {
      forms_set_cookies(sim, request, "ffffffffffff", reply);
    }
    reply_header(reply, "Location", destination);
    reply_status(reply, 302);
    return;
  default:
    forms_redirect(sim, request, how == WRONG_REASON_4 ? 4 : 2, reply);
  }
}

static void sign_in(Sim *sim, const Request *request, Reply *reply)
{
  gsize len;
  gboolean isa = sim_switch(sim, SWITCH_ISA) != 0;
  g_autofree char *text = request_text(request, 64 * 1024, &len);
  const char *form = text ? text : "";
  g_autofree char *login = form_field(form, "username");
  g_autofree char *password = form_field(form, "password");
  g_autofree char *destination = form_field(form, isa ? "curl" : "destination");
  g_autofree char *flags = form_field(form, "flags");
  g_autofree char *trusted = form_field(form, "trusted");
  const char *type = request_header(request, "content-type");
  if (!type || !g_str_has_prefix(type, "application/x-www-form-urlencoded") || !destination[0]) {
    reply_text(reply, 400, NULL, "<html><body>Bad Request</body></html>");
    return;
  }
  if (isa) {
    g_free(destination);
    destination = wanted_url(sim, request);
  }
  g_strdelimit(destination, "\r\n", ' ');
  const char *user = auth_verified(sim->auth, login, password);
  if (!user) {
    refuse(sim, request, destination, reply);
  } else if (sim_switch(sim, SWITCH_LOCKED)) {
    reply_text(reply, 403, NULL, "<html><body>The account is locked.</body></html>");
  } else {
    gboolean private = (g_ascii_strtoull(flags, NULL, 10) & 4) && strcmp(trusted, "4") == 0;
    forms_begin(sim, request, user, private, reply);
    reply_header(reply, "Location", destination);
    reply_status(reply, 302);
  }
}

gboolean forms_answer(Sim *sim, const Request *request, Reply *reply)
{
  const Face *face = face_of(sim);
  gboolean post = strcmp(request->method, "POST") == 0;
  gboolean get = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
  if (post && g_ascii_strcasecmp(request->path, face->target) == 0) {
    sign_in(sim, request, reply);
    return TRUE;
  }
  if (post && g_ascii_strcasecmp(request->path, faces[0].target) == 0) {
    forms_redirect(sim, request, 0, reply); /* 2007 has the old address, but nothing behind it */
    return TRUE;
  }
  if (!get || g_ascii_strcasecmp(request->path, face->page) != 0) {
    return FALSE;
  }
  if (request_header_is(request, "translate", "f")) {
    reply_status(reply, 403);
  } else {
    logon_page(sim, request, reply);
  }
  return TRUE;
}
