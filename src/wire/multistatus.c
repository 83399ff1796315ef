/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the reading of 207 documents with libxml2's push parser; leaves the repair of what is not
 * XML to davscrub and the meaning of properties to store/webdav. The place in the document is the
 * element depth: 1 multistatus, 2 response, 3 href, status, propstat (or a bare property), 4 prop,
 * status, 5 a property.
 */
#include "wire/multistatus.h"

#include "base/error.h"
#include "base/rule.h"
#include "wire/davscrub.h"

#include <errno.h>
#include <libxml/parser.h>
#include <string.h>

#define DEPTH_MAX 64u
#define TEXT_MAX (1024u * 1024u)
#define RESPONSES_MAX 5000000u

/* What the text of the open element is for; from 0 up: the property of that index. */
enum { CAPTURE_NONE = -1, CAPTURE_HREF = -2, CAPTURE_STATUS = -3, CAPTURE_PROPSTAT_STATUS = -4 };

typedef struct {
  GString *text;
  gboolean told;    /* with a status that is 2xx or none */
  gboolean pending; /* seen in the open propstat, whose status may come after it */
} Slot;

/* The parser interns names: the same two pointers are the same property. */
typedef struct {
  const char *local, *ns;
  int index;
} Known;
#define KNOWN_MAX 64u

struct Multistatus {
  const DavName *table;
  guint n;
  MultistatusFunc func;
  gpointer user;

  xmlParserCtxt *xml;
  DavScrub scrub;
  GByteArray *patched;
  GError *error; /* the first one: from then on nothing is read */

  guint depth;
  guint responses;
  gboolean closed; /* the root element ended */
  gboolean in_response, in_propstat, in_prop;
  int capture;
  guint capture_depth;
  gboolean structured; /* the captured property has elements inside */

  GString *href, *status_text;
  gboolean has_href;
  int status, propstat_status, failed;
  Slot *slots;
  const char **values;
  Known known[KNOWN_MAX];
};

static void fail(Multistatus *r, const char *why)
{
  if (!r->error)
    r->error = error_new(EIO, SCOPE_LINE,
                         "the server's answer cannot be read (%s): look what stands between", why);
  xmlStopParser(r->xml);
}

static gboolean is_dav(const char *ns)
{
  return ns && strcmp(ns, "DAV:") == 0;
}

static int search_property(const Multistatus *r, const char *local, const char *ns)
{
  const char *name = davscrub_name(local);
  for (guint i = 0; i < r->n; i++)
    if (g_ascii_tolower(name[0]) == g_ascii_tolower(r->table[i].name[0]) &&
        g_ascii_strcasecmp(name, r->table[i].name) == 0 &&
        g_ascii_strcasecmp(ns ? ns : "", r->table[i].ns) == 0)
      return (int)i;
  return CAPTURE_NONE;
}

static int find_property(Multistatus *r, const char *local, const char *ns)
{
  gsize hash = ((gsize)local ^ ((gsize)ns >> 3)) / 8;
  Known *known = &r->known[(hash ^ hash >> 6) % KNOWN_MAX];
  if (known->local != local || known->ns != ns)
    *known = (Known){local, ns, search_property(r, local, ns)};
  return known->index;
}

static GString *capture_text(Multistatus *r)
{
  if (r->capture == CAPTURE_NONE)
    return NULL;
  if (r->capture == CAPTURE_HREF)
    return r->href;
  return r->capture >= 0 ? r->slots[r->capture].text : r->status_text;
}

static void begin_capture(Multistatus *r, int capture)
{
  r->capture = capture;
  r->capture_depth = r->depth;
  r->structured = FALSE;
  GString *text = capture_text(r);
  if (text)
    g_string_truncate(text, 0);
}

static void begin_response(Multistatus *r)
{
  r->in_response = TRUE;
  r->in_propstat = r->in_prop = r->has_href = FALSE;
  r->status = r->failed = 0;
  for (guint i = 0; i < r->n; i++)
    r->slots[i].told = r->slots[i].pending = FALSE;
  if (++r->responses > RESPONSES_MAX)
    fail(r, "it lists too many members");
}

/* An element directly in a response. */
static void begin_part(Multistatus *r, const char *local, const char *ns)
{
  if (is_dav(ns) && strcmp(local, "href") == 0) {
    begin_capture(r, r->has_href ? CAPTURE_NONE : CAPTURE_HREF);
  } else if (is_dav(ns) && strcmp(local, "status") == 0) {
    begin_capture(r, CAPTURE_STATUS);
  } else if (is_dav(ns) && strcmp(local, "propstat") == 0) {
    r->in_propstat = TRUE;
    r->propstat_status = RULE("dav-brief-status") ? 200 : 500; /* quirk 10: none said is 200 */
  } else {
    begin_capture(r, find_property(r, local, ns));
  }
}

