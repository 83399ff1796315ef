/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: what each way of writing it comes to, and what it is refused with. */
#include "cli/opts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Parses LINE, split at spaces; a failure's sentence goes to *RET_SENTENCE. */
static gboolean parse(const char *line, Options *options, char **ret_sentence)
{
  GError *error = NULL;
  g_auto(GStrv) words = g_strsplit(line, " ", -1);
  options_clear(options);
  gboolean ok = options_parse((int)g_strv_length(words), words, options, &error);
  assert_int_equal(ok, error == NULL);
  if (error && ret_sentence)
    *ret_sentence = g_strdup(error->message);
  g_clear_error(&error);
  return ok;
}

static void defaults_are_those_of_the_manual(void **state)
{
  (void)state;
  g_auto(Options) o = {0};
  assert_true(parse("exchangefs http://h/a/ /mnt", &o, NULL));
  assert_string_equal(o.source, "http://h/a/");
  assert_string_equal(o.mountpoint, "/mnt");
  assert_null(o.user);
  assert_null(o.cache_dir);
  assert_int_equal(o.cache_size, 1 << 30);
  assert_int_equal(o.attr_ttl_ms, 60000);
  assert_int_equal(o.timeo_ms, 30000);
  assert_int_equal(o.timeo_meta_ms, 5000);
  assert_int_equal(o.connections, 8);
  assert_int_equal(o.uid, getuid());
  assert_int_equal(o.gid, getgid());
  assert_int_equal(o.umask, 077);
  assert_int_equal(o.offline, 1);
  assert_int_equal(o.sizes_exact, 0);
  assert_int_equal(o.log_level, LOG_WARNING_LEVEL);
  assert_false(o.foreground || o.read_only || o.allow_other || o.nonempty || o.insecure_basic);
}

static void options_are_stored(void **state)
{
  (void)state;
  g_auto(Options) o = {0};
  assert_true(parse("exchangefs -f http://h/ -o "
                    "user=alice,passwd_file=/p,cache_dir=c,cache_size=20M,attr_ttl=0.5,timeo=1 "
                    "/mnt -otimeo_meta=.25,offline=no,sizes=exact,connections=3,uid=5,gid=6 "
                    "-o umask=022,ro,allow_other,nonempty,insecure_basic,log_file=/l "
                    "-o log_level=info,debug=fs:net,break=a:b",
                    &o, NULL));
  assert_string_equal(o.mountpoint, "/mnt");
  assert_string_equal(o.user, "alice");
  assert_string_equal(o.passwd_file, "/p");
  assert_string_equal(o.cache_dir, "c");
  assert_int_equal(o.cache_size, 20 << 20);
  assert_int_equal(o.attr_ttl_ms, 500);
  assert_int_equal(o.timeo_ms, 1000);
  assert_int_equal(o.timeo_meta_ms, 250);
  assert_int_equal(o.offline, 0);
  assert_int_equal(o.sizes_exact, 1);
  assert_int_equal(o.connections, 3);
  assert_int_equal(o.uid, 5);
  assert_int_equal(o.gid, 6);
  assert_int_equal(o.umask, 022);
  assert_int_equal(o.log_level, LOG_INFO_LEVEL);
  assert_string_equal(o.debug_areas, "fs:net");
  assert_string_equal(o.broken_rules, "a:b");
  assert_true(o.foreground && o.read_only && o.allow_other && o.nonempty && o.insecure_basic);
  assert_true(parse("exchangefs http://h/ /mnt -o ro,rw,user=a,user=b", &o, NULL));
  assert_false(o.read_only);
  assert_string_equal(o.user, "b");
}

static void commas_and_backslashes(void **state)
{
  (void)state;
  g_auto(Options) o = {0};
  assert_true(parse("exchangefs http://h/ /mnt -o user=DOM\\alice,passwd_file=/a\\,b", &o, NULL));
  assert_string_equal(o.user, "DOM\\alice");
  assert_string_equal(o.passwd_file, "/a,b");
}

