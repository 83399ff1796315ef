/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the run of a probe and its report for a person; leaves the questions to the store, the other
 * form of the report to probe_json.c.
 */
#include "cli/probe.h"

#include "base/error.h"
#include "base/log.h"
#include "cli/client.h"
#include "net/auth.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXIT_TROUBLE 1
#define EXIT_USAGE 2

static const struct {
  const char *word;
  int code;
} verdicts[] = {
    [SURVEY_REACHABLE] = {"reachable", 0},
    [SURVEY_REFUSED] = {"refused", 1},
    [SURVEY_UNREACHABLE] = {"unreachable", 1},
    [SURVEY_NOT_EXCHANGE] = {"not-exchange", 3},
};

const char *probe_verdict(const Survey *survey)
{
  return verdicts[survey->verdict].word;
}

int probe_exit_code(const Survey *survey)
{
  return verdicts[survey->verdict].code;
}

/* What a server said may hold anything. */
static void add_line(GString *text, const char *label, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void add_line(GString *text, const char *label, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  g_autofree char *line = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *plain = log_plain(line);
  g_string_append_printf(text, "%-9s %s\n", label, plain);
}

static void add_server(GString *text, const Survey *survey)
{
  static const char *const kinds[] = {[SURVEY_UNKNOWN] = "not known",
                                      [SURVEY_EXCHANGE] = "Exchange",
                                      [SURVEY_WEBDAV] = "a WebDAV server",
                                      [SURVEY_OTHER] = "neither Exchange nor WebDAV"};
  const char *build = survey->build ? survey->build
                      : survey->owa ? survey->owa
                                    : survey->activesync;
  gboolean exchange = survey->kind == SURVEY_EXCHANGE && build;
  add_line(text, "server", "%s%s%s%s%s%s", survey->product ? survey->product : kinds[survey->kind],
           exchange ? " (" : "", exchange ? build : "", exchange ? ")" : "",
           survey->server ? ", " : "", survey->server ? survey->server : "");
}

static void add_tls(GString *text, const Survey *survey)
{
  const HttpTlsFacts *facts = &survey->tls_facts;
  if (!survey->tls) {
    add_line(text, "tls", "none: what is sent can be read on its way");
    return;
  }
  const char *label = "tls";
  if (survey->tls_error) {
    add_line(text, label, "%s", survey->tls_error);
    label = "";
  } else if (facts->version) {
    add_line(text, label, "%s, %s", facts->version, facts->cipher);
    label = "";
  }
  if (facts->subject) {
    add_line(text, label, "certificate of %s, by %s", facts->subject, facts->issuer);
    add_line(text, "", "valid from %s until %s%s%s", facts->from, facts->until,
             facts->names && *facts->names ? ", for " : "", facts->names ? facts->names : "");
  }
}

static void add_places(GString *text, const Survey *survey)
{
  gsize width = 0;
  for (guint i = 0; i < survey->places->len; i++)
    width = MAX(width, strlen(((SurveyPlace *)survey->places->pdata[i])->path));
  width = MIN(width, 40);
  for (guint i = 0; i < survey->places->len; i++) {
    const SurveyPlace *place = survey->places->pdata[i];
    g_autofree char *offered = place->offered ? auth_names(place->offered) : NULL;
    g_autofree char *status = place->status ? g_strdup_printf("%d", place->status) : g_strdup("-");
    const char *said = place->error      ? place->error
                       : offered         ? offered
                       : place->location ? place->location
                                         : NULL;
    const char *lead = place->error || !said ? "" : offered ? "offers " : "leads to ";
    add_line(text, i ? "" : "places", "%-*s  %-3s  %s%s%s%s%s", (int)width, place->path, status,
             lead, said ? said : "", said ? " (" : "(", place->purpose, ")");
  }
}

static void add_capabilities(GString *text, const StoreCaps *caps)
{
  add_line(text, "abilities", "%s, %s, %s",
           caps->exact_size ? "sizes are exact" : "sizes are estimates",
           caps->bytes_stable ? "what is written is what is read"
                              : "the server may rewrite what is written",
           caps->folds_case ? "names differ by more than case" : "names may differ in case alone");
  add_line(text, "", "%s, %s%s", caps->trash ? "a folder for what is deleted" : "no trash",
           caps->content_tag ? "changes are told by a tag" : "changes are found by listing",
           caps->read_only ? ", read-only" : "");
}

char *probe_text(const char *source, const Survey *survey)
{
  GString *text = g_string_new(NULL);
  gboolean reached = survey->verdict == SURVEY_REACHABLE;
  add_line(text, "source", "%s", source);
  add_server(text, survey);
  add_tls(text, survey);
  add_places(text, survey);
  add_line(text, "ticket", "%s%s", survey->ticket_of ? "of " : "none: ",
           survey->ticket_of ? survey->ticket_of : survey->no_ticket);
  if (survey->scheme) {
    g_autofree char *scheme = auth_names(survey->scheme);
    add_line(text, "sign-in", "by %s%s%s", scheme, survey->signed_as ? " as " : "",
             survey->signed_as ? survey->signed_as : "");
  } else {
    add_line(text, "sign-in", "%s", reached ? "none was wanted" : "none");
  }
  if (survey->mailbox_error)
    add_line(text, "mailbox", "%s: %s", probe_verdict(survey), survey->mailbox_error);
  else
    add_line(text, "mailbox", "reachable: %s", survey->description);
  add_line(text, "public", "%s%s", survey->public_error ? "no: " : "reachable",
           survey->public_error ? survey->public_error : "");
  if (reached)
    add_capabilities(text, &survey->caps);
  add_line(text, "time", "%" G_GINT64_FORMAT " ms", survey->ms);
  return g_string_free(text, FALSE);
}

/* "mail.example.org" is enough of an address: its mailboxes, and USER's if that is known. */
static char *complete(const char *source, const char *user)
{
  if (strstr(source, "://"))
    return g_strdup(source);
  gsize host = strcspn(source, "/");
  if (source[host])
    return g_strconcat("https://", source, NULL);
  const char *domain = user ? strchr(user, '\\') : NULL;
  g_autofree char *alias =
      user ? g_uri_escape_string(domain ? domain + 1 : user, "@", FALSE) : NULL;
  return g_strconcat("https://", source, "/exchange/", alias, alias ? "/" : "", NULL);
}

static int complain(int code, const GError *error)
{
  g_autofree char *plain = log_plain(error->message);
  fprintf(stderr, "exchangefs: %s\n", plain);
  return code;
}

/* SOURCE is complete but for the user; fills in that, too. */
static HttpClient *make_client(const Options *options, Source *source, Credentials **ret,
                               GError **error)
{
  g_autofree char *host = source_host(source);
  *ret = credentials_new(options, host, error);
  if (!*ret)
    return NULL;
  g_autofree char *whole = complete(options->source, credentials_user(*ret));
  const ClientWho who = {.name = g_get_user_name(), .uid = getuid(), .credentials = *ret};
  source_clear(source);
  return source_parse(whole, source, error) ? client_make(options, source, &who, error) : NULL;
}

int probe_run(const Options *options)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(Credentials) credentials = NULL;
  g_auto(Source) source = {0};
  g_auto(Survey) survey = {0};
  g_autofree char *bare = complete(options->source, NULL);
  if (!source_parse(bare, &source, &error))
    return complain(EXIT_USAGE, error);
  HttpClient *client = make_client(options, &source, &credentials, &error);
  if (!client)
    return complain(EXIT_TROUBLE, error);
  survey_run(client, source.path, &survey);
  g_autofree char *shown = g_strconcat(source.origin, source.path, NULL);
  g_autofree char *text = options->json ? probe_json(shown, &survey) : probe_text(shown, &survey);
  fputs(text, stdout);
  return probe_exit_code(&survey);
}
