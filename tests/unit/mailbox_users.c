/* SPDX-License-Identifier: Apache-2.0 */
/* The table of users, with mailboxes that are only counted. */
#include "base/error.h"
#include "base/rule.h"
#include "mailbox/users.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define WAIT_MS 300
#define UID(i) ((uid_t)(3000000000u + (i))) /* unknown to any host: shown in digits */

static gint opened, closed, asked; /* atomic */
static gint gate = 1;              /* atomic: 0 holds openings up */
static gint refuse;                /* atomic: openings fail with this errno */

void mailbox_close(Mailbox *mailbox)
{
  if (mailbox)
    g_atomic_int_inc(&closed);
}

const char *mailbox_description(const Mailbox *mailbox)
{
  (void)mailbox;
  return "a fake";
}

static Mailbox *open_fake(const char *name, uid_t uid, Cancel *cancel, gpointer data,
                          GError **error)
{
  (void)name;
  (void)uid;
  g_atomic_int_inc(&asked);
  while (!g_atomic_int_get(&gate) && !cancel_is_set(cancel))
    g_usleep(1000);
  gint failed = cancel_is_set(cancel) ? EINTR : g_atomic_int_get(&refuse);
  if (failed) {
    error_set(error, failed, SCOPE_SIGN_IN, "there is no ticket");
    return NULL;
  }
  g_atomic_int_inc(&opened);
  return data;
}

static int begin(void **state)
{
  *state = g_dir_make_tmp("users-XXXXXX", NULL);
  opened = closed = asked = refuse = 0;
  gate = 1;
  return *state ? 0 : -1;
}

static int end(void **state)
{
  g_autofree char *dir = *state;
  for (int i = 0; i < 2; i++) {
    g_autofree char *file = g_build_filename(dir, i ? "users" : "lock", NULL);
    g_unlink(file);
  }
  return g_rmdir(dir);
}

static Users *users_of(void **state)
{
  static char mailbox;
  GError *error = NULL;
  Users *users = users_open(*state, WAIT_MS, open_fake, &mailbox, &error);
  if (!users)
    fail_msg("%s", error->message);
  return users;
}

static const User *come(Users *users, uid_t uid, int *ret_errno)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *name = users_name(uid, NULL);
  const User *user = users_lookup(users, &(Caller){0}, uid, name, &error);
  *ret_errno = error_errno(error);
  return user;
}

static void names_cannot_be_taken_for_others(void **state)
{
  static const struct {
    const char *login, *shown;
  } cases[] = {
      {"alice", "alice"}, {"D\\alice", "D\\alice"}, {"4002a", "4002a"}, {"4002", "4001"},
      {"a/b", "4001"},    {"..", "4001"},           {".", "4001"},      {"", "4001"},
      {NULL, "4001"},
  };
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *shown = users_show_name(cases[i].login, 4001);
    assert_string_equal(shown, cases[i].shown);
  }
  gid_t gid = 7;
  g_autofree char *root = users_name(0, &gid);
  assert_string_equal(root, "root");
  assert_int_equal(gid, 0);
  g_autofree char *stranger = users_name(UID(1), &gid);
  assert_string_equal(stranger, "3000000001");
}

static void ranges_outlive_the_mount(void **state)
{
  int failed;
  Users *users = users_of(state);
  const User *two = come(users, UID(2), &failed), *one = come(users, UID(1), &failed);
  assert_int_equal(two->index, 1);
  assert_int_equal(one->index, 2);
  assert_ptr_equal(users_find(users, 2), one);
  assert_ptr_equal(users_find_uid(users, UID(1)), one);
  assert_ptr_equal(come(users, UID(1), &failed), one);
  assert_null(users_find(users, 0));
  assert_null(users_find(users, 3));
  assert_null(users_find(users, USERS_MAX + 1));
  assert_null(users_find_uid(users, UID(3)));
  users_close(users);
  assert_int_equal(opened, 2);
  assert_int_equal(closed, 2);

  users = users_of(state);
  assert_int_equal(come(users, UID(1), &failed)->index, 2);
  assert_int_equal(come(users, UID(3), &failed)->index, 3);
  assert_int_equal(come(users, UID(2), &failed)->index, 1);
  users_close(users);
}

static void damaged_ranges_are_told(void **state)
{
  static const char *const texts[] = {"1\n2\nx\n", "1\n\n3\n", "-1\n", "4294967296\n", "1 2\n"};
  g_autofree char *file = g_build_filename(*state, "users", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GError) error = NULL;
    assert_true(g_file_set_contents(file, texts[i], -1, NULL));
    assert_null(users_open(*state, WAIT_MS, open_fake, NULL, &error));
    assert_non_null(strstr(error->message, "is damaged: remove it"));
  }
}

