/* SPDX-License-Identifier: Apache-2.0 */
/* Options that go together, and those of which one would be ignored. */
#include "cli/combine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void check(gboolean probe, const char *list, const char *source, const char *says)
{
  g_auto(Options) options = {0};
  g_autoptr(GError) error = NULL;
  char *mount[] = {"exchangefs", "-o", (char *)list, (char *)source, "/mnt"};
  char *ask[] = {"exchangefs", "probe", (char *)source, "-o", (char *)list};
  if (!options_parse(5, probe ? ask : mount, &options, &error))
    fail_msg("%s: %s", list, error->message);
  gboolean good = combine_check(&options, &error);
  if (good != !*says || (!good && !strstr(error->message, says)))
    fail_msg("%s: %s", list, good ? "accepted" : error->message);
}

static void what_goes_together(void **state)
{
  static const char *const lists[] = {
      "user=a,passwd_file=/p",
      "user=a,passwd_file=/p,sec=ntlm",
      "netrc=/n,sec=basic",
      "credentials=/c,sec=forms",
      "ccache=/c",
      "ccache=/c,principal=a,sec=negotiate",
      "keytab=/k,principal=a",
      "token_cmd=t",
      "token_cmd=t,sec=bearer",
      "insecure_basic,sec=forms",
      "insecure_basic",
      "cert=/c,key=/k,key_passwd_file=/p",
      "cert=/c,pin=sha256//x",
      "proxy=http://p:1,proxy_user=a",
      "proxy=http://p:1,proxy_user=a,proxy_passwd_file=/p",
  };
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(lists); i++) {
    check(FALSE, lists[i], "https://h/exchange/a/", "");
    check(TRUE, lists[i], "https://h/exchange/a/", "");
    check(TRUE, lists[i], "h", "");
  }
}

static void what_would_be_ignored(void **state)
{
  static const struct {
    const char *list, *source, *says;
  } rows[] = {
      {"user=a,passwd_file=/p,sec=negotiate", "https://h/", "passwd_file= means nothing"},
      {"user=a,passwd_cmd=p,sec=none", "https://h/", "passwd_cmd= means nothing"},
      {"netrc=/n,sec=bearer,token_cmd=t", "https://h/", "netrc= means nothing with sec=bearer"},
      {"credentials=/c,sec=negotiate", "https://h/", "credentials= means nothing"},
      {"ccache=/c,sec=basic", "https://h/", "ccache= means nothing with sec=basic"},
      {"keytab=/k,sec=ntlm", "https://h/", "keytab= means nothing with sec=ntlm"},
      {"principal=a,sec=forms", "https://h/", "principal= means nothing"},
      {"token_cmd=t,sec=basic", "https://h/", "token_cmd= means nothing"},
      {"insecure_basic,sec=ntlm", "http://h/", "insecure_basic means nothing"},
      {"sec=bearer", "https://h/", "without token_cmd="},
      {"ccache=/c,keytab=/k", "https://h/", "give one of them"},
      {"key=/k", "https://h/", "key= without cert="},
      {"key_passwd_file=/k", "https://h/", "key_passwd_file= without cert="},
      {"proxy_user=a", "https://h/", "proxy_user= without proxy="},
      {"proxy=http://p:1,proxy_passwd_file=/p", "https://h/", "without proxy_user="},
      {"pin=sha256//x", "http://h/", "pin= means nothing without TLS"},
      {"cert=/c", "HTTP://h/", "cert= means nothing without TLS"},
  };
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    check(FALSE, rows[i].list, rows[i].source, rows[i].says);
    check(TRUE, rows[i].list, rows[i].source, rows[i].says);
  }
  check(TRUE, "multiuser", "https://h/", "leave multiuser out");
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_goes_together),
      cmocka_unit_test(what_would_be_ignored),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
