/* SPDX-License-Identifier: Apache-2.0 */
/* Copies, frees and prints property values; calendar arithmetic without the C library's locale and
 * without its locks, since a listing prints tens of thousands of times. */
#include "value.h"

Value *value_dup(const Value *value)
{
  Value *copy = g_new(Value, 1);
  *copy = *value;
  copy->s = g_strdup(value->s);
  copy->b = value->b ? g_bytes_ref(value->b) : NULL;
  copy->list = g_strdupv(value->list);
  return copy;
}

void value_free(Value *value)
{
  if (!value) {
    return;
  }
  g_free((char *)value->s);
  if (value->b) {
    g_bytes_unref(value->b);
  }
  g_strfreev(value->list);
  g_free(value);
}

typedef struct {
  int year, month, day, hour, minute, second, ms, weekday;
} Civil;

/* Days since 1970 to a Gregorian date: 400-year eras that begin on 1 March. */
static Civil civil(gint64 ms)
{
  gint64 day_ms = 86400000;
  gint64 days = ms >= 0 ? ms / day_ms : -((-ms + day_ms - 1) / day_ms);
  int rest = (int)(ms - days * day_ms);
  gint64 z = days + 719468;
  gint64 era = (z >= 0 ? z : z - 146096) / 146097;
  int doe = (int)(z - era * 146097);
  int yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  int doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  int mp = (5 * doy + 2) / 153;
  int month = mp < 10 ? mp + 3 : mp - 9;
  return (Civil){
      .year = (int)(yoe + era * 400) + (month <= 2),
      .month = month,
      .day = doy - (153 * mp + 2) / 5 + 1,
      .hour = rest / 3600000,
      .minute = rest / 60000 % 60,
      .second = rest / 1000 % 60,
      .ms = rest % 1000,
      .weekday = (int)(((days % 7) + 11) % 7),
  };
}

static void append_digits(GString *out, int value, int width)
{
  char digits[8];
  for (int i = width - 1; i >= 0; i--) {
    digits[i] = (char)('0' + value % 10);
    value /= 10;
  }
  g_string_append_len(out, digits, width);
}

void value_append_iso(GString *out, gint64 ms)
{
  Civil c = civil(ms);
  append_digits(out, c.year, 4);
  g_string_append_c(out, '-');
  append_digits(out, c.month, 2);
  g_string_append_c(out, '-');
  append_digits(out, c.day, 2);
  g_string_append_c(out, 'T');
  append_digits(out, c.hour, 2);
  g_string_append_c(out, ':');
  append_digits(out, c.minute, 2);
  g_string_append_c(out, ':');
  append_digits(out, c.second, 2);
  g_string_append_c(out, '.');
  append_digits(out, c.ms, 3);
  g_string_append_c(out, 'Z');
}

void value_append_http_date(GString *out, gint64 ms)
{
  static const char days[] = "SunMonTueWedThuFriSat";
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  Civil c = civil(ms);
  g_string_append_len(out, days + 3 * c.weekday, 3);
  g_string_append(out, ", ");
  append_digits(out, c.day, 2);
  g_string_append_c(out, ' ');
  g_string_append_len(out, months + 3 * (c.month - 1), 3);
  g_string_append_c(out, ' ');
  append_digits(out, c.year, 4);
  g_string_append_c(out, ' ');
  append_digits(out, c.hour, 2);
  g_string_append_c(out, ':');
  append_digits(out, c.minute, 2);
  g_string_append_c(out, ':');
  append_digits(out, c.second, 2);
  g_string_append(out, " GMT");
}

gboolean value_parse_iso(const char *text, gint64 *ret)
{
  g_autoptr(GTimeZone) utc = g_time_zone_new_utc();
  g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(text, utc);
  if (!time) {
    return FALSE;
  }
  *ret = g_date_time_to_unix(time) * 1000 + g_date_time_get_microsecond(time) / 1000;
  return TRUE;
}
