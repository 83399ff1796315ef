/* SPDX-License-Identifier: Apache-2.0 */
/* Tables for the mailbox's tuned judgements. */
#include "mailbox/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define SEC G_USEC_PER_SEC

static void fresh_means_young_and_not_from_the_future(void **state)
{
  static const struct {
    gint64 now, then, ttl;
    gboolean fresh;
    gint64 valid;
  } rows[] = {
      {100 * SEC, 90 * SEC, 60 * SEC, TRUE, 50 * SEC},
      {100 * SEC, 40 * SEC, 60 * SEC, FALSE, 0}, /* just as old as allowed */
      {100 * SEC, 100 * SEC, 60 * SEC, TRUE, 60 * SEC},
      {100 * SEC, 100 * SEC, 0, FALSE, 0},        /* attr_ttl=0: close-to-open */
      {100 * SEC, 101 * SEC, 60 * SEC, FALSE, 0}, /* the clock was set back */
      {100 * SEC, 0, 200 * SEC, FALSE, 0},        /* never */
  };
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    assert_int_equal(policy_fresh(rows[i].now, rows[i].then, rows[i].ttl), rows[i].fresh);
    assert_int_equal(policy_valid(rows[i].now, rows[i].then, rows[i].ttl), rows[i].valid);
  }
}

static void lookup_asks_no_more_than_it_must(void **state)
{
  const gint64 now = 1000 * SEC, ttl = 60 * SEC, young = now - SEC, old = now - 100 * SEC;
  const struct {
    LookupFacts facts;
    Ask ask;
  } rows[] = {
      {{now, ttl, young, 0, FALSE, 0, 0}, ASK_NOTHING},
      {{now, ttl, old, young, FALSE, 0, 0}, ASK_NOTHING},
      {{now, ttl, old, old, TRUE, 0, 0}, ASK_PROBE},
      {{now, ttl, 0, old, TRUE, 0, 0}, ASK_ITEM}, /* nothing to compare the tag with */
      {{now, ttl, old, old, FALSE, 1, 100}, ASK_ITEM},
      {{now, ttl, old, old, FALSE, 16, 100}, ASK_LISTING},
      {{now, ttl, old, old, FALSE, 16, 1000000}, ASK_ITEM},
      {{now, ttl, 0, 0, FALSE, 16, 100}, ASK_ITEM}, /* nobody has listed it yet */
      {{now, 0, old, old, FALSE, 16, 100}, ASK_ITEM},
  };
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
    assert_int_equal(policy_lookup(&rows[i].facts), rows[i].ask);
}

static void opendir_probes_before_it_lists(void **state)
{
  const gint64 now = 1000 * SEC, ttl = 60 * SEC;
  (void)state;
  assert_int_equal(policy_opendir(now, ttl, now - SEC, TRUE), ASK_NOTHING);
  assert_int_equal(policy_opendir(now, ttl, now - 100 * SEC, TRUE), ASK_PROBE);
  assert_int_equal(policy_opendir(now, ttl, now - 100 * SEC, FALSE), ASK_LISTING);
  assert_int_equal(policy_opendir(now, ttl, 0, TRUE), ASK_LISTING);
}

static void only_a_small_rest_is_fetched_for_nobody(void **state)
{
  (void)state;
  assert_true(policy_finish_body(900000, 1000000));
  assert_false(policy_finish_body(1000, 1 << 30));
  assert_false(policy_finish_body(1000, -1));
}

static void a_dead_line_is_left_alone_longer_and_longer(void **state)
{
  (void)state;
  assert_int_equal(policy_line_pause(0), 0);
  assert_int_equal(policy_line_pause(1), SEC);
  assert_int_equal(policy_line_pause(2), 2 * SEC);
  assert_int_equal(policy_line_pause(1000), 10 * SEC);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(fresh_means_young_and_not_from_the_future),
      cmocka_unit_test(lookup_asks_no_more_than_it_must),
      cmocka_unit_test(opendir_probes_before_it_lists),
      cmocka_unit_test(only_a_small_rest_is_fetched_for_nobody),
      cmocka_unit_test(a_dead_line_is_left_alone_longer_and_longer),
  };
  return cmocka_run_group_tests_name("mailbox_policy", tests, NULL, NULL);
}
