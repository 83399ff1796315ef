/* SPDX-License-Identifier: Apache-2.0 */
/* The 207 writer. Tags are made once per document, since a listing writes each ten thousand times.
 */
#include "dav_answer.h"

#include <string.h>

typedef struct {
  char *open; /* "<e:x0e080003", without '>' */
  char *close;
  char *empty;
} Tags;

struct Answer {
  const Sim *sim;
  GString *out;
  const GArray *columns;
  Tags *tags;                              /* per column */
  gboolean exchange, status_first, silent; /* silent: this row tells no 200 */
  guint *missing;                          /* per row: the columns it lacks */
};

const char *answer_reason(int status)
{
  switch (status) {
  case 200:
    return "200 OK";
  case 201:
    return "201 Created";
  case 204:
    return "204 No Content";
  case 401:
    return "401 Unauthorized";
  case 403:
    return "403 Forbidden";
  case 404:
    return "404 Resource Not Found";
  case 409:
    return "409 Conflict";
  case 412:
    return "412 Precondition Failed";
  case 423:
    return "423 Locked";
  case 424:
    return "424 Failed Dependency";
  case 507:
    return "507 Insufficient Storage";
  default:
    return "500 Internal Server Error";
  }
}

static void append_escaped(const Answer *answer, const char *text)
{
  for (const char *run = text;;) {
    gsize n = 0;
    while ((guchar)run[n] >= 0x20 && run[n] != '&' && run[n] != '<' && run[n] != '>' &&
           run[n] != '"') {
      n++;
    }
    g_string_append_len(answer->out, run, (gssize)n);
    run += n;
    switch (*run) {
    case '\0':
      return;
    case '&':
      g_string_append(answer->out, "&amp;");
      break;
    case '<':
      g_string_append(answer->out, "&lt;");
      break;
    case '>':
      g_string_append(answer->out, "&gt;");
      break;
    case '"':
      g_string_append(answer->out, "&quot;");
      break;
    default:
      /* Exchange sends control characters as they are, ill-formed or not (quirk 8). */
      if (answer->exchange || *run == '\t' || *run == '\n' || *run == '\r') {
        g_string_append_c(answer->out, *run);
      }
    }
    run++;
  }
}

/* The element name for a local name that may begin with a digit (quirk 7). */
static char *element_name(const Answer *answer, const char *local)
{
  if (!g_ascii_isdigit(local[0]) || sim_switch(answer->sim, SWITCH_DIGIT_NAMES)) {
    return g_strdup(local);
  }
  return g_strdup_printf("_x003%c_%s", local[0], local + 1);
}

static char *prefix_for(GPtrArray *spaces, const char *ns)
{
  if (strcmp(ns, NS_DAV) == 0) {
    return g_strdup("a");
  }
  guint i;
  if (!g_ptr_array_find(spaces, ns, &i)) {
    i = spaces->len;
    g_ptr_array_add(spaces, (gpointer)ns);
  }
  return i < 23 ? g_strdup_printf("%c", 'd' + (int)i) : g_strdup_printf("n%u", i);
}

static void make_tags(Answer *answer, GPtrArray *spaces)
{
  for (guint i = 0; i < answer->columns->len; i++) {
    const Column *column = &g_array_index(answer->columns, Column, i);
    Tags *tags = &answer->tags[i];
    g_autofree char *name = NULL;
    if (column->alias) {
      name = g_strdup(column->alias);
    } else if (column->ns[0] == '\0') {
      name = g_strdup(column->local);
    } else {
      g_autofree char *prefix = prefix_for(spaces, column->ns);
      g_autofree char *local = element_name(answer, column->local);
      name = g_strdup_printf("%s:%s", prefix, local);
    }
    tags->open = g_strdup_printf("<%s", name);
    tags->close = g_strdup_printf("</%s>", name);
    tags->empty = g_strdup_printf("<%s/>", name);
  }
}

Answer *answer_new(const Sim *sim, const GArray *columns)
{
  Answer *answer = g_new0(Answer, 1);
  answer->sim = sim;
  answer->columns = columns;
  answer->exchange = sim_exchange(sim);
  answer->status_first = answer->exchange && !sim_switch(sim, SWITCH_PROP_FIRST);
  answer->tags = g_new0(Tags, columns->len + 1);
  answer->missing = g_new(guint, columns->len + 1);
  answer->out = g_string_sized_new(4096);
  g_autoptr(GPtrArray) spaces = g_ptr_array_new();
  make_tags(answer, spaces);
  g_string_append(answer->out, answer->exchange
                                   ? "<?xml version=\"1.0\"?><a:multistatus xmlns:b=\"" NS_DT
                                     "\" xmlns:c=\"xml:\""
                                   : "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<a:multistatus");
  for (guint i = 0; i < spaces->len; i++) {
    g_autofree char *prefix = prefix_for(spaces, spaces->pdata[i]);
    g_string_append_printf(answer->out, " xmlns:%s=\"", prefix);
    append_escaped(answer, spaces->pdata[i]);
    g_string_append_c(answer->out, '"');
  }
  g_string_append(answer->out, " xmlns:a=\"DAV:\">");
  return answer;
}

GString *answer_finish(Answer *answer)
{
  g_string_append(answer->out, "</a:multistatus>");
  GString *out = answer->out;
  for (guint i = 0; i < answer->columns->len; i++) {
    g_free(answer->tags[i].open);
    g_free(answer->tags[i].close);
    g_free(answer->tags[i].empty);
  }
  g_free(answer->tags);
  g_free(answer->missing);
  g_free(answer);
  return out;
}

