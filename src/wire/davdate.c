/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the parsing of server times; leaves which property holds which time to store/webdav. */
#include "wire/davdate.h"

#include "base/rule.h"

#include <string.h>

#define NS_PER_SECOND G_GINT64_CONSTANT(1000000000)

typedef struct {
  int year, month, day, hour, minute, second;
} Civil;

/* Takes DIGITS digits from *AT; FALSE when there are fewer. */
static gboolean take_number(const char **at, guint digits, int *ret)
{
  int value = 0;
  for (guint i = 0; i < digits; i++) {
    if (!g_ascii_isdigit((*at)[i]))
      return FALSE;
    value = value * 10 + ((*at)[i] - '0');
  }
  *at += digits;
  *ret = value;
  return TRUE;
}

static gboolean take_char(const char **at, char c)
{
  if (**at != c)
    return FALSE;
  ++*at;
  return TRUE;
}

static gboolean is_leap(int year)
{
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static gboolean civil_valid(const Civil *c)
{
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (c->year < 1 || c->month < 1 || c->month > 12 || c->hour > 23 || c->minute > 59 ||
      c->second > 60) /* 60: a leap second */
    return FALSE;
  int last = days[c->month - 1] + (c->month == 2 && is_leap(c->year) ? 1 : 0);
  return c->day >= 1 && c->day <= last;
}

/* Days since 1970-01-01 in the Gregorian calendar; years are counted from March. */
static gint64 days_since_epoch(const Civil *c)
{
  gint64 year = c->month <= 2 ? c->year - 1 : c->year;
  gint64 month = (c->month + 9) % 12;
  gint64 day_of_year = (153 * month + 2) / 5 + c->day - 1;
  return year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719468;
}

static gboolean to_ns(const Civil *c, int zone_minutes, gint64 fraction_ns, gint64 *ret)
{
  if (!civil_valid(c))
    return FALSE;
  gint64 minutes = days_since_epoch(c) * 1440 + c->hour * 60 + c->minute - zone_minutes;
  gint64 ns;
  if (__builtin_mul_overflow(minutes * 60 + c->second, NS_PER_SECOND, &ns) ||
      __builtin_add_overflow(ns, fraction_ns, &ns) || ns == G_MININT64)
    return FALSE;
  *ret = ns;
  return TRUE;
}

/* One to nine digits after a dot, as nanoseconds; more are cut. */
static gboolean take_fraction(const char **at, gint64 *ret)
{
  gint64 value = 0;
  gint64 unit = NS_PER_SECOND;
  if (!g_ascii_isdigit(**at))
    return FALSE;
  for (; g_ascii_isdigit(**at); ++*at) {
    unit /= 10;
    value += unit * (**at - '0');
  }
  *ret = value;
  return TRUE;
}

static gboolean take_zone(const char **at, int *ret)
{
  if (take_char(at, 'Z'))
    return TRUE;
  int sign = **at == '-' ? -1 : 1;
  int hour, minute;
  if ((**at != '+' && **at != '-') || (++*at, !take_number(at, 2, &hour)) || !take_char(at, ':') ||
      !take_number(at, 2, &minute) || hour > 14 || minute > 59)
    return FALSE;
  *ret = sign * (hour * 60 + minute);
  return TRUE;
}

static gboolean parse_iso(const char *at, gint64 *ret)
{
  Civil c;
  gint64 fraction = 0;
  int zone = 0;
  if (!take_number(&at, 4, &c.year) || !take_char(&at, '-') || !take_number(&at, 2, &c.month) ||
      !take_char(&at, '-') || !take_number(&at, 2, &c.day) || !take_char(&at, 'T') ||
      !take_number(&at, 2, &c.hour) || !take_char(&at, ':') || !take_number(&at, 2, &c.minute) ||
      !take_char(&at, ':') || !take_number(&at, 2, &c.second))
    return FALSE;
  if (take_char(&at, '.') && !take_fraction(&at, &fraction))
    return FALSE;
  return take_zone(&at, &zone) && !*at && to_ns(&c, zone, fraction, ret);
}

static gboolean parse_rfc1123(const char *at, gint64 *ret)
{
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  static const char days[] = "MonTueWedThuFriSatSun";
  Civil c;
  if (strlen(at) != 29 || memcmp(at + 3, ", ", 2) != 0)
    return FALSE;
  g_autofree char *day = g_strndup(at, 3);
  g_autofree char *month = g_strndup(at + 8, 3);
  const char *hit = strstr(months, month);
  if (!strstr(days, day) || !hit || (hit - months) % 3 != 0)
    return FALSE;
  c.month = (int)(hit - months) / 3 + 1;
  at += 5;
  if (!take_number(&at, 2, &c.day) || !take_char(&at, ' '))
    return FALSE;
  at += 3;
  return take_char(&at, ' ') && take_number(&at, 4, &c.year) && take_char(&at, ' ') &&
         take_number(&at, 2, &c.hour) && take_char(&at, ':') && take_number(&at, 2, &c.minute) &&
         take_char(&at, ':') && take_number(&at, 2, &c.second) && strcmp(at, " GMT") == 0 &&
         to_ns(&c, 0, 0, ret);
}

gboolean davdate_parse(const char *text, gint64 *ret)
{
  return (RULE("dav-iso-date") && parse_iso(text, ret)) || parse_rfc1123(text, ret);
}

char *davdate_stamp(gint64 ns)
{
  gint64 seconds = ns / NS_PER_SECOND;
  gint64 rest = ns % NS_PER_SECOND;
  if (rest < 0) {
    rest += NS_PER_SECOND;
    seconds--;
  }
  return g_strdup_printf("%" G_GINT64_FORMAT ".%09" G_GINT64_FORMAT, seconds, rest);
}

gboolean davdate_parse_stamp(const char *text, gint64 *ret)
{
  char *end;
  if (!g_ascii_isdigit(*text) && *text != '-')
    return FALSE;
  gint64 seconds = g_ascii_strtoll(text, &end, 10);
  const char *at = end;
  gint64 fraction = 0;
  gint64 ns;
  if ((take_char(&at, '.') && !take_fraction(&at, &fraction)) || *at ||
      __builtin_mul_overflow(seconds, NS_PER_SECOND, &ns) ||
      __builtin_add_overflow(ns, fraction, &ns) || ns == G_MININT64)
    return FALSE;
  *ret = ns;
  return TRUE;
}
