/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of a mount for many users. */
#include "cli/expand.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void templates_name_the_user(void **state)
{
  static const struct {
    const char *template, *name, *plain, *url;
  } cases[] = {
      {"FILE:/tmp/krb5cc_%U", "alice", "FILE:/tmp/krb5cc_4001", "FILE:/tmp/krb5cc_4001"},
      {"%u@EXAMPLE.ORG", "alice", "alice@EXAMPLE.ORG", "alice@EXAMPLE.ORG"},
      {"https://h/exchange/%u/%u", "al", "https://h/exchange/al/al", "https://h/exchange/al/al"},
      {"a%20b/%55/%", "alice", "a%20b/%55/%", "a%20b/%55/%"},
      {"%{uid}%%", "alice", "%{uid}%%", "%{uid}%%"},
      {"/%u/", "D\\a/%u ?", "/D\\a/%u ?/", "/D%5Ca%2F%25u%20%3F/"},
      {"", "alice", "", ""},
  };
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *plain = expand_user(cases[i].template, cases[i].name, 4001);
    g_autofree char *url = expand_user_url(cases[i].template, cases[i].name, 4001);
    assert_string_equal(plain, cases[i].plain);
    assert_string_equal(url, cases[i].url);
  }
  assert_null(expand_user(NULL, "alice", 4001));
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(templates_name_the_user)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
