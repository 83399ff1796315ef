/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what is asked of a server that is only to be described, and what the answers say of it
 * (protocol note WebDAV, sections 1.1, 1.2, 3.5); leaves the telling to cli/. GET, HEAD, OPTIONS
 * and PROPFIND are all it sends.
 */
#include "store/survey.h"

#include "base/error.h"
#include "base/rule.h"
#include "net/auth.h"
#include "store/webdav/private.h"
#include "wire/logonurl.h"

#include <errno.h>
#include <string.h>

#define QUESTION_US ((gint64)15 * G_USEC_PER_SEC)
#define OPEN_US                                                                                    \
  ((gint64)120 * G_USEC_PER_SEC) /* a person may be asked for a password meanwhile                 \
                                  */
#define HEADER_MAX 200           /* bytes of a header that are told */

typedef struct {
  const char *path, *method, *purpose;
} Question;

/* As a mount asks for folders, as a browser or a telephone asks for the rest. */
static const Question questions[] = {
    {NULL, "PROPFIND", "what is to be mounted"},
    {"/exchange/", "PROPFIND", "mailboxes"},
    {"/public/", "PROPFIND", "public folders"},
    {"/exchweb/", "HEAD", "web mail, 2000 and 2003"},
    {"/owa/", "HEAD", "web mail, 2007 and later"},
    {"/EWS/Exchange.asmx", "HEAD", "web services, 2007 and later"},
    {"/Microsoft-Server-ActiveSync", "OPTIONS", "telephones"},
};

static void place_free(gpointer data)
{
  SurveyPlace *place = data;
  g_free(place->path);
  g_free(place->location);
  g_free(place->error);
  g_free(place);
}

static void keep_header(char **to, const HttpResponse *response, const char *name)
{
  const char *value = http_response_header(response, name);
  if (*to || !value || !*value)
    return;
  g_autofree char *valid = g_utf8_make_valid(value, (gssize)MIN(strlen(value), HEADER_MAX));
  *to = g_steal_pointer(&valid);
}

static void learn(Survey *survey, const HttpResponse *response)
{
  keep_header(&survey->server, response, "Server");
  keep_header(&survey->build, response, "MS-WebStorage");
  keep_header(&survey->owa, response, "X-OWA-Version");
  keep_header(&survey->activesync, response, "MS-Server-ActiveSync");
}

static gboolean ask(HttpClient *client, const char *method, const char *path, HttpResponse **ret,
                    GError **error)
{
  static const char *const plain[] = {NULL};
  static const char *const dav[] = {"Translate: f", "Depth: 0", NULL};
  const HttpRequest request = {.method = method,
                               .path = path,
                               .headers = strcmp(method, "PROPFIND") == 0 ? dav : plain,
                               .anonymous = RULE("probe-anonymous"),
                               .deadline = g_get_monotonic_time() + QUESTION_US};
  return http_perform(client, &request, ret, error);
}

/* The logon page itself says its version where the redirect to it does not. */
static void look_at_logon_page(HttpClient *client, const char *from, const char *location,
                               Survey *survey)
{
  const char *origin = http_client_origin(client);
  g_autofree char *page = g_strconcat(origin, from, NULL);
  g_autofree char *url = logon_resolve(page, location);
  const char *path = url ? logon_path_at(url, origin) : NULL;
  g_autoptr(HttpResponse) response = NULL;
  if (path && !survey->owa && ask(client, "HEAD", path, &response, NULL))
    learn(survey, response);
}

/* FALSE: nobody answers, so nothing more need be asked. */
static gboolean visit(HttpClient *client, const Question *question, const char *path,
                      Survey *survey)
{
  SurveyPlace *place = g_new0(SurveyPlace, 1);
  g_autoptr(HttpResponse) response = NULL;
  g_autoptr(GError) why = NULL;
  place->path = g_strdup(path);
  place->purpose = question->purpose;
  g_ptr_array_add(survey->places, place);
  if (!ask(client, question->method, path, &response, &why)) {
    place->error = g_strdup(why->message);
    return survey->places->len > 1;
  }
  learn(survey, response);
  place->status = http_response_status(response);
  if (place->status == 401)
    place->offered = auth_offered(response);
  if (place->status / 100 == 3)
    keep_header(&place->location, response, "Location");
  if (place->status == 440 || dav_is_logon_redirect(response))
    place->offered |= HTTP_AUTH_FORMS;
  if (place->status == 440) /* nobody else has this number */
    survey->kind = SURVEY_EXCHANGE;
  if (place->location && (place->offered & HTTP_AUTH_FORMS))
    look_at_logon_page(client, path, place->location, survey);
  return TRUE;
}

static gboolean visit_all(HttpClient *client, const char *path, Survey *survey)
{
  for (gsize i = 0; i < G_N_ELEMENTS(questions); i++) {
    const char *where = questions[i].path ? questions[i].path : path;
    if (questions[i].path && strcmp(path, where) == 0)
      continue;
    if (!visit(client, &questions[i], where, survey))
      return FALSE;
  }
  return TRUE;
}

static void look_at_tls(HttpClient *client, Survey *survey)
{
  g_autoptr(GError) why = NULL;
  survey->tls = g_str_has_prefix(http_client_origin(client), "https:");
  if (survey->tls && !http_inspect_tls(client, &survey->tls_facts, &why))
    survey->tls_error = g_strdup(why->message);
}

static void look_at_ticket(HttpClient *client, Survey *survey)
{
  g_autoptr(GError) why = NULL;
  if (!http_inspect_ticket(client, &survey->ticket_of, &why))
    survey->no_ticket = g_strdup(why->message);
}

