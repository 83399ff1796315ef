/* SPDX-License-Identifier: Apache-2.0 */
/* Header facts by GMime; rewriting by bytes, line by line, so that hostile input that no parser
 * understands still has one defined outcome and large files are streamed. */
#include "mime.h"

#include "props.h"

#include <gmime/gmime.h>
#include <string.h>

gsize mime_header_end(GBytes *head)
{
  gsize len;
  const char *data = g_bytes_get_data(head, &len);
  for (gsize i = 0; i < len;) {
    const char *eol = memchr(data + i, '\n', len - i);
    gsize next = eol ? (gsize)(eol - data) + 1 : len;
    if (eol && (next - i == 1 || (next - i == 2 && data[i] == '\r'))) {
      return next;
    }
    i = next;
  }
  return len;
}

static void set_text(Model *model, Node *item, const char *name, const char *text)
{
  if (!text) {
    model_set(model, item, g_intern_string(name), NULL);
    return;
  }
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  Value value = value_string(valid);
  model_set(model, item, g_intern_string(name), &value);
}

static void set_addresses(Model *model, Node *item, const char *name, InternetAddressList *list)
{
  g_autofree char *text = list && internet_address_list_length(list) > 0
                              ? internet_address_list_to_string(list, NULL, FALSE)
                              : NULL;
  set_text(model, item, name, text);
}

static void set_sender(Model *model, Node *item, GMimeMessage *message)
{
  InternetAddressList *from = g_mime_message_get_from(message);
  set_addresses(model, item, NS_HTTPMAIL "from", from);
  InternetAddress *first = from && internet_address_list_length(from) > 0
                               ? internet_address_list_get_address(from, 0)
                               : NULL;
  if (first && INTERNET_ADDRESS_IS_MAILBOX(first)) {
    const char *email = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(first));
    const char *name = internet_address_get_name(first);
    set_text(model, item, NS_HTTPMAIL "fromemail", email);
    set_text(model, item, NS_HTTPMAIL "fromname", name ? name : email);
  }
}

static void set_class(Node *item, GMimeObject *object)
{
  const char *text = g_mime_object_get_header(object, "Content-class");
  if (text && g_ascii_strcasecmp(text, "urn:content-classes:appointment") == 0) {
    item->content_class = g_intern_static_string("urn:content-classes:appointment");
    item->message_class = g_intern_static_string("IPM.Appointment");
  } else if (text && g_ascii_strcasecmp(text, "urn:content-classes:task") == 0) {
    item->content_class = g_intern_static_string("urn:content-classes:task");
    item->message_class = g_intern_static_string("IPM.Task");
  }
}

void mime_describe(Model *model, Node *item, gboolean received)
{
  g_autoptr(GBytes) bytes = body_head(item->body, MIME_HEAD_MAX);
  gsize len = mime_header_end(bytes);
  g_autoptr(GBytes) head = g_bytes_new_from_bytes(bytes, 0, len);
  GMimeStream *stream = g_mime_stream_mem_new_with_buffer(g_bytes_get_data(head, NULL), len);
  GMimeParser *parser = g_mime_parser_new_with_stream(stream);
  GMimeMessage *message = g_mime_parser_construct_message(parser, NULL);
  g_object_unref(parser);
  g_object_unref(stream);
  if (!message) {
    return;
  }
  GMimeObject *object = GMIME_OBJECT(message);
  set_text(model, item, NS_HTTPMAIL "subject", g_mime_message_get_subject(message));
  set_text(model, item, NS_HTTPMAIL "thread-topic", g_mime_message_get_subject(message));
  set_text(model, item, NS_HEADER "message-id", g_mime_message_get_message_id(message));
  set_text(model, item, NS_HEADER "in-reply-to", g_mime_object_get_header(object, "In-Reply-To"));
  set_text(model, item, NS_HEADER "references", g_mime_object_get_header(object, "References"));
  set_addresses(model, item, NS_HEADER "to", g_mime_message_get_to(message));
  set_addresses(model, item, NS_HEADER "cc", g_mime_message_get_cc(message));
  set_sender(model, item, message);
  set_class(item, object);
  GDateTime *date = g_mime_message_get_date(message);
  if (date) {
    Value sent = value_time(g_date_time_to_unix(date) * 1000);
    model_set(model, item, g_intern_static_string(NS_HTTPMAIL "date"), &sent);
    if (received) {
      item->received = sent.i;
    }
  }
  GMimeObject *part = g_mime_message_get_mime_part(message);
  GMimeContentType *type = part ? g_mime_object_get_content_type(part) : NULL;
  item->attachments = type && g_mime_content_type_is_type(type, "multipart", "mixed") ? 1 : 0;
  g_object_unref(message);
}

typedef struct {
  const char *name, *value; /* of the message's bytes; value keeps its folds */
  gsize name_len, value_len;
} Field;

/* The end of the line that begins at data (past its LF), within end. */
static const char *line_end(const char *data, const char *end)
{
  const char *eol = data < end ? memchr(data, '\n', (gsize)(end - data)) : NULL;
  return eol ? eol + 1 : end;
}

static gsize trimmed(const char *data, const char *end)
{
  while (end > data && (end[-1] == '\n' || end[-1] == '\r')) {
    end--;
  }
  return (gsize)(end - data);
}

