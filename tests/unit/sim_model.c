/* SPDX-License-Identifier: Apache-2.0 */
/* exchange-sim's store without any protocol: counters, ids, names, the record; and the values,
 * bodies and synthetic messages it holds. */
#include "sim_rig.h"

#include "mime.h"
#include "synth.h"

static void times_agree_with_glib(void **state)
{
  (void)state;
  static const gint64 seconds[] = {0,          -1,          951782400, 951868799,
                                   4102444800, -2208988800, 1078814200};
  g_autoptr(GString) got = g_string_new(NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(seconds); i++) {
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_utc(seconds[i]);
    g_autofree char *iso = g_date_time_format(time, "%Y-%m-%dT%H:%M:%S.125Z");
    g_autofree char *http = g_date_time_format(time, "%a, %d %b %Y %H:%M:%S GMT");
    g_string_truncate(got, 0);
    value_append_iso(got, seconds[i] * 1000 + 125);
    assert_string_equal(got->str, iso);
    gint64 back;
    assert_true(value_parse_iso(got->str, &back));
    assert_int_equal(back, seconds[i] * 1000 + 125);
    g_string_truncate(got, 0);
    value_append_http_date(got, seconds[i] * 1000);
    assert_string_equal(got->str, http);
  }
}

static void synthetic_messages_know_their_size(void **state)
{
  (void)state;
  for (guint i = 0; i < 200000; i += 997) {
    g_autoptr(GBytes) bytes = synth_message(i);
    g_autoptr(GBytes) again = synth_message(i);
    assert_int_equal(g_bytes_get_size(bytes), synth_size(i));
    assert_true(g_bytes_equal(bytes, again));
  }
}

static void large_bodies_go_to_a_file(void **state)
{
  (void)state;
  Spool *spool = spool_new();
  g_autofree char *block = g_strnfill(300000, 'x');
  for (guint i = 0; i < 8; i++) {
    block[0] = (char)('a' + i);
    assert_true(spool_append(spool, block, 300000));
  }
  g_autoptr(Body) body = spool_finish(spool);
  assert_true(body_fd(body) >= 0);
  assert_int_equal(body_size(body), 2400000);
  char c;
  assert_int_equal(body_read(body, 2100000, &c, 1), 1);
  assert_int_equal(c, 'h');
  assert_int_equal(body_read(body, 2400000, &c, 1), 0);
  g_autoptr(GBytes) bytes = body_bytes(body);
  assert_int_equal(g_bytes_get_size(bytes), 2400000);
}

static void counters_follow_the_members(void **state)
{
  (void)state;
  Model *model = model_new(TRUE, 1000);
  Mailbox *mailbox = model_add_mailbox(model, "alice", import_folder_names("de"));
  Node *inbox = mailbox->known[ROLE_INBOX], *trash = mailbox->known[ROLE_DELETED];
  assert_string_equal(inbox->name, "Posteingang");
  Node *a = model_make_item(model, inbox, "A.EML");
  Node *b = model_make_item(model, inbox, "B.EML");
  g_autoptr(Body) body = body_new_synthetic(1);
  model_put(model, a, body, NULL);
  model_set_read(model, b, TRUE);
  assert_int_equal(inbox->folder->items, 2);
  assert_int_equal(inbox->folder->unread, 1);
  assert_int_equal(inbox->folder->bytes, body_size(body));
  guint64 uid = a->uid, mid = a->mid;
  guint article = a->article;
  model_move(model, a, trash, "A.EML");
  assert_int_equal(a->uid, uid);
  assert_int_not_equal(a->mid, mid);
  assert_null(model_by_mid(model, mid));
  assert_ptr_equal(model_by_mid(model, a->mid), a);
  assert_int_equal(inbox->folder->unread, 0);
  assert_int_equal(inbox->folder->deleted_ever, 1);
  assert_int_equal(trash->folder->unread, 1);
  Node *copy = model_copy(model, a, inbox, "A.EML");
  assert_int_not_equal(copy->uid, a->uid);
  assert_true(copy->article > article);
  assert_int_equal(model_bytes(model), 2 * body_size(body));
  model_remove(model, copy);
  model_remove(model, a);
  assert_int_equal(model_bytes(model), 0);
  assert_int_equal(inbox->folder->items, 1);
  model_free(model);
}

static void names_are_found_and_freed(void **state)
{
  (void)state;
  Model *model = model_new(TRUE, 0);
  Mailbox *mailbox = model_add_mailbox(model, "alice", import_folder_names("en"));
  Node *inbox = mailbox->known[ROLE_INBOX];
  g_autofree char *first = model_free_name(model, inbox, "Hello.EML");
  assert_string_equal(first, "Hello.EML");
  model_make_item(model, inbox, "Hello.EML");
  model_make_item(model, inbox, "hello-2.eml");
  g_autofree char *next = model_free_name(model, inbox, "HELLO.EML");
  assert_string_equal(next, "HELLO-3.EML");
  assert_non_null(model_child(model, inbox, "hELLO.eml"));
  Node *folder = model_make_folder(model, inbox, "Sub", NULL);
  Node *deep = model_make_item(model, folder, "x");
  model_copy(model, inbox, inbox, "Inbox"); /* into itself: ends */
  assert_non_null(model_child(model, model_child(model, inbox, "Inbox"), "Sub"));
  guint64 mid = deep->mid;
  model_remove(model, folder);
  assert_null(model_by_mid(model, mid));
  model_free(model);
}

static void rewriting_settles(void **state)
{
  (void)state;
  static const char *const messages[] = {
      "",
      "\n",
      "no header at all",
      "Subject: x",
      "To: a\nSubject: b\n  folded\n\tagain\nFrom: c\n\nbody\nno end",
      "Content-Type: multipart/mixed;\r\n "
      "boundary=\"=_q.1\"\r\n\r\n--=_q.1\r\n\r\nx\r\n--=_q.1--\r\n",
      "Bcc: secret\nSubject: y\r\n\r\n\r\n\r\nz\r",
      "Broken header line\nSubject: z\n\nw",
      ": no name\n\nq",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(messages); i++) {
    g_autoptr(GBytes) bytes = g_bytes_new_static(messages[i], strlen(messages[i]));
    g_autoptr(Body) body = body_new_bytes(bytes);
    g_autoptr(Body) once = mime_rewrite(body);
    g_autoptr(Body) twice = mime_rewrite(once);
    g_autoptr(GBytes) first = body_bytes(once);
    g_autoptr(GBytes) second = body_bytes(twice);
    assert_true(g_bytes_equal(first, second));
    g_autofree char *text = g_strndup(g_bytes_get_data(first, NULL), g_bytes_get_size(first));
    assert_null(strstr(text, "secret"));
  }
}

int main(void)
{
  g_mime_init();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(times_agree_with_glib),
      cmocka_unit_test(synthetic_messages_know_their_size),
      cmocka_unit_test(large_bodies_go_to_a_file),
      cmocka_unit_test(counters_follow_the_members),
      cmocka_unit_test(names_are_found_and_freed),
      cmocka_unit_test(rewriting_settles),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
