/* SPDX-License-Identifier: Apache-2.0 */
/* From request bytes to names, values and targets. */
#include "dav_request.h"

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <string.h>

#define BODY_MAX (16 * 1024 * 1024)
#define NAME_MAX_BYTES 512

/* Rewrites <p:0x8506 to <p:_x0030_x8506: what the store takes, but no XML parser does. */
static GString *repair(const char *text, gsize len)
{
  GString *out = g_string_sized_new(len + 64);
  for (gsize i = 0; i < len; i++) {
    g_string_append_c(out, text[i]);
    if (text[i] != '<') {
      continue;
    }
    gsize p = i + 1;
    p += p < len && text[p] == '/' ? 1 : 0;
    while (p < len && (g_ascii_isalnum(text[p]) || text[p] == '_' || text[p] == '-')) {
      p++;
    }
    if (p + 1 < len && text[p] == ':' && g_ascii_isdigit(text[p + 1])) {
      g_string_append_len(out, text + i + 1, (gssize)(p - i));
      g_string_append_printf(out, "_x003%c_", text[p + 1]);
      i = p + 1;
    }
  }
  return out;
}

static const char *element_ns(const xmlNode *node)
{
  return node->ns && node->ns->href ? (const char *)node->ns->href : "";
}

static gboolean is_dav(const xmlNode *node, const char *local)
{
  return node->type == XML_ELEMENT_NODE && strcmp((const char *)node->name, local) == 0 &&
         strcmp(element_ns(node), "DAV:") == 0;
}

/* mapi/id names keep the digit they were sent with; elsewhere the escape is part of the name. */
static void resolve(const Sim *sim, const xmlNode *node, Column *ret)
{
  g_autofree char *local = g_strndup((const char *)node->name, NAME_MAX_BYTES);
  g_autofree char *ns = g_strndup(element_ns(node), NAME_MAX_BYTES);
  if (g_str_has_prefix(local, "_x003") && g_ascii_isdigit(local[5]) && local[6] == '_') {
    g_autofree char *plain = g_strdup_printf("%c%s", local[5], local + 7);
    prop_resolve_parts(sim, ns, plain, ret);
  } else {
    prop_resolve_parts(sim, ns, local, ret);
  }
}

static char *attribute(const xmlNode *node, const char *local)
{
  for (const xmlAttr *a = node->properties; a; a = a->next) {
    if (strcmp((const char *)a->name, local) == 0 && a->ns && a->children) {
      return g_strdup((const char *)a->children->content);
    }
  }
  return NULL;
}

static char *content(xmlNode *node)
{
  xmlChar *text = xmlNodeGetContent(node);
  char *copy = g_strdup(text ? (const char *)text : "");
  xmlFree(text);
  return copy;
}

/* Whether dt (or else the MAPI type in the name) says so. */
static ValueKind kind_of(const char *dt, const char *canonical)
{
  static const struct {
    const char *dt, *suffix;
    ValueKind kind;
  } kinds[] = {{"boolean", "000b", VALUE_BOOL}, {"int", "0003", VALUE_INT},
               {"i2", "0002", VALUE_INT},       {"i4", NULL, VALUE_INT},
               {"i8", "0014", VALUE_INT},       {"float", "0005", VALUE_FLOAT},
               {"r8", NULL, VALUE_FLOAT},       {"dateTime.tz", "0040", VALUE_TIME},
               {"dateTime", NULL, VALUE_TIME},  {"bin.base64", "0102", VALUE_BINARY}};
  gboolean tag = g_str_has_prefix(canonical, NS_PROPTAG);
  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++) {
    if (dt ? g_ascii_strcasecmp(dt, kinds[i].dt) == 0
           : tag && kinds[i].suffix && g_str_has_suffix(canonical, kinds[i].suffix)) {
      return kinds[i].kind;
    }
  }
  return VALUE_STRING;
}