static void append_number(GString *out, gint64 number)
{
  char digits[24];
  int i = sizeof digits;
  guint64 rest = number < 0 ? -(guint64)number : (guint64)number;
  do {
    digits[--i] = (char)('0' + rest % 10);
    rest /= 10;
  } while (rest);
  if (number < 0) {
    digits[--i] = '-';
  }
  g_string_append_len(out, digits + i, (gssize)sizeof digits - i);
}

static void append_list(Answer *answer, const Tags *tags, char *const *list)
{
  GString *out = answer->out;
  g_string_append(out, " b:dt=\"mv.string\">");
  for (; *list; list++) {
    g_string_append(out, "<c:v>");
    append_escaped(answer, *list);
    g_string_append(out, "</c:v>");
  }
  g_string_append(out, tags->close);
}

static void append_value(Answer *answer, const Column *column, const Tags *tags, const Value *value)
{
  static const char *const types[] = {
      [VALUE_INT] = " b:dt=\"int\"",           [VALUE_BOOL] = " b:dt=\"boolean\"",
      [VALUE_TIME] = " b:dt=\"dateTime.tz\"",  [VALUE_FLOAT] = " b:dt=\"float\"",
      [VALUE_BINARY] = " b:dt=\"bin.base64\"", [VALUE_LIST] = NULL};
  GString *out = answer->out;
  g_string_append(out, tags->open);
  if (value->kind == VALUE_LIST) {
    append_list(answer, tags, value->list);
    return;
  }
  if (answer->exchange && types[value->kind]) {
    g_string_append(out, types[value->kind]);
  }
  g_string_append_c(out, '>');
  char number[G_ASCII_DTOSTR_BUF_SIZE];
  switch (value->kind) {
  case VALUE_NONE:
    g_string_append(out, value->i ? "<a:collection/>" : "");
    break;
  case VALUE_STRING:
    append_escaped(answer, value->s);
    break;
  case VALUE_INT:
  case VALUE_BOOL:
    append_number(out, value->i);
    break;
  case VALUE_TIME:
    /* Quirk 11: Exchange writes ISO where RFC 4918 wants the HTTP form. */
    if (!answer->exchange && strcmp(column->local, "getlastmodified") == 0) {
      value_append_http_date(out, value->i);
    } else {
      value_append_iso(out, value->i);
    }
    break;
  case VALUE_FLOAT:
    g_string_append(out, g_ascii_dtostr(number, sizeof number, value->f));
    break;
  case VALUE_BINARY: {
    gsize len;
    const guchar *data = g_bytes_get_data(value->b, &len);
    g_autofree char *text = g_base64_encode(data, len);
    g_string_append(out, text);
    break;
  }
  case VALUE_LIST:
    break;
  }
  g_string_append(out, tags->close);
}

static void append_status(Answer *answer, int status)
{
  if (answer->silent && status == 200) {
    return;
  }
  g_string_append(answer->out, "<a:status>HTTP/1.1 ");
  g_string_append(answer->out,
                  !answer->exchange && status == 404 ? "404 Not Found" : answer_reason(status));
  g_string_append(answer->out, "</a:status>");
}

static void open_propstat(Answer *answer, int status)
{
  g_string_append(answer->out, "<a:propstat>");
  if (answer->status_first) {
    append_status(answer, status);
  }
  g_string_append(answer->out, "<a:prop>");
}

static void close_propstat(Answer *answer, int status)
{
  g_string_append(answer->out, "</a:prop>");
  if (!answer->status_first) {
    append_status(answer, status);
  }
  g_string_append(answer->out, "</a:propstat>");
}

void answer_row(Answer *answer, PropContext *context, const Node *node, gboolean brief,
                gboolean names_only)
{
  answer->silent = brief && sim_switch(answer->sim, SWITCH_NO_STATUS);
  g_string_append(answer->out, "<a:response><a:href>");
  prop_append_href(context, node, answer->out);
  g_string_append(answer->out, "</a:href>");
  guint missing = 0, found = 0;
  for (guint i = 0; i < answer->columns->len; i++) {
    const Column *column = &g_array_index(answer->columns, Column, i);
    Value value;
    if (!prop_get(context, column, node, &value)) {
      answer->missing[missing++] = i;
      continue;
    }
    if (found++ == 0) {
      open_propstat(answer, 200);
    }
    if (names_only) {
      g_string_append(answer->out, answer->tags[i].empty);
    } else {
      append_value(answer, column, &answer->tags[i], &value);
    }
  }
  if (found > 0) {
    close_propstat(answer, 200);
  }
  if (missing > 0 && !brief) {
    open_propstat(answer, 404);
    for (guint i = 0; i < missing; i++) {
      g_string_append(answer->out, answer->tags[answer->missing[i]].empty);
    }
    close_propstat(answer, 404);
  } else if (found == 0) {
    append_status(answer, 200);
  }
  g_string_append(answer->out, "</a:response>");
}

void answer_open(Answer *answer, const char *href)
{
  g_string_append(answer->out, "<a:response><a:href>");
  append_escaped(answer, href);
  g_string_append(answer->out, "</a:href>");
}

void answer_status(Answer *answer, int status)
{
  append_status(answer, status);
}

void answer_element(Answer *answer, const char *local, const char *text)
{
  g_string_append_printf(answer->out, "<a:%s>", local);
  append_escaped(answer, text);
  g_string_append_printf(answer->out, "</a:%s>", local);
}

void answer_propstat(Answer *answer, const GArray *columns, const int *statuses, int status)
{
  gboolean open = FALSE;
  for (guint i = 0; i < columns->len; i++) {
    if (statuses[i] != status) {
      continue;
    }
    if (!open) {
      open_propstat(answer, status);
      open = TRUE;
    }
    g_string_append(answer->out, answer->tags[i].empty);
  }
  if (open) {
    close_propstat(answer, status);
  }
}

void answer_close(Answer *answer)
{
  g_string_append(answer->out, "</a:response>");
}
