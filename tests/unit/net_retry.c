/* SPDX-License-Identifier: Apache-2.0 */
/* The retry decision as a table, and the two forms of Retry-After. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rule.h"
#include "net/retry.h"

#define EVER G_MAXINT64

typedef struct {
  const char *what;
  RetryCase given;
  gint64 wait_ms;
} Row;

/* end, status, changes, resent, busy, retry_after, waited, patience, left */
static const Row rows[] = {
    {"any status is an answer", {END_ANSWERED, 200, FALSE, 0, 0, -1, 0, 30000, EVER}, -1},
    {"so is an error", {END_ANSWERED, 500, FALSE, 0, 0, -1, 0, 30000, EVER}, -1},
    {"Retry-After means nothing there", {END_ANSWERED, 404, FALSE, 0, 0, 1000, 0, 30000, EVER}, -1},
    {"busy", {END_ANSWERED, 503, FALSE, 0, 0, -1, 0, 30000, EVER}, 1000},
    {"busy again", {END_ANSWERED, 503, FALSE, 0, 1, -1, 1000, 30000, EVER}, 2000},
    {"and again", {END_ANSWERED, 429, FALSE, 0, 2, -1, 3000, 30000, EVER}, 4000},
    {"no fourth time", {END_ANSWERED, 503, FALSE, 0, 3, -1, 7000, 30000, EVER}, -1},
    {"busy did nothing: a change too", {END_ANSWERED, 503, TRUE, 0, 0, -1, 0, 30000, EVER}, 1000},
    {"the server's time", {END_ANSWERED, 503, FALSE, 0, 0, 5000, 0, 30000, EVER}, 5000},
    {"at once is not at once", {END_ANSWERED, 503, FALSE, 0, 0, 0, 0, 30000, EVER}, 100},
    {"nor for ever", {END_ANSWERED, 503, FALSE, 0, 6, 0, 600, 30000, EVER}, -1},
    {"more than patience", {END_ANSWERED, 503, FALSE, 0, 0, 31000, 0, 30000, EVER}, -1},
    {"more than what is left of it",
     {END_ANSWERED, 503, FALSE, 0, 1, 20000, 20000, 30000, EVER},
     -1},
    {"beyond the deadline", {END_ANSWERED, 503, FALSE, 0, 0, -1, 0, 30000, 900}, -1},
    {"before the deadline", {END_ANSWERED, 503, FALSE, 0, 0, -1, 0, 30000, 1100}, 1000},
    {"broken: again at once", {END_SILENT, 0, FALSE, 0, 0, -1, 0, 30000, EVER}, 0},
    {"broken: once more", {END_SILENT, 0, FALSE, 1, 0, -1, 0, 30000, EVER}, 250},
    {"broken: enough", {END_SILENT, 0, FALSE, 2, 0, -1, 250, 30000, EVER}, -1},
    {"broken: never a change", {END_SILENT, 0, TRUE, 0, 0, -1, 0, 30000, EVER}, -1},
    {"broken at the deadline", {END_SILENT, 0, FALSE, 0, 0, -1, 0, 30000, 0}, -1},
    {"nobody there", {END_UNSENT, 0, FALSE, 0, 0, -1, 0, 30000, EVER}, -1},
    {"broken in the middle", {END_FINAL, 0, FALSE, 0, 0, -1, 0, 30000, EVER}, -1},
};

static void test_table(void **state)
{
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    gint64 wait = retry_wait_ms(&rows[i].given);
    if (wait != rows[i].wait_ms)
      fail_msg("%s: %" G_GINT64_FORMAT ", not %" G_GINT64_FORMAT, rows[i].what, wait,
               rows[i].wait_ms);
  }
}

static void test_after(void **state)
{
  (void)state;
  static const struct {
    const char *value;
    gint64 ms;
  } values[] = {
      {NULL, -1},
      {"", -1},
      {"soon", -1},
      {"-1", -1},
      {"0", 0},
      {"7", 7000},
      {"99999999", 24 * 3600 * 1000},
      {"99999999999999999999", -1},
      {"Sun, 06 Nov 1994 08:49:37 GMT", 10000}, /* RFC 9110 section 5.6.7 */
      {"Sunday, 06-Nov-94 08:49:37 GMT", 10000},
      {"Sun, 06 Nov 1994 08:49:00 GMT", 0},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
    assert_int_equal(retry_parse_after(values[i].value, 784111767), values[i].ms);
}

int main(void)
{
  const char *broken = g_getenv("XFS_BREAK");
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_after)};
  if (broken)
    rule_break(broken);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
