/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the sink, the level and the escaping of lines; leaves what is worth a line to the caller. */
#include "base/log.h"

#include <fcntl.h>
#include <stdio.h>
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

/* A server's text may hold line breaks and terminal escapes: neither reaches the log as itself. */
static void escape_controls(GString *line)
{
  for (gsize i = 0; i < line->len; i++) {
    guchar c = (guchar)line->str[i];
    if (c >= 0x20 && c != 0x7f)
      continue;
    char code[5];
    g_snprintf(code, sizeof code, "\\x%02x", c);
    g_string_erase(line, (gssize)i, 1);
    g_string_insert(line, (gssize)i, code);
    i += 3;
  }
}

void log_write(LogLevel level, const char *area, const char *format, ...)
{
  static const char *const names[] = {"error", "warning", "info", "debug"};
  static const int priorities[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};
  if (level > log_level)
    return;

  GString *line = g_string_new(NULL);
  va_list args;
  va_start(args, format);
  g_string_append_vprintf(line, format, args);
  va_end(args);
  escape_controls(line);

  if (log_sink == LOG_TO_SYSLOG) {
    syslog(priorities[level], "%s: %s", area, line->str);
  } else {
    char stamp[40];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &utc);
    g_autofree char *text =
        g_strdup_printf("%s exchangefs %s %s: %s\n", stamp, names[level], area, line->str);
    ssize_t written = write(log_fd, text, strlen(text)); /* one write: lines never mix */
    (void)written;
  }
  g_string_free(line, TRUE);
}
