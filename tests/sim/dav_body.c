/* SPDX-License-Identifier: Apache-2.0 */
/* GET, HEAD and PUT (sections 5.5, 5.6 and 9). */
#include "dav.h"
#include "mime.h"

#include <gio/gio.h>
#include <string.h>

/* A message made of properties alone has no bytes of its own: headers and text are put together. */
static Body *shell(PropContext *context, const Node *node)
{
  static const char *const fields[][2] = {{"From", NS_HTTPMAIL "from"},
                                          {"To", NS_HEADER "to"},
                                          {"Subject", NS_HTTPMAIL "subject"},
                                          {"Message-ID", NS_HEADER "message-id"}};
  GString *out = g_string_new("MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                              "Content-Transfer-Encoding: 8bit\r\n");
  g_string_append_printf(out, "Content-class: %s\r\n", node->content_class);
  Column column;
  Value value;
  for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
    prop_resolve(context->sim, fields[i][1], &column);
    if (prop_get(context, &column, node, &value) && value.s) {
      g_string_append_printf(out, "%s: %s\r\n", fields[i][0], value.s);
    }
  }
  g_string_append(out, "\r\n");
  prop_resolve(context->sim, NS_HTTPMAIL "textdescription", &column);
  if (prop_get(context, &column, node, &value) && value.s) {
    g_string_append_printf(out, "%s\r\n", value.s);
  }
  g_autoptr(GBytes) bytes = g_string_free_to_bytes(out);
  return body_new_bytes(bytes);
}

/* One byte range of the plain profile (RFC 9110 14.2); FALSE: ignore it, send all. */
static gboolean read_bytes_range(const char *text, guint64 size, guint64 *first, guint64 *count)
{
  char *end;
  if (!g_str_has_prefix(text, "bytes=") || strchr(text, ',')) {
    return FALSE;
  }
  text += strlen("bytes=");
  if (*text == '-') {
    guint64 last = MIN(g_ascii_strtoull(text + 1, NULL, 10), size);
    *first = size - last;
    *count = last;
    return TRUE;
  }
  *first = g_ascii_strtoull(text, &end, 10);
  if (end == text || *end != '-') {
    return FALSE;
  }
  guint64 until = g_ascii_isdigit(end[1]) ? g_ascii_strtoull(end + 1, NULL, 10) : size - 1;
  *count = *first < size && until >= *first ? MIN(until, size - 1) - *first + 1 : 0;
  return TRUE;
}

static void apply_range(const Request *request, const char *etag, Reply *reply)
{
  guint64 size = reply->length;
  const char *range = request_header(request, "range");
  const char *if_range = request_header(request, "if-range");
  reply_header(reply, "Accept-Ranges", "bytes");
  if (!range || (if_range && strcmp(if_range, etag) != 0) ||
      !read_bytes_range(range, size, &reply->offset, &reply->length)) {
    reply->offset = 0;
    reply->length = size;
    return;
  }
  if (reply->length == 0) {
    reply->status = 416;
    g_clear_pointer(&reply->body, body_unref);
    reply_headerf(reply, "Content-Range", "bytes */%" G_GUINT64_FORMAT, size);
    return;
  }
  reply->status = 206;
  reply_headerf(reply, "Content-Range",
                "bytes %" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT "/%" G_GUINT64_FORMAT,
                reply->offset, reply->offset + reply->length - 1, size);
}

