/* SPDX-License-Identifier: Apache-2.0 */
/* Literals of a query: what 'text', 12, TRUE and CAST("..." AS 'type') mean to each kind of
 * property. All conversion happens here, once, so that matching a row converts nothing.
 */
#include "sql_tree.h"

#include <errno.h>
#include <math.h>
#include <string.h>

static gboolean text_to_number(const char *text, SqlValue *ret)
{
  char *end;
  SqlValue value = {.kind = SQL_VALUE_INT};

  if (text[0] != '-' && text[0] != '+' && text[0] != '.' && !g_ascii_isdigit(text[0]))
    return FALSE;
  errno = 0;
  value.i = g_ascii_strtoll(text, &end, 10);
  if (errno == 0 && end != text && *end == '\0') {
    *ret = value;
    return TRUE;
  }
  errno = 0;
  value.kind = SQL_VALUE_FLOAT;
  value.f = g_ascii_strtod(text, &end);
  if (errno != 0 || end == text || *end != '\0' || !isfinite(value.f))
    return FALSE;
  *ret = value;
  return TRUE;
}

static gboolean text_to_bool(const char *text, SqlValue *ret)
{
  gboolean yes = g_str_equal(text, "1") || g_ascii_strcasecmp(text, "true") == 0;

  if (!yes && !g_str_equal(text, "0") && g_ascii_strcasecmp(text, "false") != 0)
    return FALSE;
  *ret = (SqlValue){.kind = SQL_VALUE_BOOL, .i = yes};
  return TRUE;
}

/* 2004-03-09[T06:36:40[.123][Z|+01:00]], also with slashes in the date and a blank for the T. */
static gboolean text_to_time(const char *text, SqlValue *ret)
{
  size_t len = strlen(text);
  char date[64];

  if (len < 10 || len >= sizeof date - 10 || (text[4] != '-' && text[4] != '/') ||
      text[7] != text[4])
    return FALSE;
  g_snprintf(date, sizeof date, "%s%s", text, len == 10 ? "T00:00:00" : "");
  date[4] = date[7] = '-';
  g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
  g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(date, utc);
  if (time == NULL)
    return FALSE;
  *ret =
      (SqlValue){.kind = SQL_VALUE_TIME,
                 .i = g_date_time_to_unix(time) * 1000 + g_date_time_get_microsecond(time) / 1000};
  return TRUE;
}

/* g_base64_decode skips what it does not know; a server that takes any text for a key hides errors.
 */
static gboolean text_to_binary(const char *text, SqlValue *ret)
{
  gsize len = strlen(text), size;

  if (len % 4 != 0)
    return FALSE;
  gsize body = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
  if (len - body > 2 || strspn(text + body, "=") != len - body)
    return FALSE;
  guchar *bytes = g_base64_decode(text, &size);
  *ret = (SqlValue){.kind = SQL_VALUE_BINARY, .b = g_bytes_new_take(bytes, size)};
  return TRUE;
}

static void set_text(SqlLiteral *literal, const char *text)
{
  literal->text = g_strdup(text);
  literal->as[SQL_VALUE_STRING] = (SqlValue){.kind = SQL_VALUE_STRING, .s = literal->text};
}

void sql_literal_string(SqlLiteral *ret, const char *text)
{
  set_text(ret, text);
  if (text_to_number(text, &ret->as[SQL_VALUE_INT]))
    ret->as[SQL_VALUE_FLOAT] = ret->as[SQL_VALUE_INT];
  text_to_bool(text, &ret->as[SQL_VALUE_BOOL]);
  text_to_time(text, &ret->as[SQL_VALUE_TIME]);
}

gboolean sql_literal_number(SqlLiteral *ret, const char *text)
{
  SqlValue value;

  if (!text_to_number(text, &value))
    return FALSE;
  set_text(ret, text);
  ret->as[SQL_VALUE_INT] = ret->as[SQL_VALUE_FLOAT] = ret->as[SQL_VALUE_BOOL] = value;
  return TRUE;
}

/* Flags kept in string properties hold 1 or 0. */
void sql_literal_bool(SqlLiteral *ret, gboolean value)
{
  SqlValue number = {.kind = SQL_VALUE_BOOL, .i = value != FALSE};

  set_text(ret, value ? "1" : "0");
  ret->as[SQL_VALUE_INT] = ret->as[SQL_VALUE_FLOAT] = ret->as[SQL_VALUE_BOOL] = number;
}

gboolean sql_literal_cast(SqlLiteral *ret, const char *text, const char *type)
{
  static const struct {
    const char *type;
    SqlValueKind kind;
  } types[] = {
      {"string", SQL_VALUE_STRING},
      {"uuid", SQL_VALUE_STRING},
      {"dateTime.tz", SQL_VALUE_TIME},
      {"dateTime", SQL_VALUE_TIME},
      {"date", SQL_VALUE_TIME},
      {"boolean", SQL_VALUE_BOOL},
      {"bin.base64", SQL_VALUE_BINARY},
      {"int", SQL_VALUE_INT},
      {"i2", SQL_VALUE_INT},
      {"i4", SQL_VALUE_INT},
      {"i8", SQL_VALUE_INT},
      {"float", SQL_VALUE_FLOAT},
      {"r4", SQL_VALUE_FLOAT},
      {"r8", SQL_VALUE_FLOAT},
  };
  SqlValue value;
  SqlValueKind kind = SQL_VALUE_NULL;

  for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
    if (g_ascii_strcasecmp(type, types[i].type) == 0)
      kind = types[i].kind;
  switch (kind) {
  case SQL_VALUE_NULL:
    return FALSE;
  case SQL_VALUE_STRING:
    set_text(ret, text);
    return TRUE;
  case SQL_VALUE_BOOL:
    if (!text_to_bool(text, &value))
      return FALSE;
    sql_literal_bool(ret, value.i != 0);
    return TRUE;
  case SQL_VALUE_INT:
  case SQL_VALUE_FLOAT:
    return text_to_number(text, &value) &&
           (kind == SQL_VALUE_FLOAT || value.kind == SQL_VALUE_INT) &&
           sql_literal_number(ret, text);
  case SQL_VALUE_TIME:
    return text_to_time(text, &ret->as[SQL_VALUE_TIME]);
  case SQL_VALUE_BINARY:
    return text_to_binary(text, &ret->as[SQL_VALUE_BINARY]);
  }
  return FALSE;
}

void sql_literal_clear(SqlLiteral *literal)
{
  g_clear_pointer(&literal->text, g_free);
  g_clear_pointer(&literal->as[SQL_VALUE_BINARY].b, g_bytes_unref);
}