/* Reads one field with its folded lines at *data; FALSE where the header block ends. */
static gboolean next_field(const char **data, const char *end, Field *ret)
{
  const char *start = *data;
  const char *eol = line_end(start, end);
  gsize len = trimmed(start, eol);
  const char *colon = memchr(start, ':', len);
  if (!colon || colon == start || *start == ' ' || *start == '\t') {
    return FALSE;
  }
  while (eol < end && (*eol == ' ' || *eol == '\t')) {
    eol = line_end(eol, end);
  }
  *ret = (Field){.name = start,
                 .name_len = (gsize)(colon - start),
                 .value = colon + 1,
                 .value_len = trimmed(colon + 1, eol)};
  while (ret->value_len > 0 && (*ret->value == ' ' || *ret->value == '\t')) {
    ret->value++;
    ret->value_len--;
  }
  *data = eol;
  return TRUE;
}

static int rank(const Field *field)
{
  static const char *const order[] = {"Received",     "MIME-Version",
                                      "Content-Type", "Content-class",
                                      "Subject",      "Date",
                                      "Message-ID",   "From",
                                      "To",           "Cc"};
  for (gsize i = 0; i < G_N_ELEMENTS(order); i++) {
    if (strlen(order[i]) == field->name_len &&
        g_ascii_strncasecmp(order[i], field->name, field->name_len) == 0) {
      return (int)i;
    }
  }
  return G_N_ELEMENTS(order);
}

static gboolean field_is(const Field *field, const char *name)
{
  return strlen(name) == field->name_len &&
         g_ascii_strncasecmp(name, field->name, field->name_len) == 0;
}

typedef struct {
  Spool *out;
  char *from, *to; /* boundary of the outermost multipart, and what replaces it */
} Rewriter;

static void put(Rewriter *rw, const char *data, gsize len)
{
  spool_append(rw->out, data, len);
}

/* One line without its end; the boundary in it becomes ours. */
static void put_line(Rewriter *rw, const char *data, gsize len)
{
  gsize old = rw->from ? strlen(rw->from) : 0;
  const char *at = old ? memmem(data, len, rw->from, old) : NULL;
  if (at) {
    put(rw, data, (gsize)(at - data));
    put(rw, rw->to, strlen(rw->to));
    put(rw, at + old, len - (gsize)(at - data) - old);
  } else {
    put(rw, data, len);
  }
  put(rw, "\r\n", 2);
}

static void put_field(Rewriter *rw, const Field *field)
{
  put(rw, field->name, field->name_len);
  put(rw, ": ", 2);
  const char *end = field->value + field->value_len;
  for (const char *p = field->value; p < end || p == field->value;) {
    const char *eol = line_end(p, end);
    put_line(rw, p, trimmed(p, eol));
    if (eol >= end) {
      break;
    }
    p = eol;
    while (p < end && (*p == ' ' || *p == '\t')) {
      p++;
    }
    put(rw, "\t", 1);
  }
}

static void find_boundary(Rewriter *rw, const Field *field)
{
  static const char ours[] = "----_=_NextPart_001_01C6";
  g_autofree char *text = g_strndup(field->value, field->value_len);
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  GMimeContentType *type = g_mime_content_type_parse(NULL, valid);
  g_autoptr(GObject) owner = type ? G_OBJECT(type) : NULL;
  const char *boundary = type ? g_mime_content_type_get_parameter(type, "boundary") : NULL;
  if (!boundary || strlen(boundary) < 4 || g_str_has_prefix(boundary, ours) ||
      !memmem(field->value, field->value_len, boundary, strlen(boundary))) {
    return;
  }
  g_autofree char *sum = g_compute_checksum_for_string(G_CHECKSUM_MD5, boundary, -1);
  rw->from = g_strdup(boundary);
  rw->to = g_strdup_printf("%s.%.16s", ours, sum);
}

Body *mime_rewrite(Body *body)
{
  g_autoptr(GBytes) bytes = body_bytes(body);
  if (!bytes) {
    return body_ref(body);
  }
  gsize len;
  const char *data = g_bytes_get_data(bytes, &len);
  const char *end = data + len;
  g_autoptr(GArray) fields = g_array_new(FALSE, FALSE, sizeof(Field));
  Rewriter rw = {.out = spool_new()};
  Field field;
  while (data && data < end && next_field(&data, end, &field)) {
    if (!field_is(&field, "Bcc")) { /* quirk 31 */
      g_array_append_val(fields, field);
    }
    if (field_is(&field, "Content-Type") && !rw.from) {
      find_boundary(&rw, &field);
    }
  }
  for (int r = 0; r <= 10; r++) {
    for (guint i = 0; i < fields->len; i++) {
      const Field *at = &g_array_index(fields, Field, i);
      if (rank(at) == r) {
        put_field(&rw, at);
      }
    }
  }
  if (data < end && trimmed(data, line_end(data, end)) == 0) {
    data = line_end(data, end);
  }
  put(&rw, "\r\n", 2);
  while (data && data < end) {
    const char *eol = line_end(data, end);
    put_line(&rw, data, trimmed(data, eol));
    data = eol;
  }
  g_free(rw.from);
  g_free(rw.to);
  return spool_finish(rw.out);
}

Body *mime_line_ends(Body *body)
{
  g_autoptr(GBytes) bytes = body_bytes(body);
  gsize len = 0;
  const char *data = bytes ? g_bytes_get_data(bytes, &len) : NULL;
  const char *end = data ? data + len : NULL;
  Rewriter rw = {.out = spool_new()};
  while (data < end) {
    const char *eol = line_end(data, end);
    if (eol[-1] == '\n') {
      put_line(&rw, data, trimmed(data, eol));
    } else {
      put(&rw, data, (gsize)(eol - data));
    }
    data = eol;
  }
  return spool_finish(rw.out);
}
