/* SPDX-License-Identifier: Apache-2.0 */
/* Start page, options page and address lookup (DavMail facts 2 and 4); GET without Translate: f. */
#include "owa.h"

#include "dav_url.h"

#include <string.h>

static const char *user_of(const Sim *sim, const Request *request)
{
  return request->user ? request->user : sim->first_user;
}

static void start_page(const Sim *sim, const Request *request, Reply *reply)
{
  g_autoptr(GString) page = g_string_new("<html><head>\r\n");
  if (!sim_switch(sim, SWITCH_OWA2007)) {
    g_string_append(page, "<base href=\"");
    request_append_origin(sim, request, page);
    g_string_append_printf(page, "/exchange/%s/\">\r\n", user_of(sim, request));
  }
  g_string_append(page, "</head><frameset><frame src=\"about:blank\"></frameset></html>");
  reply_text(reply, 200, "text/html", page->str);
}

static void options_page(const Sim *sim, const Request *request, Reply *reply)
{
  const char *user = user_of(sim, request);
  g_autofree char *page =
      g_strdup_printf("<html><body>\r\n<p>Mailbox: %s [%s@contoso.com] /o=Contoso/ou=First/"
                      "cn=Recipients/cn=%s</p>\r\n</body></html>",
                      user, user, user);
  reply_text(reply, 200, "text/html", page);
}

static void address_lookup(const Sim *sim, const Request *request, Reply *reply)
{
  const char *user = user_of(sim, request);
  g_autofree char *xml = g_strdup_printf(
      "<response><item><AN>%s</AN><EM>%s@contoso.com</EM><DN>%s</DN></item></response>", user, user,
      user);
  reply_text(reply, 200, "text/xml", xml);
}

static gboolean untranslated(const Sim *sim, const Request *request)
{
  if (request_header_is(request, "translate", "f")) {
    return FALSE;
  }
  model_read(sim->model);
  g_auto(Target) target;
  url_resolve(sim, request->path, &target);
  gboolean there = target.kind == TARGET_NODE;
  model_read_done(sim->model);
  return there;
}

gboolean owa_page(Sim *sim, const Request *request, Reply *reply)
{
  gboolean get = strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0;
  const char *path = request->path;
  if (!get) {
    return FALSE;
  }
  if (request->query && strstr(request->query, "Cmd=galfind")) {
    address_lookup(sim, request, reply);
  } else if (g_ascii_strcasecmp(path, "/exchange/") == 0 ||
             g_ascii_strcasecmp(path, "/exchange") == 0) {
    start_page(sim, request, reply);
  } else if (g_ascii_strncasecmp(path, "/owa/", 5) == 0) {
    options_page(sim, request, reply);
  } else if (untranslated(sim, request)) {
    /* Quirk 1: a page with status 200, where the item was expected. */
    reply_text(reply, 200, "text/html",
               "<html><head><title>Microsoft Outlook Web Access</title></head>"
               "<body>This is the page for people.</body></html>");
  } else {
    return FALSE;
  }
  return TRUE;
}