static void begin_in_propstat(Multistatus *r, const char *local, const char *ns)
{
  if (is_dav(ns) && strcmp(local, "prop") == 0)
    r->in_prop = TRUE;
  else if (is_dav(ns) && strcmp(local, "status") == 0)
    begin_capture(r, CAPTURE_PROPSTAT_STATUS);
}

/* An element inside a captured one: its name is the value (resourcetype). */
static void begin_in_value(Multistatus *r, const char *local)
{
  GString *text = capture_text(r);
  if (r->capture < 0 || r->depth != r->capture_depth + 1)
    return;
  if (!r->structured)
    g_string_truncate(text, 0);
  r->structured = TRUE;
  if (text->len + strlen(local) < TEXT_MAX)
    g_string_append_printf(text, "%s%s", text->len ? " " : "", local);
}

static void on_start(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri,
                     int n_ns, const xmlChar **ns_list, int n_attrs, int n_defaulted,
                     const xmlChar **attrs)
{
  (void)prefix, (void)n_ns, (void)ns_list, (void)n_attrs, (void)n_defaulted, (void)attrs;
  Multistatus *r = user;
  const char *local = (const char *)name;
  const char *ns = (const char *)uri;
  r->depth++;
  if (r->error)
    return;
  if (r->depth > DEPTH_MAX)
    fail(r, "its elements are nested too deep");
  else if (r->capture != CAPTURE_NONE)
    begin_in_value(r, local);
  else if (r->depth == 1 && (!is_dav(ns) || strcmp(local, "multistatus") != 0))
    fail(r, "it is no multistatus document");
  else if (r->depth == 2 && is_dav(ns) && strcmp(local, "response") == 0)
    begin_response(r);
  else if (r->depth == 3 && r->in_response)
    begin_part(r, local, ns);
  else if (r->depth == 4 && r->in_propstat)
    begin_in_propstat(r, local, ns);
  else if (r->depth == 5 && r->in_prop)
    begin_capture(r, find_property(r, local, ns));
}

/* "HTTP/1.1 200 OK" -> 200; what is no status line counts as a failure. */
static int parse_status(const char *line)
{
  while (g_ascii_isspace(*line))
    line++;
  const char *blank = g_str_has_prefix(line, "HTTP/") ? strchr(line, ' ') : NULL;
  if (!blank || !g_ascii_isdigit(blank[1]) || !g_ascii_isdigit(blank[2]) ||
      !g_ascii_isdigit(blank[3]) || g_ascii_isdigit(blank[4]))
    return 500;
  return (blank[1] - '0') * 100 + (blank[2] - '0') * 10 + (blank[3] - '0');
}

static void end_capture(Multistatus *r)
{
  if (r->capture == CAPTURE_HREF) {
    r->has_href = TRUE;
  } else if (r->capture == CAPTURE_STATUS) {
    r->status = parse_status(r->status_text->str);
  } else if (r->capture == CAPTURE_PROPSTAT_STATUS) {
    r->propstat_status = parse_status(r->status_text->str);
  } else if (r->in_propstat) {
    r->slots[r->capture].pending = TRUE;
  } else {
    r->slots[r->capture].told = TRUE;
  }
  r->capture = CAPTURE_NONE;
}

static void end_propstat(Multistatus *r)
{
  gboolean good = r->propstat_status / 100 == 2;
  for (guint i = 0; i < r->n; i++) {
    if (r->slots[i].pending)
      r->slots[i].told = good;
    r->slots[i].pending = FALSE;
  }
  if (!good && !r->failed)
    r->failed = r->propstat_status;
  r->in_propstat = FALSE;
}

static void end_response(Multistatus *r)
{
  r->in_response = FALSE;
  if (!r->has_href) {
    fail(r, "it names no member");
    return;
  }
  for (guint i = 0; i < r->n; i++)
    r->values[i] = r->slots[i].told ? r->slots[i].text->str : NULL;
  DavResponse response = {r->href->str, r->status, r->failed, r->values};
  if (!r->func(&response, r->user, &r->error))
    fail(r, "stopped"); /* keeps the error that FUNC set */
}

