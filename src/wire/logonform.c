/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the reading of a logon page: events of libxml2's HTML parser, no tree, nothing fetched.
 * Leaves the sending of the form to store/webdav/logon.c.
 */
#include "wire/logonform.h"

#include "base/rule.h"

#include <libxml/HTMLparser.h>
#include <string.h>

#define HTML_MAX ((gsize)64 * 1024)
#define DEPTH_MAX 256
#define FIELDS_MAX 64u
#define VALUE_MAX ((gsize)4096)

typedef struct {
  htmlParserCtxtPtr parser;
  const char *destination;
  LogonForm form;
  GPtrArray *texts; /* char *: names of fields that may ask for the user's name */
  gboolean inside;  /* a form has begun */
  gboolean submit;  /* its button was met */
  gboolean refused; /* too large */
  int depth;
} Reading;

void logon_form_clear(LogonForm *form)
{
  g_clear_pointer(&form->action, g_free);
  g_clear_pointer(&form->pairs, g_ptr_array_unref);
  g_clear_pointer(&form->user_name, g_free);
  g_clear_pointer(&form->password_name, g_free);
}

static const char *attribute(const xmlChar **attributes, const char *name)
{
  for (; attributes && attributes[0]; attributes += 2)
    if (g_ascii_strcasecmp((const char *)attributes[0], name) == 0)
      return attributes[1] ? (const char *)attributes[1] : "";
  return NULL;
}

static void begin_form(Reading *reading, const xmlChar **attributes)
{
  const char *action = attribute(attributes, "action");
  logon_form_clear(&reading->form);
  reading->form.action = g_strstrip(g_strdup(action ? action : ""));
  reading->form.pairs = g_ptr_array_new_with_free_func(g_free);
  g_ptr_array_set_size(reading->texts, 0);
  reading->inside = TRUE;
  reading->submit = FALSE;
}

/* "private computer": the session then lives for a day, not for a quarter of an hour (3.3). */
static char *chosen_value(const Reading *reading, const char *name, const char *value)
{
  if (g_ascii_strcasecmp(name, "destination") == 0 && !*value)
    return g_strdup(reading->destination);
  if (g_ascii_strcasecmp(name, "flags") == 0 && RULE("forms-trusted")) {
    guint64 flags;
    if (!*value || g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT32, &flags, NULL))
      return g_strdup_printf("%" G_GUINT64_FORMAT, (*value ? flags : 0) | 4);
  }
  return g_strdup(value);
}

static void add_pair(Reading *reading, const char *name, const char *value)
{
  GPtrArray *pairs = reading->form.pairs;
  reading->refused =
      reading->refused || pairs->len >= 2 * FIELDS_MAX || strlen(name) + strlen(value) > VALUE_MAX;
  if (reading->refused)
    return;
  g_ptr_array_add(pairs, g_strdup(name));
  g_ptr_array_add(pairs, chosen_value(reading, name, value));
}

/* Of radio buttons and check boxes: what would be sent if a person had made the choices. */
static gboolean is_chosen(const char *name, const char *value, const xmlChar **attributes)
{
  if (g_ascii_strcasecmp(name, "trusted") == 0 && RULE("forms-trusted"))
    return strcmp(value, "4") == 0;
  return attribute(attributes, "checked") != NULL;
}

static void take_input(Reading *reading, const xmlChar **attributes)
{
  static const char *const texts[] = {"text", "email", "tel", "", NULL};
  static const char *const choices[] = {"radio", "checkbox", NULL};
  const char *name = attribute(attributes, "name");
  const char *value = attribute(attributes, "value");
  const char *said = attribute(attributes, "type");
  g_autofree char *type = g_ascii_strdown(said ? said : "", -1);
  if (!name || !*name)
    return;
  if (strcmp(type, "password") == 0) {
    if (reading->form.password_name || strlen(name) > VALUE_MAX)
      return;
    reading->form.password_name = g_strdup(name);
  } else if (g_strv_contains(texts, type)) {
    g_ptr_array_add(reading->texts, g_strdup(name));
    add_pair(reading, name, value ? value : "");
  } else if (g_strv_contains(choices, type)) {
    if (is_chosen(name, value ? value : "on", attributes))
      add_pair(reading, name, value ? value : "on");
  } else if (strcmp(type, "hidden") == 0) {
    add_pair(reading, name, value ? value : "");
  } else if (strcmp(type, "submit") == 0 && !reading->submit) {
    reading->submit = TRUE;
    add_pair(reading, name, value ? value : "Submit");
  }
}