static void mount_helper_is_called_its_own_way(void **state)
{
  (void)state;
  g_auto(Options) o = {0};
  assert_true(parse("/sbin/mount.exchangefs http://h/ /mnt -n -v -t exchangefs "
                    "-o rw,noexec,nosuid,nodev,user,_netdev,nofail,x-systemd.automount,username=a",
                    &o, NULL));
  assert_string_equal(o.user, "a");
  assert_false(o.foreground || o.fake);
  assert_true(parse("mount.exchangefs http://h/ /mnt -o rw,user=alice,exec,suid,dev", &o, NULL));
  assert_string_equal(o.user, "alice");
  assert_true(parse("mount.exchangefs http://h/ /mnt -f", &o, NULL));
  assert_true(o.fake);
  assert_false(o.foreground);
  assert_false(parse("mount.exchangefs http://h/ /mnt -o strange", &o, NULL));
  assert_true(parse("mount.exchangefs http://h/ /mnt -s -o strange,ro", &o, NULL));
  assert_true(o.read_only);
}

static void help_and_version_ask_for_nothing_else(void **state)
{
  (void)state;
  g_auto(Options) o = {0};
  assert_true(parse("exchangefs -h", &o, NULL));
  assert_true(o.help);
  assert_true(parse("exchangefs --version", &o, NULL));
  assert_true(o.version);
  g_autofree char *help = options_help();
  assert_non_null(strstr(help, "passwd_file=FILE"));
  assert_true(parse("exchangefs -d http://h/ /mnt", &o, NULL));
  assert_true(o.foreground);
  assert_int_equal(o.log_level, LOG_DEBUG_LEVEL);
}

static void nonsense_is_refused_in_one_sentence(void **state)
{
  static const struct {
    const char *line, *says;
  } cases[] = {
      {"exchangefs", "source is missing"},
      {"exchangefs http://h/", "mountpoint is missing"},
      {"exchangefs a b c", "one word too many"},
      {"exchangefs a b -x", "no option -x"},
      {"exchangefs a b -o", "stands alone"},
      {"exchangefs a b -o strange", "no option strange"},
      {"exchangefs a b -o strange=1", "no option strange"},
      {"exchangefs a b -o passwd_file", "needs a value"},
      {"exchangefs a b -o passwd_file=", "is empty"},
      {"exchangefs a b -o ro=1", "takes no value"},
      {"exchangefs a b -o offline=maybe", "choose one of no|auto"},
      {"exchangefs a b -o cache_size=1X", "cache_size=1X"},
      {"exchangefs a b -o cache_size=0", "cache_size=0"},
      {"exchangefs a b -o cache_size=99999999999999G", "cache_size="},
      {"exchangefs a b -o attr_ttl=-1", "attr_ttl=-1"},
      {"exchangefs a b -o attr_ttl=nan", "attr_ttl=nan"},
      {"exchangefs a b -o timeo=0", "timeo=0"},
      {"exchangefs a b -o umask=9", "umask=9"},
      {"exchangefs a b -o uid=4294967295", "uid=4294967295"},
      {"exchangefs a b -o connections=+3", "connections=+3"},
  };
  (void)state;
  g_auto(Options) o = {0};
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *sentence = NULL;
    assert_false(parse(cases[i].line, &o, &sentence));
    assert_non_null(sentence);
    if (!sentence || !strstr(sentence, cases[i].says))
      fail_msg("%s: %s", cases[i].line, sentence);
  }
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(defaults_are_those_of_the_manual),
      cmocka_unit_test(options_are_stored),
      cmocka_unit_test(commas_and_backslashes),
      cmocka_unit_test(mount_helper_is_called_its_own_way),
      cmocka_unit_test(help_and_version_ask_for_nothing_else),
      cmocka_unit_test(nonsense_is_refused_in_one_sentence),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
