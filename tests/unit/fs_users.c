/* SPDX-License-Identifier: Apache-2.0 */
/* Node ids and inode numbers in a mount for many users. */
#include "base/error.h"
#include "base/rule.h"
#include "fs/private.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LOCAL_MAX ((1ll << 28) - 1)

static const User one = {.index = 1, .uid = 4001, .gid = 100}, last = {.index = USERS_MAX};
static Fs fs = {.folder_mode = 0700, .file_mode = 0600};

static void numbers_of_users_are_apart(void **state)
{
  (void)state;
  Fs many = fs;
  many.users = (Users *)&many; /* there is something */
  Call first = {.fs = &many, .user = &one}, other = {.fs = &many, .user = &last};
  Attr attr = {.id = {LOCAL_MAX, 0xffffff}, .valid_us = 5 * G_USEC_PER_SEC};
  struct fuse_entry_param highest, next;
  assert_true(entry_fill(&first, &attr, &highest));
  assert_true(highest.attr.st_uid == 4001 && highest.attr.st_gid == 100);
  assert_true(highest.attr_timeout > 4 && highest.entry_timeout > 4);
  attr.id = (NodeId){1, 0xffffff};
  assert_true(entry_fill(&other, &attr, &next));
  assert_int_equal(highest.attr.st_ino, (2ull << 28) - 1);
  assert_int_equal(next.attr.st_ino, ((guint64)USERS_MAX << 28) + 1);
  assert_int_equal(highest.ino >> 40, 0xffffff);
  assert_int_equal(next.ino >> 40, 0xffffff);
  assert_int_equal(next.ino & ((1ull << 40) - 1), next.attr.st_ino);

  assert_true(is_users_root(&many, FUSE_ROOT_ID));
  assert_false(is_users_root(&many, highest.ino));
  assert_false(is_users_root(&many, next.ino));
  assert_false(is_users_root(&fs, FUSE_ROOT_ID));

  attr.folder = TRUE; /* the kernel is to ask at each */
  assert_true(entry_fill(&first, &attr, &next));
  assert_true(next.attr_timeout == 0 && next.entry_timeout > 4);
}

static void more_items_than_numbers(void **state)
{
  (void)state;
  Call call = {.fs = &fs, .user = &one};
  Attr attr = {.id = {LOCAL_MAX + 1, 1}};
  struct fuse_entry_param entry;
  assert_false(entry_fill(&call, &attr, &entry));
  assert_int_equal(error_errno(call.error), EOVERFLOW);
  g_clear_error(&call.error);
  call.user = NULL; /* alone, a mailbox has them all */
  assert_true(entry_fill(&call, &attr, &entry));
  assert_int_equal(entry.attr.st_ino, LOCAL_MAX + 1);
}

int main(void)
{
  const char *broken = g_getenv("XFS_BREAK");
  if (broken)
    rule_break(broken);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_of_users_are_apart),
      cmocka_unit_test(more_items_than_numbers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
