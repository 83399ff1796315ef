/* SPDX-License-Identifier: Apache-2.0 */
/* Options of a mount for many users: what goes together, what each user's source is. */
#include "cli/many.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The sentence that OPTIONS are refused with, or "" when they are not. */
static char *verdict(const char *options, const char *source, gboolean root, Options *ret)
{
  g_autoptr(GError) error = NULL;
  char *argv[] = {"exchangefs", "-o", (char *)options, (char *)source, "/mnt"};
  gboolean ok = options_parse(G_N_ELEMENTS(argv), argv, ret, &error);
  if (!ok)
    fail_msg("%s: %s", options, error->message);
  ok = many_check(ret, root, &error);
  return g_strdup(ok ? "" : error->message);
}

static void options_that_go_together(void **state)
{
  static const struct {
    const char *options, *source;
    gboolean root;
    const char *says;
  } cases[] = {
      {"multiuser,allow_other", "https://h/exchange/%u/", FALSE, ""},
      {"multiuser", "https://h/exchange/%U/", TRUE, ""},
      {"multiuser,sec=none", "https://h/public/", TRUE, ""},
      {"multiuser,sec=negotiate,keytab=/k", "https://h/%u", TRUE, ""},
      {"multiuser", "https://h/exchange/%u/", FALSE, "add allow_other"},
      {"multiuser,sec=basic", "https://h/%u", TRUE, "use sec=negotiate"},
      {"multiuser,sec=ntlm", "https://h/%u", TRUE, "use sec=negotiate"},
      {"multiuser,sec=forms", "https://h/%u", TRUE, "use sec=negotiate"},
      {"multiuser,sec=bearer", "https://h/%u", TRUE, "use sec=negotiate"},
      {"multiuser,user=alice", "https://h/%u", TRUE, "user= is one person's"},
      {"multiuser,passwd_file=/p", "https://h/%u", TRUE, "passwd_file= is one person's"},
      {"multiuser,passwd_cmd=c", "https://h/%u", TRUE, "passwd_cmd= is one person's"},
      {"multiuser,token_cmd=c", "https://h/%u", TRUE, "token_cmd= is one person's"},
      {"multiuser,netrc=/n", "https://h/%u", TRUE, "netrc= is one person's"},
      {"multiuser,credentials=/c", "https://h/%u", TRUE, "credentials= is one person's"},
      {"multiuser", "h/%u", TRUE, "is no URL"},
      {"multiuser", "https://h/%x", TRUE, "broken percent escape"},
      {"multiuser", "https://%u@h/", TRUE, "holds a user name"},
  };
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_auto(Options) options = {0};
    g_autofree char *said = verdict(cases[i].options, cases[i].source, cases[i].root, &options);
    if (*cases[i].says ? !strstr(said, cases[i].says) : *said != '\0')
      fail_msg("%s %s: %s", cases[i].options, cases[i].source, said);
    if (!*said) {
      assert_true(options.allow_other);
      assert_true(options.sec == SEC_NEGOTIATE || options.sec == SEC_NONE);
    }
  }
}

static void each_has_a_source(void **state)
{
  static const struct {
    const char *template, *name, *path;
  } cases[] = {
      {"https://h/exchange/%u", "alice", "/exchange/alice/"},
      {"https://h/x%20y/%U/%u/", "alice", "/x%20y/4001/alice/"},
      {"https://h/%u/", "a b/../c", "/a%20b%2F..%2Fc/"},
      {"https://h/%u/", "50%", "/50%25/"},
      {"https://h/public", "alice", "/public/"},
  };
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_auto(Source) source = {0};
    assert_true(many_source(cases[i].template, cases[i].name, 4001, &source, NULL));
    assert_string_equal(source.origin, "https://h");
    assert_string_equal(source.path, cases[i].path);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(options_that_go_together),
      cmocka_unit_test(each_has_a_source),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