static void on_start(void *user, const xmlChar *element, const xmlChar **attributes)
{
  Reading *reading = user;
  const char *name = (const char *)element;
  if (++reading->depth > DEPTH_MAX) {
    xmlStopParser(reading->parser);
  } else if (g_ascii_strcasecmp(name, "form") == 0) {
    /* The end of a form is where the next begins: libxml2 ends one early inside tables. */
    if (reading->form.password_name)
      xmlStopParser(reading->parser);
    else
      begin_form(reading, attributes);
  } else if (reading->inside && g_ascii_strcasecmp(name, "input") == 0) {
    take_input(reading, attributes);
  }
  if (reading->refused)
    xmlStopParser(reading->parser);
}

static void on_end(void *user, const xmlChar *element)
{
  (void)element;
  ((Reading *)user)->depth--;
}

/* UTF-8 without NULs, whatever the page says of itself; the caller frees it. */
static char *readable(const char *html, gsize len, gsize *ret_len)
{
  const char *end = NULL;
  len = MIN(len, HTML_MAX);
  char *copy = g_malloc(len + 1);
  for (gsize i = 0; i < len; i++)
    copy[i] = html[i] ? html[i] : ' ';
  copy[len] = '\0';
  gboolean utf8 = g_utf8_validate(copy, (gssize)len, &end);
  if (!utf8 && len == HTML_MAX && end + 4 > copy + len) {
    len = (gsize)(end - copy); /* cut inside a character */
    utf8 = TRUE;
  }
  *ret_len = len;
  if (utf8)
    return copy;
  char *latin = g_convert(copy, (gssize)len, "UTF-8", "ISO-8859-1", NULL, ret_len, NULL);
  g_free(copy);
  return latin;
}

static void read_page(Reading *reading, const char *html, gsize len)
{
  htmlSAXHandler events = {.startElement = on_start, .endElement = on_end};
  reading->parser =
      htmlCreatePushParserCtxt(&events, reading, NULL, 0, NULL, XML_CHAR_ENCODING_UTF8);
  if (!reading->parser)
    g_error("out of memory for libxml2");
  htmlCtxtUseOptions(reading->parser, HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                          HTML_PARSE_IGNORE_ENC);
  htmlParseChunk(reading->parser, html, (int)len, 1);
  htmlFreeParserCtxt(reading->parser);
}

/* The field for the user's name leaves the pairs: one that is called so, else the first. */
static gboolean take_user(Reading *reading)
{
  GPtrArray *pairs = reading->form.pairs;
  const char *found = reading->texts->len ? reading->texts->pdata[0] : NULL;
  for (guint i = 0; i < reading->texts->len; i++) {
    g_autofree char *lower = g_ascii_strdown(reading->texts->pdata[i], -1);
    if (strstr(lower, "user")) {
      found = reading->texts->pdata[i];
      break;
    }
  }
  for (guint i = 0; found && i < pairs->len; i += 2) {
    if (strcmp(pairs->pdata[i], found) == 0) {
      reading->form.user_name = g_strdup(found);
      g_ptr_array_remove_range(pairs, i, 2);
      return TRUE;
    }
  }
  return FALSE;
}

gboolean logon_form_parse(const char *html, gsize len, const char *destination, LogonForm *out)
{
  gsize text_len = 0;
  char *text = readable(html, len, &text_len);
  g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(g_free);
  Reading reading = {.destination = destination, .texts = texts};
  if (text && text_len)
    read_page(&reading, text, text_len);
  g_free(text);
  if (reading.refused || !reading.form.password_name || !take_user(&reading)) {
    logon_form_clear(&reading.form);
    return FALSE;
  }
  *out = reading.form;
  return TRUE;
}