static void on_end(void *user, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
  (void)name, (void)prefix, (void)uri;
  Multistatus *r = user;
  if (!r->error) {
    if (r->capture != CAPTURE_NONE && r->depth == r->capture_depth)
      end_capture(r);
    else if (r->depth == 4)
      r->in_prop = FALSE;
    else if (r->depth == 3 && r->in_propstat)
      end_propstat(r);
    else if (r->depth == 2 && r->in_response)
      end_response(r);
    else if (r->depth == 1)
      r->closed = TRUE;
  }
  r->depth--;
}

static void on_text(void *user, const xmlChar *bytes, int len)
{
  Multistatus *r = user;
  if (r->error || r->capture == CAPTURE_NONE || r->depth != r->capture_depth || r->structured)
    return;
  GString *text = capture_text(r);
  if (text->len + (gsize)len > TEXT_MAX)
    fail(r, "a value is too long");
  else
    g_string_append_len(text, (const char *)bytes, len);
}

static void on_doctype(void *user, const xmlChar *name, const xmlChar *public_id,
                       const xmlChar *system_id)
{
  (void)name, (void)public_id, (void)system_id;
  if (RULE("dav-no-entities"))
    fail(user, "it brings a DTD");
}

static void on_error(void *user, xmlError *xml_error)
{
  Multistatus *r = user;
  if (r->error || xml_error->level < XML_ERR_ERROR || xml_error->domain == XML_FROM_NAMESPACE)
    return;
  g_autofree char *why = g_strdup(xml_error->message ? xml_error->message : "it is no XML");
  fail(r, g_strstrip(why));
}

static gpointer init_library(gpointer unused)
{
  (void)unused;
  xmlInitParser();
  return NULL;
}

Multistatus *multistatus_new(const DavName *table, guint n, MultistatusFunc func, gpointer user)
{
  static GOnce once = G_ONCE_INIT;
  g_once(&once, init_library, NULL);

  Multistatus *r = g_new0(Multistatus, 1);
  r->table = table;
  r->n = n;
  r->func = func;
  r->user = user;
  r->capture = CAPTURE_NONE;
  r->patched = g_byte_array_new();
  r->href = g_string_new(NULL);
  r->status_text = g_string_new(NULL);
  r->slots = g_new0(Slot, n);
  r->values = g_new0(const char *, n);
  for (guint i = 0; i < n; i++)
    r->slots[i].text = g_string_new(NULL);

  xmlSAXHandler sax = {.initialized = XML_SAX2_MAGIC,
                       .startElementNs = on_start,
                       .endElementNs = on_end,
                       .characters = on_text,
                       .cdataBlock = on_text,
                       .internalSubset = on_doctype,
                       .serror = on_error};
  r->xml = xmlCreatePushParserCtxt(&sax, r, NULL, 0, NULL);
  /* No XML_PARSE_RECOVER: after the first error libxml2 would drop every "&amp;" without a word. */
  xmlCtxtUseOptions(r->xml, XML_PARSE_NONET);
  return r;
}

static gboolean feed_xml(Multistatus *r, const void *bytes, gsize len, gboolean end, GError **error)
{
  if (!r->error)
    xmlParseChunk(r->xml, bytes, (int)len, end);
  if (!r->error)
    return TRUE;
  if (error)
    *error = g_error_copy(r->error);
  return FALSE;
}

gboolean multistatus_feed(Multistatus *reader, const void *bytes, gsize len, GError **error)
{
  const char *at = bytes;
  while (len) {
    gsize piece = MIN(len, 1u << 20); /* libxml2 counts in int */
    g_byte_array_set_size(reader->patched, 0);
    davscrub_feed(&reader->scrub, at, piece, reader->patched);
    if (!feed_xml(reader, reader->patched->data, reader->patched->len, FALSE, error))
      return FALSE;
    at += piece;
    len -= piece;
  }
  return TRUE;
}

gboolean multistatus_finish(Multistatus *reader, GError **error)
{
  if (!RULE("dav-truncated"))
    return TRUE;
  if (!reader->error && !reader->closed)
    return error_set(error, EIO, SCOPE_LINE,
                     "the server's answer ends in the middle: try again; if it stays so, look at "
                     "the server or a proxy between");
  return feed_xml(reader, NULL, 0, TRUE, error);
}

void multistatus_free(Multistatus *reader)
{
  if (!reader)
    return;
  xmlFreeParserCtxt(reader->xml);
  for (guint i = 0; i < reader->n; i++)
    g_string_free(reader->slots[i].text, TRUE);
  g_free(reader->slots);
  g_free(reader->values);
  g_string_free(reader->href, TRUE);
  g_string_free(reader->status_text, TRUE);
  g_byte_array_unref(reader->patched);
  g_clear_error(&reader->error);
  g_free(reader);
}