static void more_users_than_ranges(void **state)
{
  g_autofree char *file = g_build_filename(*state, "users", NULL);
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint i = 1; i < USERS_MAX; i++)
    g_string_append_printf(text, "%u\n", i);
  assert_true(g_file_set_contents(file, text->str, -1, NULL));
  Users *users = users_of(state);
  int failed;
  assert_int_equal(come(users, UID(1), &failed)->index, USERS_MAX);
  assert_null(come(users, UID(2), &failed));
  assert_int_equal(failed, ENOSPC);
  users_close(users);
  assert_int_equal(closed, 2);
}

/* Of one user's failure: all who wait and all who come soon are told, the server is asked once. */
static void failures_are_remembered(void **state)
{
  Users *users = users_of(state);
  int failed;
  refuse = EACCES;
  for (int i = 0; i < 20; i++) {
    assert_null(come(users, UID(1), &failed));
    assert_int_equal(failed, EACCES);
  }
  assert_int_equal(asked, 1);
  assert_null(come(users, UID(2), &failed)); /* of that user only */
  assert_int_equal(asked, 2);
  refuse = 0;
  assert_null(come(users, UID(1), &failed));
  g_usleep(USERS_MEMORY_US + 100 * 1000);
  assert_non_null(come(users, UID(1), &failed));
  users_close(users);
}

static gpointer come_on_thread(gpointer data)
{
  int failed;
  return (gpointer)come(data, UID(1), &failed);
}

static void one_opening_for_all_who_ask(void **state)
{
  Users *users = users_of(state);
  GThread *threads[16];
  g_atomic_int_set(&gate, 0);
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
    threads[i] = g_thread_new("come", come_on_thread, users);
  g_usleep(50 * 1000);
  g_atomic_int_set(&gate, 1);
  for (gsize i = 0; i < G_N_ELEMENTS(threads); i++)
    assert_non_null(g_thread_join(threads[i]));
  assert_int_equal(g_atomic_int_get(&asked), 1);
  users_close(users);
}

static gpointer trigger_soon(gpointer cancel)
{
  g_usleep(50 * 1000);
  cancel_trigger(cancel);
  return NULL;
}

static void a_slow_opening_holds_up_nobody(void **state)
{
  Users *users = users_of(state);
  int failed;
  g_atomic_int_set(&gate, 0);
  g_autoptr(Cancel) cancel = cancel_new();
  g_autoptr(GError) error = NULL;
  GThread *thread = g_thread_new("interrupt", trigger_soon, cancel);
  assert_null(users_lookup(users, &(Caller){.cancel = cancel}, UID(1), "3000000001", &error));
  assert_int_equal(error_errno(error), EINTR);
  g_thread_join(thread);

  gint64 began = g_get_monotonic_time(); /* not once more for each call */
  for (int i = 0; i < 50; i++) {
    assert_null(come(users, UID(1), &failed));
    assert_int_equal(failed, ETIMEDOUT);
  }
  assert_true(g_get_monotonic_time() - began < 5 * G_USEC_PER_SEC);

  g_clear_error(&error);
  assert_null(users_lookup(users, &(Caller){0}, UID(2), "3000000001", &error));
  assert_int_equal(error_errno(error), ENOENT); /* UID(1) is not there yet: nobody waits */
  g_atomic_int_set(&gate, 1);
  for (int i = 0; i < 1000 && !users_find_uid(users, UID(1)); i++)
    g_usleep(10 * 1000);
  assert_non_null(come(users, UID(1), &failed));
  assert_int_equal(g_atomic_int_get(&asked), 1);

  g_atomic_int_set(&gate, 0); /* what is being opened ends with the mount */
  assert_null(come(users, UID(2), &failed));
  users_close(users);
  assert_int_equal(closed, 1);
}

static void others_are_found_but_not_opened(void **state)
{
  Users *users = users_of(state);
  int failed;
  const User *one = come(users, UID(1), &failed);
  g_autoptr(GError) error = NULL;
  assert_ptr_equal(users_lookup(users, &(Caller){0}, UID(2), "3000000001", &error), one);
  assert_ptr_equal(users_lookup(users, &(Caller){0}, 0, "3000000001", &error), one);
  assert_null(users_lookup(users, &(Caller){0}, UID(1), "3000000002", &error));
  assert_int_equal(error_errno(error), ENOENT);
  assert_int_equal(asked, 1);
  users_close(users);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
  const char *broken = g_getenv("XFS_BREAK");
  if (broken)
    rule_break(broken);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(names_cannot_be_taken_for_others),
      TEST(ranges_outlive_the_mount),
      TEST(damaged_ranges_are_told),
      TEST(more_users_than_ranges),
      TEST(failures_are_remembered),
      TEST(one_opening_for_all_who_ask),
      TEST(a_slow_opening_holds_up_nobody),
      TEST(others_are_found_but_not_opened),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
