/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log: one line a message, with its area and level. Lower layers log at debug only and return
 * errors; fs/ and cli/ log what a user must know, once. Nothing secret can be passed: a Secret has
 * no way to be printed. Control characters in what a server said are escaped.
 */
#pragma once

#include <glib.h>

typedef enum { LOG_ERROR_LEVEL, LOG_WARNING_LEVEL, LOG_INFO_LEVEL, LOG_DEBUG_LEVEL } LogLevel;

/* Where lines go. SYSLOG after the daemon let go of its terminal. */
typedef enum { LOG_TO_STDERR, LOG_TO_SYSLOG, LOG_TO_FILE } LogSink;

/*
 * Chooses the sink (PATH for LOG_TO_FILE, opened append, 0600) and the highest level that is
 * written; AREAS is a comma list for debug lines ("net,fs"), NULL for all. FALSE with errno kept
 * when the file cannot be opened. Call before threads start.
 */
gboolean log_open(LogSink sink, const char *path, LogLevel level, const char *areas);

/* Writes one line. AREA is the folder's name. Does not block beyond the write. */
void log_write(LogLevel level, const char *area, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* TRUE when debug lines of AREA are written: guards work done only for the log. */
gboolean log_debugs(const char *area);

/*
 * TEXT for a terminal or a log: on one line, what log_is_plain() refuses escaped as \xNN, bytes
 * that are no UTF-8 replaced. The caller owns it.
 */
char *log_plain(const char *text);

/* FALSE: C does something to a terminal, or to how the rest of a line looks. */
gboolean log_is_plain(gunichar c);

#define log_debug(area, ...)                                                                       \
  do {                                                                                             \
    if (log_debugs(area))                                                                          \
      log_write(LOG_DEBUG_LEVEL, area, __VA_ARGS__);                                               \
  } while (0)
#define log_info(area, ...) log_write(LOG_INFO_LEVEL, area, __VA_ARGS__)
#define log_warning(area, ...) log_write(LOG_WARNING_LEVEL, area, __VA_ARGS__)
#define log_error(area, ...) log_write(LOG_ERROR_LEVEL, area, __VA_ARGS__)
