/* SPDX-License-Identifier: Apache-2.0 */
/* Which build is which Exchange. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "store/webdav/private.h"

static void test_release(void **state)
{
  (void)state;
  static const struct {
    const char *build, *name;
  } rows[] = {
      {"6.0.4417", "Exchange 2000"},
      {"6.0.4711.9", "Exchange 2000"},
      {"6.0.4712.0", "Exchange 2000 SP1"},
      {"6.0.6249.0", "Exchange 2000 SP3"},
      {"6.0.9999.0", "Exchange 2000 SP3"},
      {"6.5.6944", "Exchange 2003"},
      {"6.5.7226", "Exchange 2003 SP1"},
      {"6.5.7638.1", "Exchange 2003 SP2"},
      {"6.5.7654.4", "Exchange 2003 SP2"},
      {"08.00.0685", "Exchange 2007"},
      {"08.01.10240", "Exchange 2007 SP1"},
      {"8.3.83.0", "Exchange 2007 SP3"},
      {"14.3.123.3", "Exchange 2010 SP3"},
      {"15.0.1497.2", "Exchange 2013"},
      {"15.1.2507.6", "Exchange 2016"},
      {"15.2.1118.7", "Exchange 2019"},
      {"15.2", "Exchange 2019"},
      {"7.0.0", NULL},
      {"16.0.1", NULL},
      {"8.9.1", NULL},
      {"", NULL},
      {"6", NULL},
      {"6.", NULL},
      {"x.y.z", NULL},
      {"-6.5.7226", NULL},
      {"99999999999999999999999.5.1", NULL},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
    if (g_strcmp0(dav_release(rows[i].build), rows[i].name) != 0)
      fail_msg("%s: %s", rows[i].build, dav_release(rows[i].build));
}

int main(void)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_release)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
