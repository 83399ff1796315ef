/* SPDX-License-Identifier: Apache-2.0 */
/* The getters that read a message: its headers as stored facts, or computed when synthetic. */
#include "mime.h"
#include "props_private.h"
#include "synth.h"

static const Value *stored_value(const Node *node, const char *name)
{
  return node->props ? g_hash_table_lookup(node->props, name) : NULL;
}

static gint64 synthetic_index(const Node *node)
{
  return node->body ? body_synthetic_index(node->body) : -1;
}

gboolean prop_get_sent(PropContext *context, const Node *node, int arg, Value *ret)
{
  (void)context;
  (void)arg;
  const Value *stored = stored_value(node, g_intern_static_string(NS_HTTPMAIL "date"));
  gint64 index = synthetic_index(node);
  if (stored) {
    *ret = *stored;
  } else if (index >= 0) {
    *ret = value_time(synth_received((guint)index));
  }
  return stored || index >= 0;
}

/* The bytes a message came as; not offered for what is large or made when read. */
gboolean prop_get_mime(PropContext *context, const Node *node, int arg, Value *ret)
{
  (void)context;
  (void)arg;
  if (!node->body || node->document || body_fd(node->body) >= 0 || synthetic_index(node) >= 0) {
    return FALSE;
  }
  g_autoptr(GBytes) bytes = body_bytes(node->body); /* the body keeps its own reference */
  *ret = (Value){.kind = VALUE_BINARY, .b = bytes};
  return TRUE;
}

/* What a message says of itself: computed when synthetic, else stored when it came in. */
gboolean prop_get_fact(PropContext *context, const Node *node, int arg, Value *ret)
{
  static const char *const names[] = {NS_HTTPMAIL "subject",  NS_HTTPMAIL "from",
                                      NS_HTTPMAIL "fromname", NS_HTTPMAIL "fromemail",
                                      NS_HEADER "to",         NS_HEADER "message-id"};
  static gsize ready;
  static const char *interned[G_N_ELEMENTS(names)];
  if (g_once_init_enter(&ready)) {
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
      interned[i] = g_intern_static_string(names[i]);
    }
    g_once_init_leave(&ready, 1);
  }
  const Value *stored = stored_value(node, interned[arg]);
  gint64 index = synthetic_index(node);
  if (stored) {
    *ret = *stored;
  } else if (index >= 0) {
    GString *out = prop_scratch(context);
    synth_text((guint)index, (SynthText)arg, out);
    *ret = value_string(out->str);
  } else {
    return FALSE;
  }
  if (arg == SYNTH_SUBJECT && ret->s && sim_switch(context->sim, SWITCH_CTRL_CHARS)) {
    GString *out = prop_scratch(context);
    g_string_printf(out, "%s\x01", ret->s);
    ret->s = out->str;
  }
  return TRUE;
}

gboolean prop_get_headers(PropContext *context, const Node *node, int arg, Value *ret)
{
  (void)arg;
  if (node->folder || node->document || !node->body) {
    return FALSE;
  }
  GString *out = prop_scratch(context);
  g_autoptr(GBytes) head = body_head(node->body, MIME_HEAD_MAX);
  gsize len = mime_header_end(head);
  g_string_append_len(out, g_bytes_get_data(head, NULL), (gssize)len);
  if (!g_utf8_validate(out->str, (gssize)out->len, NULL)) {
    g_autofree char *valid = g_utf8_make_valid(out->str, (gssize)out->len);
    g_string_assign(out, valid);
  }
  *ret = value_string(out->str);
  return TRUE;
}