/* The typed value of a set element; a text that its type cannot hold stays a string. */
static Value *read_value(xmlNode *node, const Column *column)
{
  g_autofree char *dt = attribute(node, "dt");
  g_autofree char *text = content(node);
  Value value = {.kind = kind_of(dt, column->canonical), .s = NULL};
  g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
  for (xmlNode *child = node->children; child; child = child->next) {
    if (child->type == XML_ELEMENT_NODE && strcmp((const char *)child->name, "v") == 0) {
      g_ptr_array_add(list, content(child));
    }
  }
  if (list->len > 0) {
    g_ptr_array_add(list, NULL);
    value = (Value){.kind = VALUE_LIST, .list = (char **)list->pdata};
    return value_dup(&value);
  }
  g_autoptr(GBytes) bytes = NULL;
  char *end = text;
  switch (value.kind) {
  case VALUE_BOOL:
    value.i = text[0] == '1' || g_ascii_strcasecmp(text, "true") == 0;
    return value_dup(&value);
  case VALUE_INT:
    value.i = g_ascii_strtoll(text, &end, 10);
    break;
  case VALUE_FLOAT:
    value.f = g_ascii_strtod(text, &end);
    break;
  case VALUE_TIME:
    end = value_parse_iso(text, &value.i) ? text + strlen(text) : text;
    break;
  case VALUE_BINARY: {
    gsize len;
    guchar *raw = g_base64_decode(text, &len);
    bytes = g_bytes_new_take(raw, len);
    value.b = bytes;
    return value_dup(&value);
  }
  default:
    end = text;
    break;
  }
  if (end == text || *end) {
    value = value_string(text);
  }
  return value_dup(&value);
}

static void read_props(const Sim *sim, const xmlNode *prop, DavRequest *ret, int set_or_remove)
{
  for (xmlNode *node = prop->children; node; node = node->next) {
    if (node->type != XML_ELEMENT_NODE) {
      continue;
    }
    Column column;
    resolve(sim, node, &column);
    if (set_or_remove == 0) {
      g_array_append_val(ret->columns, column);
      continue;
    }
    PropOp op = {.remove = set_or_remove < 0, .column = column};
    op.value = op.remove ? NULL : read_value(node, &column);
    g_array_append_val(ret->ops, op);
  }
}

static void read_target(const xmlNode *target, DavRequest *ret)
{
  BatchTarget *last = NULL;
  for (xmlNode *node = target->children; node; node = node->next) {
    if (is_dav(node, "href")) {
      last = g_new0(BatchTarget, 1);
      last->href = content(node);
      g_ptr_array_add(ret->targets, last);
    } else if (is_dav(node, "dest") && last) {
      g_free(last->dest);
      last->dest = content(node);
    }
  }
}

static void read_children(const Sim *sim, const xmlNode *root, DavRequest *ret)
{
  for (xmlNode *node = root->children; node; node = node->next) {
    if (is_dav(node, "prop")) {
      read_props(sim, node, ret, 0);
    } else if (is_dav(node, "allprop")) {
      ret->all = TRUE;
    } else if (is_dav(node, "propname")) {
      ret->names = TRUE;
    } else if (is_dav(node, "target")) {
      read_target(node, ret);
    } else if (is_dav(node, "sql")) {
      g_free(ret->sql);
      ret->sql = content(node);
    } else if (is_dav(node, "set") || is_dav(node, "remove")) {
      for (xmlNode *prop = node->children; prop; prop = prop->next) {
        if (is_dav(prop, "prop")) {
          read_props(sim, prop, ret, is_dav(node, "set") ? 1 : -1);
        }
      }
    }
  }
}

static void target_free(gpointer data)
{
  BatchTarget *target = data;
  g_free(target->href);
  g_free(target->dest);
  g_free(target);
}

static void op_clear(gpointer data)
{
  value_free(((PropOp *)data)->value);
}

int dav_request_parse(const Sim *sim, const Request *request, DavRequest *ret)
{
  *ret = (DavRequest){.columns = g_array_new(FALSE, FALSE, sizeof(Column)),
                      .ops = g_array_new(FALSE, FALSE, sizeof(PropOp)),
                      .targets = g_ptr_array_new_with_free_func(target_free)};
  g_array_set_clear_func(ret->ops, op_clear);
  gsize len;
  g_autofree char *text = request_text(request, BODY_MAX, &len);
  if (!text) {
    return 413;
  }
  if (len == 0) {
    return 0;
  }
  GString *repaired = sim_exchange(sim) ? repair(text, len) : g_string_new_len(text, (gssize)len);
  xmlDoc *doc = xmlReadMemory(repaired->str, (int)repaired->len, NULL, NULL,
                              XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
  g_string_free(repaired, TRUE);
  xmlNode *root = doc && !doc->intSubset ? xmlDocGetRootElement(doc) : NULL;
  if (root) {
    ret->root = g_strdup((const char *)root->name);
    read_children(sim, root, ret);
  }
  xmlFreeDoc(doc);
  return root ? 0 : 400;
}

void dav_request_clear(DavRequest *request)
{
  g_clear_pointer(&request->columns, g_array_unref);
  g_clear_pointer(&request->ops, g_array_unref);
  g_clear_pointer(&request->targets, g_ptr_array_unref);
  g_clear_pointer(&request->sql, g_free);
  g_clear_pointer(&request->root, g_free);
}
