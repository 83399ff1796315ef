/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL of SEARCH: tables of statements that must parse or must not, and of conditions asked of
 * one small row. The queries of real clients stand here as they were sent, save for the length of
 * their column lists.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sql.h"

#include <string.h>

#define MSG_CLASS "\"http://schemas.microsoft.com/exchange/outlookmessageclass\""
#define INSTANCE "\"urn:schemas:calendar:instancetype\""
#define ARTICLE "\"http://schemas.microsoft.com/mapi/proptag/x0e230003\""
#define FOLDER_CLASS "\"http://schemas.microsoft.com/exchange/outlookfolderclass\""

static const char *const good[] = {
    "SELECT * FROM \"\"",
    "select\t*\r\nfrom \"http://h/exchange/alice/Inbox/\" where \"a\" = 1",
    "SELECT \"a\" AS b, \"c\" as \"d_1\",\"e\" FROM SCOPE('DEEP TRAVERSAL OF \"\"')",
    "SELECT \"a\" FROM SCOPE('\"/x\"', 'hierarchical traversal of \"/y\"')",
    "SELECT \"a\" FROM SCOPE('SHALLOW TRAVERSAL OF \"/exchange/alice/O''Brien\"')",
    "SELECT \"a\" FROM \"\" ORDER BY \"a\" ASC, \"b\" DESC, \"c\"",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = -1.5 GROUP BY \"a\", \"b\" ORDER BY \"a\"",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = \"b\" AND NOT (\"c\" <> 'it''s' OR \"d\" IS NOT NULL)",
    "SELECT \"a\" FROM \"\" WHERE CONTAINS(\"a\", '\"two words\" AND pre*') OR CONTAINS(*, 'x')"
    " OR FREETEXT('some words')",
    "SELECT \"a\" FROM \"\" WHERE \"x\" >= cast (\"2004-03-01T00:00:00Z\" as 'dateTime.tz')",
    "SELECT \"a\" FROM \"\" WHERE \"x\" = CAST(\"AAEC\" as 'bin.base64')",
    /* what exchangefs needs */
    "SELECT \"DAV:href\",\"DAV:displayname\" FROM SCOPE('SHALLOW TRAVERSAL OF "
    "\"/exchange/alice/Inbox/\"') WHERE \"DAV:isfolder\" = False AND \"DAV:ishidden\" = False"
    " ORDER BY \"DAV:creationdate\"",
    "SELECT \"DAV:href\" FROM \"\" WHERE \"DAV:ishidden\" = False",
    "SELECT \"DAV:href\" FROM SCOPE('DEEP TRAVERSAL OF \"\"') WHERE \"DAV:isfolder\" = True AND"
    " \"DAV:ishidden\" = False",
    "SELECT \"DAV:href\" FROM \"\" WHERE " ARTICLE " > 17 AND \"DAV:isfolder\" = False",
    "SELECT \"DAV:href\" FROM \"\" WHERE \"http://schemas.microsoft.com/mapi/proptag/x10f3001f\" ="
    " 'a_xF8FF_b.EML'",
    "SELECT \"DAV:href\" FROM \"\" WHERE (" MSG_CLASS " = 'IPM.Appointment' OR " MSG_CLASS
    " = 'IPM.Appointment.MeetingEvent') AND (" INSTANCE " = 0 OR " INSTANCE " = 1)",
    "SELECT \"DAV:href\" FROM \"\" WHERE " MSG_CLASS " = 'IPM.Contact'",
    /* DavMail */
    "SELECT \"http://schemas.microsoft.com/exchange/permanenturl\",\"DAV:nosubs\" FROM "
    "SCOPE('Deep TRAVERSAL OF \"/exchange/alice/\"') WHERE (\"DAV:isfolder\" = true And "
    "\"DAV:ishidden\" = false And ((" FOLDER_CLASS " = 'IPF.Note' Or " FOLDER_CLASS
    " = 'IPF.Note.Microsoft.Conversation' Or " FOLDER_CLASS " is null))) ORDER BY " ARTICLE " DESC",
    "SELECT \"DAV:uid\",\"http://schemas.microsoft.com/mapi/id/"
    "{00062008-0000-0000-c000-000000000046}/0x8570\" as deleted FROM SCOPE('Shallow TRAVERSAL OF "
    "\"/exchange/alice/Inbox\"') WHERE (\"DAV:isfolder\" = false And \"DAV:ishidden\" = false And "
    "(\"http://schemas.microsoft.com/mapi/string/{00020386-0000-0000-c000-000000000046}/subject\" ="
    " 'check eed54dcf')) ORDER BY " ARTICLE " DESC",
    "SELECT \"DAV:uid\" FROM SCOPE('Shallow TRAVERSAL OF \"/exchange/alice/Inbox\"') WHERE "
    "(\"DAV:isfolder\" = false And \"DAV:ishidden\" = false And (\"urn:schemas:httpmail:subject\" "
    "like '%check eed54dcf%')) ORDER BY " ARTICLE " DESC",
    "SELECT \"DAV:getetag\" FROM SCOPE('Shallow TRAVERSAL OF \"/exchange/alice/Calendar\"') WHERE "
    "(\"DAV:isfolder\" = false And \"DAV:ishidden\" = false And (((" MSG_CLASS
    " = 'IPM.Appointment' Or " MSG_CLASS " = 'IPM.Appointment.MeetingEvent') And (" INSTANCE
    " = 1 Or (" INSTANCE " = 0))))) ORDER BY " ARTICLE " DESC",
};