/* As a mount begins. */
static gboolean open_mailbox(Webdav *w, Survey *survey, GError **error)
{
  const StoreCall call = {.deadline = g_get_monotonic_time() + OPEN_US};
  gboolean good = store_open(&w->base, &call, error);
  http_client_signed(w->http, &survey->scheme, &survey->signed_as);
  if (!good) {
    survey->mailbox_error = error ? g_strdup((*error)->message) : NULL;
    return FALSE;
  }
  survey->caps = w->base.caps;
  survey->description = g_strdup(w->base.caps.description);
  survey->caps.description = survey->description;
  survey->kind = w->exchange ? SURVEY_EXCHANGE : SURVEY_WEBDAV;
  return TRUE;
}

static void open_public(Webdav *w, Survey *survey)
{
  static const int props[] = {P_DISPLAYNAME, -1};
  const StoreCall call = {.deadline = g_get_monotonic_time() + QUESTION_US};
  g_autofree char *body = davbody_propfind(dav_props, props);
  g_auto(DavAnswer) answer = {0};
  g_autoptr(GError) why = NULL;
  const DavRequest request = {
      .method = "PROPFIND", .path = "/public/", .depth = "0", .type = "text/xml", .body = body};
  gboolean sent = dav_send(w, &call, &request, NULL, NULL, &answer, &why);
  if (sent)
    learn(survey, answer.http); /* signed in, it may say more of itself */
  if (sent && answer.status != 207)
    dav_refuse(&answer, OP_LOOK, "/public/", &why);
  if (answer.status == 404)
    survey->public_error = g_strdup("there are none on this server");
  else if (why)
    survey->public_error = g_strdup(why->message);
}

static void name_product(Survey *survey)
{
  const char *name = survey->build ? dav_release(survey->build) : NULL;
  name = name || !survey->owa ? name : dav_release(survey->owa);
  name = name || !survey->activesync ? name : dav_release(survey->activesync);
  if (survey->kind == SURVEY_WEBDAV)
    return;
  if (survey->build || survey->owa || survey->activesync)
    survey->kind = SURVEY_EXCHANGE;
  if (survey->kind == SURVEY_EXCHANGE)
    survey->product = g_strdup(name ? name : "Exchange");
}

/* The mailbox was not opened for WHY: is it us, the server, or the address? */
static SurveyVerdict judge(Survey *survey, const GError *why)
{
  const SurveyPlace *place = survey->places->pdata[0];
  if (place->status == 0 || error_scope(why) == SCOPE_LINE)
    return SURVEY_UNREACHABLE;
  /* 403 without a sign-in: it wants https, or lets nobody look. */
  gboolean locked =
      error_scope(why) == SCOPE_SIGN_IN || error_errno(why) == EACCES || place->status == 403;
  gboolean broken = place->status / 100 == 5 && place->status != 501;
  if (survey->kind == SURVEY_EXCHANGE || locked || broken || !RULE("probe-not-exchange"))
    return SURVEY_REFUSED;
  survey->kind = SURVEY_OTHER;
  return SURVEY_NOT_EXCHANGE;
}

/* WebDAV ended with 2007: what answers there must not look like a wrong address. */
static void explain_new_exchange(Survey *survey)
{
  const char *newer[] = {"Exchange 2010", "Exchange 2013", "Exchange 2016", "Exchange 2019"};
  for (gsize i = 0; survey->product && i < G_N_ELEMENTS(newer); i++)
    if (g_str_has_prefix(survey->product, newer[i])) {
      g_free(survey->mailbox_error);
      survey->mailbox_error =
          g_strdup_printf("%s has no WebDAV any more, which is what exchangefs speaks: mount a "
                          "server up to Exchange 2007, or a WebDAV gateway in front of this one",
                          survey->product);
    }
}

void survey_run(HttpClient *client, const char *path, Survey *out)
{
  gint64 begin = g_get_monotonic_time();
  g_autoptr(GError) why = NULL;
  g_autoptr(Store) store = webdav_store_new(client, path);
  Webdav *w = (Webdav *)store;
  out->places = g_ptr_array_new_with_free_func(place_free);
  look_at_ticket(client, out);
  look_at_tls(client, out);
  gboolean answers = !out->tls_error && visit_all(client, path, out);
  if (answers && open_mailbox(w, out, &why)) {
    out->verdict = SURVEY_REACHABLE;
    open_public(w, out);
    name_product(out);
  } else if (answers) {
    name_product(out);
    out->verdict = judge(out, why);
    explain_new_exchange(out);
    out->public_error = g_strdup("not asked for without a way in");
  } else {
    const SurveyPlace *first = out->places->len ? out->places->pdata[0] : NULL;
    out->verdict = SURVEY_UNREACHABLE;
    out->mailbox_error = g_strdup(first ? first->error : out->tls_error);
    out->public_error = g_strdup("not asked for without an answer");
  }
  out->ms = (g_get_monotonic_time() - begin) / 1000;
}

void survey_clear(Survey *survey)
{
  g_free(survey->product);
  g_free(survey->build);
  g_free(survey->server);
  g_free(survey->owa);
  g_free(survey->activesync);
  http_tls_facts_clear(&survey->tls_facts);
  g_free(survey->tls_error);
  g_clear_pointer(&survey->places, g_ptr_array_unref);
  g_free(survey->ticket_of);
  g_free(survey->no_ticket);
  g_free(survey->signed_as);
  g_free(survey->mailbox_error);
  g_free(survey->description);
  g_free(survey->public_error);
  *survey = (Survey){0};
}
