/* SPDX-License-Identifier: Apache-2.0 */
/* File names: what is shown, what may be created, what never leaves this machine. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rule.h"
#include "model/name.h"

#include <errno.h>
#include <string.h>

static void test_visible(void **state)
{
  (void)state;
  static const struct {
    const char *name, *shown;
  } rows[] = {
      {"Hello.EML", "Hello.EML"},
      {"a/b", "a_xF8FF_b"},
      {"/", "_xF8FF_"},
      {"50%", "50%"},
      {"q?", "q?"},
      {"x~y", "x~y"},
      {"C:\\", "C:\\"},
      {"\u00e9 \U0001F600 & #", "\u00e9 \U0001F600 & #"},
      {"two\r\nlines", "two\uFFFD\uFFFDlines"},
      {"del\x7f csi\xc2\x9b", "del\uFFFD csi\uFFFD"},
      {"latin\xe9.eml", "latin\uFFFD.eml"},
      {"\xff\xfe", "\uFFFD\uFFFD"},
      {"...", "..."},
      {".x", ".x"},
      {" ", " "},
      {"", NULL},
      {".", NULL},
      {"..", NULL},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    g_autofree char *shown = name_to_visible(rows[i].name, strlen(rows[i].name));
    if (g_strcmp0(shown, rows[i].shown) != 0)
      fail_msg("%s: %s, not %s", rows[i].name, shown, rows[i].shown);
  }
  assert_null(name_to_visible("a\0b", 3));
}

/* N times TEXT between HEAD and TAIL. */
static char *long_name(const char *head, const char *text, guint n, const char *tail)
{
  GString *out = g_string_new(head);
  for (guint i = 0; i < n; i++)
    g_string_append(out, text);
  g_string_append(out, tail);
  return g_string_free(out, FALSE);
}

static void assert_shown(const char *name, gsize len, const char *tail)
{
  g_autofree char *shown = name_to_visible(name, strlen(name));
  assert_true(g_utf8_validate(shown, -1, NULL));
  assert_int_equal(strlen(shown), len);
  assert_true(g_str_has_suffix(shown, tail));
}

static void test_cut(void **state)
{
  (void)state;
  g_autofree char *fits = long_name("", "x", 251, ".eml");
  g_autofree char *over = long_name("", "x", 252, ".eml");
  g_autofree char *accents = long_name("", "\u00e9", 200, ".eml");    /* 251 is no end of one */
  g_autofree char *faces = long_name("a", "\U0001F600", 100, ".eml"); /* 1 + 62 * 4 + 4 */
  g_autofree char *bare = long_name("", "x", 300, "");
  g_autofree char *no_extension = long_name("a.", "x", 300, "");
  g_autofree char *slashes = long_name("", "/", 100, ".eml");
  assert_shown(fits, 255, "x.eml");
  assert_shown(over, 255, "x.eml");
  assert_shown(accents, 254, "\u00e9.eml");
  assert_shown(faces, 253, "\U0001F600.eml");
  assert_shown(bare, 255, "x");
  assert_shown(no_extension, 255, "x");
  assert_shown(slashes, 255, ".eml");
}

static void assert_twin(const char *name, guint n, const char *twin)
{
  g_autofree char *got = name_twin(name, n);
  assert_string_equal(got, twin);
}

static void test_twin(void **state)
{
  (void)state;
  assert_twin("a.eml", 2, "a (2).eml");
  assert_twin("a.b.eml", 13, "a.b (13).eml");
  assert_twin("folder", 2, "folder (2)");
  assert_twin(".profile", 2, ".profile (2)");
  assert_twin("dot.", 2, "dot (2).");
  g_autofree char *name = long_name("", "\u00e9", 125, ".eml");
  g_autofree char *expected = long_name("", "\u00e9", 119, " (4294967295).eml");
  assert_twin(name, G_MAXUINT, expected);
}

static void test_new(void **state)
{
  (void)state;
  static const struct {
    const char *name;
    int errnum;
  } rows[] = {
      {"Hello.EML", 0},
      {"a_xF8FF_b.eml", 0}, /* comes back as it went: that is how a slash is shown */
      {"q? 50% x~y C:\\ \u00e9 \U0001F600 & # +", 0},
      {"_x12_ _xGGGG_ _x12345_ _x003F", 0},
      {"what_x003F_", EINVAL},
      {"what_x003f_", EINVAL},
      {"_xf8ff_", EINVAL}, /* would come back in capitals */
      {"_xF8FE_", EINVAL},
      {"_x_x007E_", EINVAL},
      {"_xF8FF__x000D_", EINVAL},
      {"", EINVAL},
      {".", EINVAL},
      {"..", EINVAL},
      {"a/b", EINVAL},
      {"two\nlines", EINVAL},
      {"\x01", EINVAL},
      {"\x7f", EINVAL},
      {"latin\xe9", EILSEQ},
      {"cut\xe2\x82", EILSEQ},
      {"\xed\xa0\x80", EILSEQ},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++) {
    int errnum = name_check_new(rows[i].name);
    if (errnum != rows[i].errnum)
      fail_msg("%s: %d, not %d", rows[i].name, errnum, rows[i].errnum);
  }
  g_autofree char *most = long_name("a", "\u00e9", 127, "");
  g_autofree char *more = long_name("ab", "\u00e9", 127, "");
  assert_int_equal(name_check_new(most), 0);
  assert_int_equal(name_check_new(more), ENAMETOOLONG);
}

static void test_local(void **state)
{
  (void)state;
  static const char *const local[] = {
      ".a.swp",        ".mail.eml.swo",         ".x.swpx.sw0", "4913",
      ".a.eml.Ab3dE9", ".folder.ZZZZZZ",        ".#a.eml",     ".~lock.a.odt#",
      ".DS_Store",     ".goutputstream-ABC123", "._a.eml",     "Thumbs.db",
      "desktop.ini",   ".a b.eml.a1b2c3",
  };
  static const char *const sent[] = {
      "a.swp",          ".swp",          "a.eml.Ab3dE9", ".Ab3dE9",
      "4913.eml",       ".bashrc",       ".a.eml.Ab3dE", ".a.eml.Ab3d-9",
      ".bashrc.backup", ".notes.202411", "desktop.eml",  ".a.eml.Ab3dE90",
      "goutputstream-", "#a#",           "..aaaaA",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(local); i++)
    if (!name_is_local(local[i]))
      fail_msg("%s would be sent", local[i]);
  for (gsize i = 0; i < G_N_ELEMENTS(sent); i++)
    if (name_is_local(sent[i]))
      fail_msg("%s would not be sent", sent[i]);
}

static void test_refused(void **state)
{
  (void)state;
  assert_true(name_is_refused(".Trash"));
  assert_true(name_is_refused(".Trash-1000"));
  assert_true(name_is_refused(".Trashes"));
  assert_false(name_is_refused("Trash"));
  assert_false(name_is_refused(".trash"));
}

int main(void)
{
  const char *broken = g_getenv("XFS_BREAK");
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_visible), cmocka_unit_test(test_cut),   cmocka_unit_test(test_twin),
      cmocka_unit_test(test_new),     cmocka_unit_test(test_local), cmocka_unit_test(test_refused),
  };
  if (broken)
    rule_break(broken);
  return cmocka_run_group_tests(tests, NULL, NULL);
}
