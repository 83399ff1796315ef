/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the sink, the level and the escaping of lines; leaves what is worth a line to the caller. */
#include "base/log.h"

#include "base/rule.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* Written by log_open() before threads start. */
static LogSink log_sink = LOG_TO_STDERR;
static LogLevel log_level = LOG_WARNING_LEVEL;
static char **log_areas;
static int log_fd = STDERR_FILENO;

gboolean log_open(LogSink sink, const char *path, LogLevel level, const char *areas)
{
  if (sink == LOG_TO_FILE) {
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
      return FALSE;
    log_fd = fd;
  }
  if (sink == LOG_TO_SYSLOG)
    openlog("exchangefs", LOG_PID, LOG_DAEMON);
  log_sink = sink;
  log_level = level;
  g_strfreev(log_areas);
  log_areas = areas ? g_strsplit(areas, ",", -1) : NULL;
  return TRUE;
}

gboolean log_debugs(const char *area)
{
  return log_level >= LOG_DEBUG_LEVEL &&
         (!log_areas || g_strv_contains((const char *const *)log_areas, area));
}

gboolean log_is_plain(gunichar c)
{
  if (!RULE("log-plain"))
    return TRUE;
  switch (g_unichar_type(c)) {
  case G_UNICODE_CONTROL:
  case G_UNICODE_FORMAT: /* turns the direction of writing, or is not to be seen */
  case G_UNICODE_LINE_SEPARATOR:
  case G_UNICODE_PARAGRAPH_SEPARATOR:
    return FALSE;
  default:
    return TRUE;
  }
}

/* A server's text may hold line breaks and terminal escapes: neither reaches anybody as itself. */
char *log_plain(const char *text)
{
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  GString *out = g_string_sized_new(strlen(valid));
  for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
    gunichar c = g_utf8_get_char(at);
    if (log_is_plain(c))
      g_string_append_unichar(out, c);
    else
      g_string_append_printf(out, "\\x%02x", c);
  }
  return g_string_free(out, FALSE);
}

void log_write(LogLevel level, const char *area, const char *format, ...)
{
  static const char *const names[] = {"error", "warning", "info", "debug"};
  static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
  if (level > log_level)
    return;

  va_list args;
  va_start(args, format);
  g_autofree char *said = g_strdup_vprintf(format, args);
  va_end(args);
  g_autofree char *line = log_plain(said);

  if (log_sink == LOG_TO_SYSLOG) {
    syslog(priorities[level], "%s: %s", area, line);
  } else {
    char stamp[40];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    g_autofree char *text =
        g_strdup_printf("%s exchangefs %s %s: %s\n", stamp, names[level], area, line);
    ssize_t written = write(log_fd, text, strlen(text)); /* one write: lines never mix */
    (void)written;
  }
}
