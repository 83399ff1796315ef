/* SPDX-License-Identifier: Apache-2.0 */
/* A typed property value, as the mailbox model keeps it and as every face of it reads it.
 * Plain data: whoever fills one in owns what it points to, or says that it is borrowed. */
#pragma once

#include <glib.h>

typedef enum {
  VALUE_NONE,
  VALUE_STRING,
  VALUE_INT,
  VALUE_BOOL,
  VALUE_TIME, /* i: milliseconds since 1970, UTC */
  VALUE_FLOAT,
  VALUE_BINARY,
  VALUE_LIST, /* several strings */
} ValueKind;

typedef struct {
  ValueKind kind;
  gint64 i;
  double f;
  const char *s;
  GBytes *b;
  char **list; /* NULL-terminated */
} Value;

/* A deep copy; free with value_free. */
Value *value_dup(const Value *value);
void value_free(Value *value);

static inline Value value_string(const char *s)
{
  return (Value){.kind = s ? VALUE_STRING : VALUE_NONE, .s = s};
}
static inline Value value_int(gint64 i)
{
  return (Value){.kind = VALUE_INT, .i = i};
}
static inline Value value_bool(gboolean b)
{
  return (Value){.kind = VALUE_BOOL, .i = b ? 1 : 0};
}
static inline Value value_time(gint64 ms)
{
  return (Value){.kind = VALUE_TIME, .i = ms};
}

/* 2004-03-09T06:36:40.125Z, as Exchange writes times in XML. Appends to out. */
void value_append_iso(GString *out, gint64 ms);
/* Tue, 09 Mar 2004 06:36:40 GMT (RFC 9110 5.6.7). Appends to out. */
void value_append_http_date(GString *out, gint64 ms);
/* Reads an ISO 8601 time with or without fraction and zone (UTC then). FALSE leaves ret alone. */
gboolean value_parse_iso(const char *text, gint64 *ret);