static const char *const bad[] = {
    "",
    "DELETE FROM \"\"",
    "SELECT FROM \"\"",
    "SELECT a FROM \"\"",
    "SELECT \"\" FROM \"\"",
    "SELECT *, \"a\" FROM \"\"",
    "SELECT \"a\", FROM \"\"",
    "SELECT \"a\"",
    "SELECT \"a\" FROM",
    "SELECT \"a\" FROM '/x'",
    "SELECT \"a\" FROM SCOPE()",
    "SELECT \"a\" FROM SCOPE('DEEP \"/x\"')",
    "SELECT \"a\" FROM SCOPE('DEEP TRAVERSAL \"/x\"')",
    "SELECT \"a\" FROM SCOPE('WIDE TRAVERSAL OF \"/x\"')",
    "SELECT \"a\" FROM SCOPE('DEEP TRAVERSAL OF \"/x\" x')",
    "SELECT \"a\" FROM SCOPE('DEEP TRAVERSAL OF \"/x')",
    "SELECT \"a\" FROM SCOPE('DEEP TRAVERSAL OF \"/x\"'",
    "SELECT \"a\" FROM SCOPE('DEEP TRAVERSAL OF \"/exchange/alice/O'Brien\"')",
    "SELECT \"a\" AS 1x FROM \"\"",
    "SELECT \"a\" AS \"x:y\" FROM \"\"",
    "SELECT \"a\" FROM \"\" ;",
    "SELECT \"a\" FROM \"\" WHERE",
    "SELECT \"a\" FROM \"\" WHERE \"a\"",
    "SELECT \"a\" FROM \"\" WHERE \"a\" =",
    "SELECT \"a\" FROM \"\" WHERE \"a\" == 1",
    "SELECT \"a\" FROM \"\" WHERE \"a\" ! 1",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = NULL",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = 'x",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = 1.2.3",
    "SELECT \"a\" FROM \"\" WHERE \"a\" IS 1",
    "SELECT \"a\" FROM \"\" WHERE \"a\" LIKE 1",
    "SELECT \"a\" FROM \"\" WHERE (\"a\" = 1",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = 1)",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = 1 AND",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = 1 \"b\" = 2",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = CAST(\"x\" AS 'int')",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = CAST(\"1.5\" AS 'int')",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = CAST(\"x\" AS 'nonsense')",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = CAST(\"AAE\" AS 'bin.base64')",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = CAST(\"2004-13-41T00:00:00Z\" AS 'dateTime.tz')",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = CAST(\"1\" AS int)",
    "SELECT \"a\" FROM \"\" WHERE CONTAINS(\"a\" 'x')",
    "SELECT \"a\" FROM \"\" WHERE CONTAINS('two words')",
    "SELECT \"a\" FROM \"\" WHERE CONTAINS('')",
    "SELECT \"a\" FROM \"\" WHERE FREETEXT(\"a\")",
    "SELECT \"a\" FROM \"\" WHERE CONTAINS('\"open')",
    "SELECT \"a\" FROM \"\" ORDER \"a\"",
    "SELECT \"a\" FROM \"\" ORDER BY 'a'",
    "SELECT \"a\" FROM \"\" ORDER BY \"a\" GROUP BY \"a\"",
    "SELECT \"a\" FROM \"\" WHERE \"a\" = '\xff'",
};

static void test_grammar(void **state)
{
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(SqlQuery) query = sql_parse(good[i], &error);
    if (query == NULL)
      fail_msg("%s\n%s", good[i], error->message);
  }
  for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(SqlQuery) query = sql_parse(bad[i], &error);
    if (query != NULL)
      fail_msg("taken: %s", bad[i]);
    assert_true(g_error_matches(error, SQL_ERROR, SQL_ERROR_SYNTAX));
  }
}

/* Every statement cut at every byte: an answer or an error, never more than that. */
static void test_cut(void **state)
{
  (void)state;
  for (gsize i = 0; i < G_N_ELEMENTS(good); i++)
    for (gsize len = 0; len < strlen(good[i]); len++) {
      g_autofree char *cut = g_strndup(good[i], len);
      g_autoptr(GError) error = NULL;
      g_autoptr(SqlQuery) query = sql_parse(cut, &error);
      assert_true((query == NULL) == (error != NULL));
    }
}

static void test_parts(void **state)
{
  g_autoptr(GError) error = NULL;
  (void)state;

  g_autoptr(SqlQuery) query =
      sql_parse("SELECT \"DAV:href\", \"x:y\" AS z FROM SCOPE('\"/a b\"', 'Shallow traversal of"
                " \"/O''Brien\"','HIERARCHICAL TRAVERSAL OF \"\"') GROUP BY \"g\""
                " ORDER BY \"o\" DESC, \"p\"",
                &error);
  assert_non_null(query);
  assert_false(query->all_columns);
  assert_null(query->where);
  assert_int_equal(query->columns->len, 2);
  const SqlColumn *second = g_ptr_array_index(query->columns, 1);
  assert_ptr_equal(second->name, g_intern_string("x:y"));
  assert_string_equal(second->alias, "z");
  static const SqlScope want[] = {
      {"/a b", SQL_DEEP}, {"/O'Brien", SQL_SHALLOW}, {"", SQL_HIERARCHICAL}};
  assert_int_equal(query->scopes->len, G_N_ELEMENTS(want));
  for (guint i = 0; i < query->scopes->len; i++) {
    const SqlScope *scope = g_ptr_array_index(query->scopes, i);
    assert_string_equal(scope->url, want[i].url);
    assert_int_equal(scope->traversal, want[i].traversal);
  }
  assert_int_equal(query->group->len, 1);
  assert_int_equal(query->order->len, 2);
  assert_true(((SqlKey *)g_ptr_array_index(query->order, 0))->descending);
  assert_false(((SqlKey *)g_ptr_array_index(query->order, 1))->descending);

  g_autoptr(SqlQuery) plain = sql_parse("SELECT * FROM \"/x\"", &error);
  assert_non_null(plain);
  assert_true(plain->all_columns);
  assert_int_equal(((SqlScope *)g_ptr_array_index(plain->scopes, 0))->traversal, SQL_SHALLOW);
}

/* Parsed with `depth` brackets (or NOTs) around a comparison. */
static gboolean nests(const char *open, const char *close, guint depth)
{
  g_autoptr(GString) text = g_string_new("SELECT * FROM \"\" WHERE ");
  g_autoptr(GError) error = NULL;

  for (guint i = 0; i < depth; i++)
    g_string_append(text, open);
  g_string_append(text, "\"a\" = 1");
  for (guint i = 0; i < depth; i++)
    g_string_append(text, close);
  g_autoptr(SqlQuery) query = sql_parse(text->str, &error);
  if (query == NULL)
    assert_true(g_error_matches(error, SQL_ERROR, SQL_ERROR_LIMIT));
  return query != NULL;
}

static void test_limits(void **state)
{
  g_autoptr(GError) error = NULL;
  (void)state;

  assert_true(nests("(", ")", SQL_DEPTH_MAX - 1));
  assert_false(nests("(", ")", SQL_DEPTH_MAX));
  assert_true(nests("NOT ", "", SQL_DEPTH_MAX - 1));
  assert_false(nests("NOT ", "", 10000));
  /* A chain is not depth. */
  g_autoptr(GString) text = g_string_new("SELECT * FROM \"\" WHERE \"a\" = 1");
  while (text->len < SQL_TEXT_MAX - 20)
    g_string_append(text, " OR \"a\"=1");
  g_autoptr(SqlQuery) chain = sql_parse(text->str, &error);
  assert_non_null(chain);
  while (text->len <= SQL_TEXT_MAX)
    g_string_append_c(text, ' ');
  assert_null(sql_parse(text->str, &error));
  assert_true(g_error_matches(error, SQL_ERROR, SQL_ERROR_LIMIT));
}

/* The row of the tests below. n is absent. */
static gboolean row_get(gpointer row, const char *property, SqlValue *ret)
{
  static const guint8 bytes[] = {0, 1, 2};
  static const struct {
    const char *name;
    SqlValue value;
  } values[] = {
      {"s", {.kind = SQL_VALUE_STRING, .s = "Grüße from Åse 50%"}},
      {"ascii", {.kind = SQL_VALUE_STRING, .s = "IPM.Note"}},
      {"flag", {.kind = SQL_VALUE_STRING, .s = "1"}},
      {"empty", {.kind = SQL_VALUE_STRING, .s = ""}},
      {"i", {.kind = SQL_VALUE_INT, .i = 42}},
      {"f", {.kind = SQL_VALUE_FLOAT, .f = 42.5}},
      {"yes", {.kind = SQL_VALUE_BOOL, .i = 1}},
      {"no", {.kind = SQL_VALUE_BOOL, .i = 0}},
      {"t", {.kind = SQL_VALUE_TIME, .i = 1078814200123}}, /* 2004-03-09T06:36:40.123Z */
      {"text", {.kind = SQL_VALUE_STRING, .s = "The quick brown fox_trot, Ünder 7 ends"}},
      {SQL_ALL_TEXT, {.kind = SQL_VALUE_STRING, .s = "everything here"}},
  };

  assert_ptr_equal(property, g_intern_string(property));
  if (row != NULL && g_str_equal(property, "i")) {
    *ret = (SqlValue){.kind = SQL_VALUE_INT, .i = GPOINTER_TO_INT(row)};
    return TRUE;
  }
  if (g_str_equal(property, "b")) {
    static GBytes *shared;
    if (shared == NULL)
      shared = g_bytes_new_static(bytes, sizeof bytes);
    *ret = (SqlValue){.kind = SQL_VALUE_BINARY, .b = shared};
    return TRUE;
  }
  for (gsize i = 0; i < G_N_ELEMENTS(values); i++)
    if (g_str_equal(values[i].name, property)) {
      *ret = values[i].value;
      return TRUE;
    }
  return FALSE;
}

static SqlQuery *query_where(const char *where)
{
  g_autofree char *text = g_strdup_printf("SELECT * FROM \"\" WHERE %s", where);
  g_autoptr(GError) error = NULL;
  SqlQuery *query = sql_parse(text, &error);

  if (query == NULL)
    fail_msg("%s: %s", where, error->message);
  return query;
}

typedef struct {
  const char *where;
  gboolean match;
} Case;

static void run(const Case *cases, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    g_autoptr(SqlQuery) query = query_where(cases[i].where);
    if (sql_match(query->where, row_get, NULL) != cases[i].match)
      fail_msg("%s", cases[i].where);
  }
}

static void test_compare(void **state)
{
  static const Case cases[] = {
      {"\"i\" = 42", TRUE},
      {"\"i\" = '42'", TRUE},
      {"\"i\" != 42", FALSE},
      {"\"i\" <> 41", TRUE},
      {"\"i\" < 42.5", TRUE},
      {"\"i\" >= 43", FALSE},
      {"\"i\" = 'forty'", FALSE},
      {"\"i\" != 'forty'", FALSE}, /* not comparable is not unequal */
      {"\"f\" > 42", TRUE},
      {"\"f\" = CAST(\"42.5\" AS 'float')", TRUE},
      {"\"i\" < \"f\"", TRUE},
      {"\"i\" = \"s\"", FALSE},
      {"\"i\" > 9223372036854775806", FALSE},
      {"\"yes\" = True", TRUE},
      {"\"yes\" = 1", TRUE},
      {"\"yes\" = 'true'", TRUE},
      {"\"no\" = FALSE", TRUE},
      {"\"no\" = CAST(\"0\" AS 'boolean')", TRUE},
      {"\"no\" = true", FALSE},
      {"\"flag\" = '1'", TRUE},
      {"\"flag\" = true", TRUE},
      {"\"flag\" = 1", TRUE},
      {"\"ascii\" = 'ipm.note'", TRUE},
      {"\"ascii\" = 'ipm.not'", FALSE},
      {"\"ascii\" = 'ipm.note%'", FALSE},
      {"\"ascii\" > 'ipm.a'", TRUE},
      {"\"ascii\" <= 'IPM.NOTE'", TRUE},
      {"\"s\" = 'GRÜSSE FROM åse 50%'", TRUE},
      {"\"s\" = 'Grusse from Åse 50%'", FALSE},
      {"\"empty\" = ''", TRUE},
      {"\"empty\" IS NULL", FALSE},
      {"\"b\" = CAST(\"AAEC\" AS 'bin.base64')", TRUE},
      {"\"b\" = CAST(\"AAED\" AS 'bin.base64')", FALSE},
      {"\"b\" < CAST(\"AAED\" AS 'bin.base64')", TRUE},
      {"\"b\" = 'AAEC'", FALSE},
  };
  (void)state;
  run(cases, G_N_ELEMENTS(cases));
}

static void test_dates(void **state)
{
  static const Case cases[] = {
      {"\"t\" = CAST(\"2004-03-09T06:36:40.123Z\" AS 'dateTime.tz')", TRUE},
      {"\"t\" > cast (\"2004-03-09T06:36:40Z\" as 'dateTime.tz')", TRUE},
      {"\"t\" = CAST('2004-03-09T07:36:40.123+01:00' AS 'datetime.TZ')", TRUE},
      {"\"t\" >= '2004/03/09 06:36:40'", TRUE},
      {"\"t\" < '2004/03/09 06:36:41'", TRUE},
      {"\"t\" < '2004/03/09'", FALSE},
      {"\"t\" > CAST(\"2004-03-09\" AS 'date')", TRUE},
      {"\"t\" = 'yesterday'", FALSE},
      {"NOT \"t\" = 'yesterday'", FALSE},
      {"\"t\" = 1078814200123", FALSE},
  };
  (void)state;
  run(cases, G_N_ELEMENTS(cases));
}

static void test_null(void **state)
{
  static const Case cases[] = {
      {"\"n\" = 1", FALSE},
      {"\"n\" != 1", FALSE},
      {"NOT \"n\" = 1", FALSE},
      {"\"n\" LIKE '%'", FALSE},
      {"NOT \"n\" LIKE '%'", FALSE},
      {"\"n\" = \"n\"", FALSE},
      {"\"n\" IS NULL", TRUE},
      {"\"n\" is not null", FALSE},
      {"NOT \"n\" IS NULL", FALSE},
      {"\"i\" IS NOT NULL", TRUE},
      {"\"n\" = 1 OR \"i\" = 42", TRUE},
      {"\"i\" = 42 OR \"n\" = 1", TRUE},
      {"\"n\" = 1 AND \"i\" = 42", FALSE},
      {"NOT (\"n\" = 1 AND \"i\" = 42)", FALSE},
      {"NOT (\"n\" = 1 AND \"i\" = 41)", TRUE},
      {"NOT (\"n\" = 1 OR \"i\" = 41)", FALSE},
      {"(\"n\" <> 'x' OR \"n\" IS NULL) AND \"yes\" = true", TRUE},
      /* NOT binds closer than AND, AND closer than OR */
      {"\"i\" = 42 OR \"i\" = 42 AND \"i\" = 1", TRUE},
      {"(\"i\" = 42 OR \"i\" = 42) AND \"i\" = 1", FALSE},
      {"NOT \"i\" = 1 AND \"i\" = 1", FALSE},
      {"NOT (\"i\" = 1 AND \"i\" = 1)", TRUE},
      {"NOT NOT \"i\" = 42", TRUE},
  };
  (void)state;
  run(cases, G_N_ELEMENTS(cases));
}

static void test_like(void **state)
{
  static const Case cases[] = {
      {"\"ascii\" LIKE 'ipm.note'", TRUE},
      {"\"ascii\" LIKE 'ipm%'", TRUE},
      {"\"ascii\" LIKE '%NOTE'", TRUE},
      {"\"ascii\" LIKE '%.n%'", TRUE},
      {"\"ascii\" LIKE 'i%.%e'", TRUE},
      {"\"ascii\" LIKE '%'", TRUE},
      {"\"ascii\" LIKE '%%'", TRUE},
      {"\"ascii\" LIKE 'ipm.note%ipm.note'", FALSE},
      {"\"ascii\" LIKE 'ipm.no%ote'", FALSE},
      {"\"ascii\" LIKE 'note%'", FALSE},
      {"\"ascii\" LIKE 'IPM_Note'", FALSE},
      {"\"ascii\" LIKE ''", FALSE},
      {"\"empty\" LIKE ''", TRUE},
      {"\"empty\" LIKE '%'", TRUE},
      {"\"s\" LIKE 'grÜsse%ÅSE%'", TRUE},
      {"\"s\" LIKE '%åse 50'", FALSE},
      {"\"i\" LIKE '%'", FALSE},
      {"NOT \"ascii\" LIKE 'rpt%'", TRUE},
  };
  (void)state;
  run(cases, G_N_ELEMENTS(cases));
}

static void test_fulltext(void **state)
{
  static const Case cases[] = {
      {"CONTAINS(\"text\", 'quick')", TRUE},
      {"CONTAINS(\"text\", 'Quick')", FALSE},
      {"CONTAINS(\"text\", 'quic')", FALSE},
      {"CONTAINS(\"text\", 'quic*')", TRUE},
      {"CONTAINS(\"text\", 'uick')", FALSE},
      {"CONTAINS(\"text\", 'fox')", FALSE},
      {"CONTAINS(\"text\", '\"quick brown\"')", TRUE},
      {"CONTAINS(\"text\", 'nder')", FALSE},
      {"CONTAINS(\"text\", 'Ünder')", TRUE},
      {"CONTAINS(\"text\", 'quick AND brown')", TRUE},
      {"CONTAINS(\"text\", 'quick and red')", FALSE},
      {"CONTAINS(\"text\", 'quick AND NOT red')", TRUE},
      {"CONTAINS(\"text\", 'red OR ends')", TRUE},
      {"CONTAINS(\"text\", 'FORMSOF(INFLECTIONAL, \"quick\")')", TRUE},
      {"FREETEXT(\"text\", 'red brown')", TRUE},
      {"FREETEXT(\"text\", 'red blue')", FALSE},
      {"CONTAINS('everything')", TRUE},
      {"CONTAINS(*, 'quick')", FALSE},
      {"CONTAINS(\"n\", 'x')", FALSE},
  };
  (void)state;
  run(cases, G_N_ELEMENTS(cases));
  g_autoptr(SqlQuery) with = query_where("\"a\" = 1 AND (\"b\" = 2 OR NOT CONTAINS('x'))");
  assert_true(sql_uses_fulltext(with->where));
  g_autoptr(SqlQuery) without = query_where("\"a\" = 1 AND NOT \"b\" LIKE 'contains%'");
  assert_false(sql_uses_fulltext(without->where));
  assert_false(sql_uses_fulltext(NULL));
}

static void test_forbidden(void **state)
{
  g_autoptr(GHashTable) forbidden = g_hash_table_new(g_str_hash, g_str_equal);
  const char *found = NULL;
  (void)state;

  g_hash_table_add(forbidden, (gpointer) "DAV:getetag");
  g_autoptr(SqlQuery) fine = query_where("\"DAV:isfolder\" = True AND \"x\" IS NULL");
  assert_false(sql_first_property(fine->where, forbidden, &found));
  assert_false(sql_first_property(NULL, forbidden, &found));
  assert_null(found);
  static const char *const hits[] = {
      "\"x\" = 1 AND (\"y\" = 2 OR NOT \"DAV:getetag\" LIKE 'a%')",
      "\"x\" = \"DAV:getetag\"",
      "\"DAV:getetag\" IS NOT NULL",
  };
  for (gsize i = 0; i < G_N_ELEMENTS(hits); i++) {
    g_autoptr(SqlQuery) query = query_where(hits[i]);
    found = NULL;
    assert_true(sql_first_property(query->where, forbidden, &found));
    assert_ptr_equal(found, g_intern_string("DAV:getetag"));
  }
}

static void test_order(void **state)
{
  g_autoptr(GError) error = NULL;
  (void)state;

  g_autoptr(SqlQuery) query =
      sql_parse("SELECT * FROM \"\" ORDER BY \"n\", \"ascii\" DESC, \"i\" DESC", &error);
  assert_non_null(query);
  assert_true(sql_compare_rows(query, row_get, GINT_TO_POINTER(1), GINT_TO_POINTER(2)) > 0);
  assert_true(sql_compare_rows(query, row_get, GINT_TO_POINTER(2), GINT_TO_POINTER(1)) < 0);
  assert_int_equal(sql_compare_rows(query, row_get, GINT_TO_POINTER(7), GINT_TO_POINTER(7)), 0);
  g_autoptr(SqlQuery) none = sql_parse("SELECT * FROM \"\"", &error);
  assert_int_equal(sql_compare_rows(none, row_get, GINT_TO_POINTER(1), GINT_TO_POINTER(2)), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_grammar),  cmocka_unit_test(test_cut),
      cmocka_unit_test(test_parts),    cmocka_unit_test(test_limits),
      cmocka_unit_test(test_compare),  cmocka_unit_test(test_dates),
      cmocka_unit_test(test_null),     cmocka_unit_test(test_like),
      cmocka_unit_test(test_fulltext), cmocka_unit_test(test_forbidden),
      cmocka_unit_test(test_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