/* Exchange compresses when asked. What is in a file stays as it is. */
static void compress(const Request *request, Reply *reply)
{
  const char *accept = request_header(request, "accept-encoding");
  if (!accept || !strstr(accept, "gzip") || !reply->body || body_fd(reply->body) >= 0) {
    return;
  }
  g_autoptr(GBytes) bytes = body_bytes(reply->body);
  g_autoptr(GZlibCompressor) gzip = g_zlib_compressor_new(G_ZLIB_COMPRESSOR_FORMAT_GZIP, 6);
  gsize room = g_bytes_get_size(bytes) * 2 + 1024, read, written;
  g_autofree char *out = g_malloc(room);
  if (g_converter_convert(G_CONVERTER(gzip), g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes),
                          out, room, G_CONVERTER_INPUT_AT_END, &read, &written,
                          NULL) == G_CONVERTER_FINISHED) {
    g_autoptr(GBytes) packed = g_bytes_new(out, written);
    body_unref(reply->body);
    reply->body = body_new_bytes(packed);
    reply->length = written;
    reply_header(reply, "Content-Encoding", "gzip");
  }
}

static void send_item(Sim *sim, const Request *request, const Node *node, Reply *reply)
{
  g_auto(PropContext) context;
  prop_context_init(&context, sim, request);
  gboolean raw = node->document || !sim_exchange(sim);
  reply->body = node->body ? body_ref(node->body) : raw ? NULL : shell(&context, node);
  reply->length = reply->body ? body_size(reply->body) : 0;
  reply->status = 200;
  g_autoptr(GString) etag = g_string_new(NULL);
  g_autoptr(GString) text = g_string_new(NULL);
  prop_append_etag(sim, node, etag);
  value_append_http_date(text, node->modified);
  reply_header(reply, "ETag", etag->str);
  reply_header(reply, "Last-Modified", text->str);
  reply_header(reply, "Content-Type",
               !raw                 ? "message/rfc822"
               : node->content_type ? node->content_type
                                    : "application/octet-stream");
  if (sim_exchange(sim)) {
    g_string_truncate(text, 0);
    prop_append_resource_tag(node, text);
    reply_headerf(reply, "ResourceTag", "<%s>", text->str);
    compress(request, reply);
  } else {
    apply_range(request, etag->str, reply);
  }
}

void dav_get(Sim *sim, const Request *request, Reply *reply)
{
  model_read(sim->model);
  g_auto(Target) target;
  url_resolve(sim, request->path, &target);
  int bad = 0;
  if (target.kind != TARGET_NODE || (target.slash && !target.node->folder)) {
    reply_status(reply, 404);
  } else if ((bad = dav_precondition(sim, request, target.node)) != 0) {
    reply_status(reply, bad);
  } else if (target.node->folder) {
    reply_text(reply, 200, "text/html", "<html><body>A folder.</body></html>");
  } else {
    send_item(sim, request, target.node, reply);
  }
  model_read_done(sim->model);
}

static gboolean is_message(const Sim *sim, const Request *request, const char *name)
{
  const char *type = request_header(request, "content-type");
  gsize len = strlen(name);
  if (!sim_exchange(sim)) {
    return FALSE;
  }
  if (type && g_ascii_strncasecmp(type, "message/rfc822", 14) == 0) {
    return TRUE;
  }
  return len > 4 && g_ascii_strcasecmp(name + len - 4, ".eml") == 0;
}

static int over_quota(const Sim *sim, const Request *request, const Node *old)
{
  gint64 quota = sim_switch(sim, SWITCH_QUOTA);
  guint64 used = model_bytes(sim->model) + body_size(request->body) -
                 (old && old->body ? body_size(old->body) : 0);
  if (!quota || used <= (guint64)quota) {
    return 0;
  }
  return sim_switch(sim, SWITCH_QUOTA_500) ? 500 : 507; /* quirk 42 */
}

/* 0, or why nothing can be written there. */
static int put_refused(const Sim *sim, const Request *request, const Target *target)
{
  if (target->kind == TARGET_NODE && target->node->folder) {
    return 405;
  }
  if ((target->kind != TARGET_NODE && target->kind != TARGET_NEW) || !target->parent) {
    return 409;
  }
  if (!target->parent->folder || (target->slash && target->kind == TARGET_NEW)) {
    return 409;
  }
  if (sim_switch(sim, SWITCH_PUT_406) && is_message(sim, request, target->name)) {
    return 406;
  }
  int bad = dav_precondition(sim, request, target->kind == TARGET_NODE ? target->node : NULL);
  return bad ? bad : over_quota(sim, request, target->node);
}

