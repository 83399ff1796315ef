/* SPDX-License-Identifier: Apache-2.0 */
/* Owns a probe's report as JSON: every key is always there, null where nothing was seen. */
#include "cli/probe.h"

#include "base/log.h"
#include "net/auth.h"

#include <string.h>

/* A member's beginning: comma, name. KEY NULL: an element of an array. */
static void begin(GString *out, const char *key)
{
  char last = out->len ? out->str[out->len - 1] : '{';
  if (last != '{' && last != '[')
    g_string_append_c(out, ',');
  if (key)
    g_string_append_printf(out, "\"%s\":", key);
}

static void add_string(GString *out, const char *key, const char *value)
{
  begin(out, key);
  if (!value) {
    g_string_append(out, "null");
    return;
  }
  g_autofree char *valid = g_utf8_make_valid(value, -1);
  g_string_append_c(out, '"');
  for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
    gunichar c = g_utf8_get_char(at);
    if (c == '"' || c == '\\')
      g_string_append_c(out, '\\');
    if (log_is_plain(c) || c > 0xffff) /* terminals act on none of those */
      g_string_append_unichar(out, c);
    else
      g_string_append_printf(out, "\\u%04x", c);
  }
  g_string_append_c(out, '"');
}

static void add_number(GString *out, const char *key, gint64 value)
{
  begin(out, key);
  g_string_append_printf(out, "%" G_GINT64_FORMAT, value);
}

static void add_bool(GString *out, const char *key, gboolean value)
{
  begin(out, key);
  g_string_append(out, value ? "true" : "false");
}

static void open_in(GString *out, const char *key, char bracket)
{
  begin(out, key);
  g_string_append_c(out, bracket);
}

static const char *scheme_word(guint scheme)
{
  switch (scheme) {
  case HTTP_AUTH_BASIC:
    return "basic";
  case HTTP_AUTH_NTLM:
    return "ntlm";
  case HTTP_AUTH_FORMS:
    return "forms";
  case HTTP_AUTH_NEGOTIATE:
    return "negotiate";
  case HTTP_AUTH_BEARER:
    return "bearer";
  default:
    return NULL;
  }
}

static void add_tls(GString *out, const Survey *survey)
{
  const HttpTlsFacts *facts = &survey->tls_facts;
  if (!survey->tls) {
    begin(out, "tls");
    g_string_append(out, "null");
    return;
  }
  open_in(out, "tls", '{');
  add_string(out, "version", facts->version);
  add_string(out, "cipher", facts->cipher);
  add_string(out, "subject", facts->subject);
  add_string(out, "issuer", facts->issuer);
  add_string(out, "from", facts->from);
  add_string(out, "until", facts->until);
  add_string(out, "names", facts->names);
  add_string(out, "error", survey->tls_error);
  g_string_append_c(out, '}');
}

static void add_places(GString *out, const Survey *survey)
{
  open_in(out, "places", '[');
  for (guint i = 0; i < survey->places->len; i++) {
    const SurveyPlace *place = survey->places->pdata[i];
    open_in(out, NULL, '{');
    add_string(out, "path", place->path);
    add_string(out, "purpose", place->purpose);
    add_number(out, "status", place->status);
    open_in(out, "offers", '[');
    for (guint scheme = 1; scheme <= HTTP_AUTH_ALL; scheme <<= 1)
      if (place->offered & scheme)
        add_string(out, NULL, scheme_word(scheme));
    g_string_append_c(out, ']');
    add_string(out, "location", place->location);
    add_string(out, "error", place->error);
    g_string_append_c(out, '}');
  }
  g_string_append_c(out, ']');
}

static void add_reach(GString *out, const char *key, const char *error)
{
  open_in(out, key, '{');
  add_bool(out, "reachable", error == NULL);
  add_string(out, "error", error);
  g_string_append_c(out, '}');
}

static void add_capabilities(GString *out, const Survey *survey)
{
  const StoreCaps *caps = &survey->caps;
  if (survey->verdict != SURVEY_REACHABLE) {
    begin(out, "capabilities");
    g_string_append(out, "null");
    return;
  }
  open_in(out, "capabilities", '{');
  add_bool(out, "exact_size", caps->exact_size);
  add_bool(out, "bytes_stable", caps->bytes_stable);
  add_bool(out, "range_read", caps->range_read);
  add_bool(out, "content_tag", caps->content_tag);
  add_bool(out, "folds_case", caps->folds_case);
  add_bool(out, "trash", caps->trash);
  add_bool(out, "keeps_mtime", caps->keeps_mtime);
  add_bool(out, "read_only", caps->read_only);
  g_string_append_c(out, '}');
}

char *probe_json(const char *source, const Survey *survey)
{
  static const char *const kinds[] = {[SURVEY_UNKNOWN] = "unknown",
                                      [SURVEY_EXCHANGE] = "exchange",
                                      [SURVEY_WEBDAV] = "webdav",
                                      [SURVEY_OTHER] = "other"};
  GString *out = g_string_new("{");
  add_string(out, "source", source);
  add_string(out, "result", probe_verdict(survey));
  add_number(out, "exit", probe_exit_code(survey));
  add_string(out, "kind", kinds[survey->kind]);
  add_string(out, "product", survey->product);
  add_string(out, "build", survey->build);
  add_string(out, "owa_version", survey->owa);
  add_string(out, "activesync_version", survey->activesync);
  add_string(out, "server", survey->server);
  add_tls(out, survey);
  add_places(out, survey);
  open_in(out, "ticket", '{');
  add_bool(out, "found", survey->ticket_of != NULL);
  add_string(out, "of", survey->ticket_of);
  add_string(out, "error", survey->no_ticket);
  g_string_append_c(out, '}');
  open_in(out, "sign_in", '{');
  add_string(out, "scheme", scheme_word(survey->scheme));
  add_string(out, "user", survey->signed_as);
  g_string_append_c(out, '}');
  add_reach(out, "mailbox", survey->mailbox_error);
  add_reach(out, "public_folders", survey->public_error);
  add_capabilities(out, survey);
  add_number(out, "milliseconds", survey->ms);
  g_string_append(out, "}\n");
  return g_string_free(out, FALSE);
}
