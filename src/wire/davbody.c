/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the text of request bodies; leaves headers and sending to store/webdav. */
#include "wire/davbody.h"

#include "base/rule.h"

#include <string.h>

#define XML_HEAD "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n"

static void append_escaped(GString *out, const char *text)
{
  g_autofree char *escaped = g_markup_escape_text(text, -1);
  g_string_append(out, escaped);
}

/* An element without a prefix: its own default namespace makes it stand alone. */
static void append_element(GString *out, const DavName *name, const char *value)
{
  g_string_append_printf(out, "<%s xmlns=\"", name->name);
  append_escaped(out, name->ns);
  if (!value) {
    g_string_append(out, "\"/>");
    return;
  }
  g_string_append(out, "\">");
  append_escaped(out, value);
  g_string_append_printf(out, "</%s>", name->name);
}

char *davbody_propfind(const DavName *table, const int *which)
{
  GString *out = g_string_new(XML_HEAD "<D:propfind xmlns:D=\"DAV:\"><D:prop>");
  for (; *which >= 0; which++)
    append_element(out, &table[*which], NULL);
  g_string_append(out, "</D:prop></D:propfind>");
  return g_string_free(out, FALSE);
}

char *davbody_search(const DavName *table, const int *which, const char *where,
                     const char *order_by)
{
  g_autoptr(GString) sql = g_string_new("SELECT \"DAV:href\"");
  for (; *which >= 0; which++)
    g_string_append_printf(sql, ",\"%s%s\"", table[*which].ns, table[*which].name);
  /* "" is the URL of the request: no path has to be quoted twice. The verb is never left out,
   * for then it would be a deep traversal (quirk 23). */
  g_string_append_printf(sql, " FROM SCOPE('SHALLOW TRAVERSAL OF \"\"') WHERE %s", where);
  if (order_by)
    g_string_append_printf(sql, " ORDER BY \"%s\"", order_by);

  GString *out = g_string_new(XML_HEAD "<D:searchrequest xmlns:D=\"DAV:\"><D:sql>");
  append_escaped(out, sql->str);
  g_string_append(out, "</D:sql></D:searchrequest>");
  return g_string_free(out, FALSE);
}

char *davbody_sql_text(const char *text)
{
  GString *out = g_string_new("'");
  for (; *text; text++) {
    if (*text == '\'')
      g_string_append_c(out, '\'');
    g_string_append_c(out, *text);
  }
  g_string_append_c(out, '\'');
  return g_string_free(out, FALSE);
}

static char *without_controls(const char *text)
{
  GString *out = g_string_sized_new(strlen(text));
  for (; *text; text++)
    if ((guchar)*text >= 0x20 || *text == '\t' || *text == '\n' || !RULE("dav-no-controls-sent"))
      g_string_append_c(out, *text);
  return g_string_free(out, FALSE);
}

char *davbody_proppatch(const DavSetting *settings, guint n)
{
  GString *out = g_string_new(XML_HEAD "<D:propertyupdate xmlns:D=\"DAV:\"><D:set><D:prop>");
  for (guint i = 0; i < n; i++) {
    g_autofree char *value = without_controls(settings[i].value);
    append_element(out, &settings[i].name, value);
  }
  g_string_append(out, "</D:prop></D:set></D:propertyupdate>");
  return g_string_free(out, FALSE);
}