static void fill(Sim *sim, Node *node, Body *body, gboolean message, gboolean created,
                 const char *type)
{
  node->document = !message;
  if (!message && created) {
    node->message_class = g_intern_static_string("IPM.Document");
    node->content_class = g_intern_static_string("urn:content-classes:document");
    model_set_read(sim->model, node, TRUE);
  }
  model_put(sim->model, node, body, type ? type : "application/octet-stream");
  if (message) {
    mime_describe(sim->model, node, FALSE);
  }
}

void dav_put(Sim *sim, const Request *request, Reply *reply)
{
  /* Rewriting may take a while for a large message: before the lock. */
  g_autofree char *decoded = url_decode(request->path);
  gboolean message = is_message(sim, request, decoded);
  g_autoptr(Body) body = message ? mime_rewrite(request->body) : body_ref(request->body);
  const char *type = request_header(request, "content-type");
  model_write(sim->model);
  g_auto(Target) target;
  url_resolve(sim, request->path, &target);
  int bad = target.kind == TARGET_SUBMISSION ? 0 : put_refused(sim, request, &target);
  if (bad) {
    reply_status(reply, bad);
  } else if (target.kind == TARGET_SUBMISSION) {
    model_submitted(sim->model);
    reply_status(reply, 200);
  } else {
    gboolean created = target.kind == TARGET_NEW;
    Node *node = created ? model_make_item(sim->model, target.parent, target.name) : target.node;
    fill(sim, node, body, message, created, type);
    dav_reply_ids(sim, request, node, reply);
    reply_status(reply, created ? 201 : sim_exchange(sim) ? 200 : 204);
    if (created) {
      dav_reply_location(sim, request, node, reply);
    }
  }
  model_write_done(sim->model);
}

/* A name for a message that came without one: its subject (section 2.1). */
static char *name_from_subject(Sim *sim, const Node *folder, const Node *item)
{
  const Value *subject =
      item->props ? g_hash_table_lookup(item->props, g_intern_static_string(NS_HTTPMAIL "subject"))
                  : NULL;
  g_autofree char *stem = g_utf8_substring(subject ? subject->s : "", 0,
                                           subject ? MIN(g_utf8_strlen(subject->s, -1), 200) : 0);
  for (char *p = stem; *p; p++) {
    *p = (guchar)*p < 0x20 ? ' ' : *p;
  }
  g_autofree char *wanted = g_strconcat(*g_strstrip(stem) ? stem : "No Subject", ".EML", NULL);
  return model_free_name(sim->model, folder, wanted);
}

void dav_post(Sim *sim, const Request *request, Reply *reply)
{
  const char *type = request_header(request, "content-type");
  if (!type || g_ascii_strncasecmp(type, "message/rfc822", 14) != 0) {
    reply_status(reply, 501); /* commands of the web client */
    return;
  }
  g_autoptr(Body) body = mime_rewrite(request->body);
  model_write(sim->model);
  g_auto(Target) target;
  url_resolve(sim, request->path, &target);
  if (target.kind != TARGET_NODE || !target.node->folder) {
    reply_status(reply, target.kind == TARGET_NODE ? 405 : 404);
  } else {
    g_autofree char *first = model_free_name(sim->model, target.node, "No Subject.EML");
    Node *node = model_make_item(sim->model, target.node, first);
    fill(sim, node, body, TRUE, TRUE, type);
    node->unsent = TRUE; /* quirk 30 */
    g_autofree char *name = name_from_subject(sim, target.node, node);
    if (strcmp(name, first) != 0 && node->props) {
      model_move(sim->model, node, target.node, name);
    }
    dav_reply_ids(sim, request, node, reply);
    dav_reply_location(sim, request, node, reply);
    reply_status(reply, 201);
  }
  model_write_done(sim->model);
}
