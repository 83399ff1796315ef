/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the numbers of trying again; leaves the waiting and the sending to http.c. */
#include "net/retry.h"

#include "base/rule.h"

#include <curl/curl.h>

#define RESEND_MAX 2u
#define BUSY_STEPS 3u     /* 1, 2, 4 s when the server names no time */
#define BUSY_MAX 6u       /* a server that says "at once" for ever is not believed for ever */
#define BUSY_LEAST_MS 100 /* nor taken at its word when that would be a busy loop */
#define AFTER_MAX_MS ((gint64)24 * 3600 * 1000)

static gint64 busy_wait_ms(const RetryCase *attempt)
{
  if (attempt->busy >= BUSY_MAX)
    return -1;
  if (attempt->retry_after_ms >= 0)
    return MAX(attempt->retry_after_ms, BUSY_LEAST_MS);
  return attempt->busy < BUSY_STEPS ? (gint64)1000 << attempt->busy : -1;
}

gint64 retry_wait_ms(const RetryCase *attempt)
{
  gint64 wait = -1;
  if (attempt->end == END_ANSWERED && (attempt->status == 429 || attempt->status == 503) &&
      RULE("net-busy"))
    wait = busy_wait_ms(attempt);
  else if (attempt->end == END_SILENT && !attempt->changes && attempt->resent < RESEND_MAX &&
           RULE("net-resend"))
    wait = attempt->resent == 0 ? 0 : 250;
  if (wait < 0 || wait >= attempt->left_ms || wait > attempt->patience_ms - attempt->waited_ms)
    return -1;
  return wait;
}

gint64 retry_parse_after(const char *value, gint64 now)
{
  if (!value)
    return -1;
  guint64 seconds;
  if (g_ascii_string_to_unsigned(value, 10, 0, G_MAXUINT32, &seconds, NULL))
    return MIN((gint64)seconds * 1000, AFTER_MAX_MS);
  gint64 date = curl_getdate(value, NULL);
  if (date < 0)
    return -1;
  return CLAMP(date - now, 0, AFTER_MAX_MS / 1000) * 1000;
}
