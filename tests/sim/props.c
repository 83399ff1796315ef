/* SPDX-License-Identifier: Apache-2.0 */
/* Names of properties: aliases, canonical spelling, resolution, and writing. */
#include "props_private.h"

#include <string.h>

#define HEADER_SET "{00020386-0000-0000-c000-000000000046}/"

/* Spellings of one property; the second is canonical. */
static const char *const aliases[][2] = {
    {NS_PROPTAG "x0037001f", NS_HTTPMAIL "subject"},
    {NS_HEADER "subject", NS_HTTPMAIL "subject"},
    {NS_PROPTAG "x0e1d001f", NS_HTTPMAIL "normalizedsubject"},
    {NS_PROPTAG "x0070001f", NS_HTTPMAIL "thread-topic"},
    {NS_HEADER "thread-topic", NS_HTTPMAIL "thread-topic"},
    {NS_HEADER "from", NS_HTTPMAIL "from"},
    {NS_HTTPMAIL "to", NS_HEADER "to"},
    {NS_HTTPMAIL "displayto", NS_HEADER "to"},
    {NS_HTTPMAIL "cc", NS_HEADER "cc"},
    {NS_HTTPMAIL "displaycc", NS_HEADER "cc"},
    {NS_HTTPMAIL "bcc", NS_HEADER "bcc"},
    {NS_PROPTAG "x1035001f", NS_HEADER "message-id"},
    {NS_PROPTAG "x00390040", NS_HTTPMAIL "date"},
    {NS_HEADER "date", NS_HTTPMAIL "date"},
    {NS_PROPTAG "x0e060040", NS_HTTPMAIL "datereceived"},
    {NS_PROPTAG "x0e69000b", NS_HTTPMAIL "read"},
    {NS_PROPTAG "x0e1b000b", NS_HTTPMAIL "hasattachment"},
    {NS_PROPTAG "x1000001f", NS_HTTPMAIL "textdescription"},
    {NS_PROPTAG "x1013001f", NS_HTTPMAIL "htmldescription"},
    {NS_PROPTAG "x00170003", NS_HTTPMAIL "importance"},
    {NS_PROPTAG "x00360003", NS_EXCHANGE "sensitivity"},
    {NS_PROPTAG "x001a001f", NS_EXCHANGE "outlookmessageclass"},
    {NS_PROPTAG "x3613001f", NS_EXCHANGE "outlookfolderclass"},
    {NS_PROPTAG "x30080040", NS_DAV "getlastmodified"},
    {NS_PROPTAG "x30070040", NS_DAV "creationdate"},
    {NS_PROPTAG "x3001001f", NS_DAV "displayname"},
};

void prop_context_init(PropContext *context, const Sim *sim, const Request *request)
{
  *context = (PropContext){.sim = sim, .user = request->user};
  url_base_init(&context->base, sim, request);
  context->prefix = g_string_new(NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(context->scratch); i++) {
    context->scratch[i] = g_string_new(NULL);
  }
}

void prop_context_clear(PropContext *context)
{
  if (!context->prefix) {
    return;
  }
  g_clear_pointer(&context->columns, g_hash_table_unref);
  url_base_clear(&context->base);
  g_string_free(context->prefix, TRUE);
  for (gsize i = 0; i < G_N_ELEMENTS(context->scratch); i++) {
    g_string_free(context->scratch[i], TRUE);
  }
  *context = (PropContext){0};
}

GString *prop_scratch(PropContext *context)
{
  GString *text = context->scratch[context->turn++ % G_N_ELEMENTS(context->scratch)];
  g_string_truncate(text, 0);
  return text;
}

/* mapi/id names are a number, written 0x8506, 0x00008506, 34054 or _x0030_x8506. */
static char *canonical_id(const char *ns, const char *local)
{
  const char *digits = g_str_has_prefix(local, "_x0030_") ? local + strlen("_x0030_") : local;
  gboolean hex = digits != local || g_ascii_strncasecmp(local, "0x", 2) == 0;
  if (hex && (*digits == 'x' || *digits == 'X')) {
    digits++;
  } else if (hex) {
    digits += 2;
  }
  guint64 id = g_ascii_strtoull(digits, NULL, hex ? 16 : 10);
  g_autofree char *lower = g_ascii_strdown(ns, -1);
  return g_strdup_printf("%s0x%04" G_GINT64_MODIFIER "x", lower, id);
}

static char *canonical_name(const char *ns, const char *local)
{
  g_autofree char *full = g_strconcat(ns, local, NULL);
  if (g_ascii_strncasecmp(full, NS_PROPTAG, strlen(NS_PROPTAG)) == 0) {
    char *lower = g_ascii_strdown(full, -1);
    gsize len = strlen(lower);
    if (len > 4 && g_str_has_suffix(lower, "001e")) {
      lower[len - 1] = 'f'; /* both string types name one property */
    }
    return lower;
  }
  if (g_ascii_strncasecmp(full, NS_MAPI_ID, strlen(NS_MAPI_ID)) == 0) {
    return canonical_id(ns, local);
  }
  if (g_ascii_strncasecmp(full, NS_MAPI_STRING HEADER_SET, strlen(NS_MAPI_STRING HEADER_SET)) ==
      0) {
    g_autofree char *lower = g_ascii_strdown(local, -1);
    return g_strconcat(NS_HEADER, lower, NULL);
  }
  if (g_ascii_strncasecmp(full, NS_MAPI_STRING, strlen(NS_MAPI_STRING)) == 0) {
    return g_ascii_strdown(full, -1);
  }
  return g_steal_pointer(&full);
}

static GHashTable *alias_table(void)
{
  static gsize ready;
  static GHashTable *table;
  if (g_once_init_enter(&ready)) {
    table = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < G_N_ELEMENTS(aliases); i++) {
      g_hash_table_insert(table, (gpointer)aliases[i][0], (gpointer)aliases[i][1]);
    }
    g_once_init_leave(&ready, 1);
  }
  return table;
}

static GHashTable *def_table(void)
{
  static gsize ready;
  static GHashTable *table;
  if (g_once_init_enter(&ready)) {
    table = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < prop_table_count; i++) {
      g_hash_table_insert(table, (gpointer)prop_table[i].name, (gpointer)&prop_table[i]);
    }
    g_once_init_leave(&ready, 1);
  }
  return table;
}

void prop_resolve_parts(const Sim *sim, const char *ns, const char *local, Column *ret)
{
  *ret = (Column){.ns = g_intern_string(ns), .local = g_intern_string(local)};
  if (!sim_exchange(sim)) {
    /* A plain server knows the live properties of RFC 4918 and keeps every other name as it is. */
    g_autofree char *full = g_strconcat(ns, local, NULL);
    g_autofree char *key = g_strconcat(ns, PROP_KEY_SEPARATOR, local, NULL);
    ret->canonical = g_intern_string(key);
    if (strcmp(ns, NS_DAV) == 0) {
      ret->def = g_hash_table_lookup(def_table(), full);
    }
    return;
  }
  g_autofree char *name = canonical_name(ns, local);
  const char *canonical = g_hash_table_lookup(alias_table(), name);
  ret->canonical = g_intern_string(canonical ? canonical : name);
  ret->def = g_hash_table_lookup(def_table(), ret->canonical);
}

void prop_resolve(const Sim *sim, const char *full, Column *ret)
{
  gsize cut = strlen(full);
  while (cut > 0 && !strchr("/:}#", full[cut - 1])) {
    cut--;
  }
  g_autofree char *ns = g_strndup(full, cut);
  prop_resolve_parts(sim, ns, full + cut, ret);
}

gboolean prop_get(PropContext *context, const Column *column, const Node *node, Value *ret)
{
  if (column->def && column->def->get) {
    return column->def->get(context, node, column->def->arg, ret);
  }
  const Value *stored = node->props ? g_hash_table_lookup(node->props, column->canonical) : NULL;
  if (stored) {
    *ret = *stored;
    return TRUE;
  }
  return FALSE;
}

PropAccess prop_access(const Column *column, const Node *node, gboolean created)
{
  (void)node;
  if (strcmp(column->canonical, NS_PROPTAG "x0e070003") == 0) {
    return created ? PROP_WRITABLE : PROP_IGNORED; /* frozen after creation (quirk 30) */
  }
  if (column->def) {
    return column->def->access;
  }
  return PROP_WRITABLE;
}

/* The content class that a message class implies, and the other way (DavMail fact 19). */
static const char *const classes[][2] = {
    {"IPM.Note", "urn:content-classes:message"},
    {"IPM.Contact", "urn:content-classes:person"},
    {"IPM.Appointment", "urn:content-classes:appointment"},
    {"IPM.Task", "urn:content-classes:task"},
    {"IPM.StickyNote", "urn:content-classes:note"},
    {"IPM.Schedule", "urn:content-classes:calendarmessage"},
    {"IPM.Document", "urn:content-classes:document"},
};

static void write_class(Node *node, int which, const char *text)
{
  const char *interned = g_intern_string(text);
  *(which ? &node->content_class : &node->message_class) = interned;
  for (gsize i = 0; !node->folder && i < G_N_ELEMENTS(classes); i++) {
    if (g_ascii_strncasecmp(text, classes[i][which], strlen(classes[i][which])) == 0) {
      *(which ? &node->message_class : &node->content_class) =
          g_intern_string(classes[i][which ? 0 : 1]);
    }
  }
}

static gboolean truth(const Value *value)
{
  return value && (value->s ? value->s[0] == '1' || g_ascii_strcasecmp(value->s, "true") == 0
                            : value->i != 0);
}

Changed prop_write(const Sim *sim, Node *node, const Column *column, const Value *value)
{
  const char *name = column->canonical;
  Changed how = CHANGED_PROPERTIES;
  if (sim_exchange(sim) && strcmp(name, NS_HTTPMAIL "read") == 0) {
    model_set_read(sim->model, node, truth(value));
    return CHANGED_READ_FLAG;
  }
  if (strcmp(name, NS_PROPTAG "x0e070003") == 0 && value) {
    gint64 flags = value->s ? g_ascii_strtoll(value->s, NULL, 10) : value->i;
    model_set_read(sim->model, node, (flags & 1) != 0);
    node->unsent = (flags & 8) != 0;
  } else if (strcmp(name, NS_HTTPMAIL "datereceived") == 0 && value) {
    gint64 ms = value->i;
    if (value->kind == VALUE_TIME || value_parse_iso(value->s ? value->s : "", &ms)) {
      node->received = ms;
    }
  } else if (strcmp(name, NS_DAV "ishidden") == 0) {
    model_set_hidden(sim->model, node, truth(value));
  } else if ((strcmp(name, NS_EXCHANGE "outlookmessageclass") == 0 ||
              strcmp(name, NS_EXCHANGE "outlookfolderclass") == 0) &&
             value && value->s) {
    write_class(node, 0, value->s);
  } else if (strcmp(name, NS_DAV "contentclass") == 0 && value && value->s) {
    write_class(node, 1, value->s);
  } else {
    model_set(sim->model, node, name, value);
  }
  if (g_str_has_prefix(name, NS_HEADER) || strcmp(name, NS_HTTPMAIL "subject") == 0 ||
      strcmp(name, NS_HTTPMAIL "messageflag") == 0) {
    how = CHANGED_HEADERS; /* quirk 13 */
  }
  return how;
}

GHashTable *prop_not_searchable(void)
{
  static const char *const names[] = {NS_DAV "getetag",
                                      NS_DAV "href",
                                      NS_DAV "lockdiscovery",
                                      NS_DAV "parentname",
                                      NS_DAV "resourcetype",
                                      NS_DAV "searchrequest",
                                      NS_EXCHANGE "content-href",
                                      NS_EXCHANGE "ntsecuritydescriptor",
                                      NS_EXCHANGE "oof-state",
                                      NS_EXCHANGE "publicfolderemailaddress",
                                      NS_REPL "repl-uid",
                                      NS_REPL "resourcetag",
                                      "urn:schemas:contacts:proxyaddresses",
                                      NS_HTTPMAIL "htmldescription",
                                      "urn:schemas-microsoft-com:exch-data:baseschema",
                                      "urn:schemas-microsoft-com:exch-data:schema-collection-ref"};
  static gsize ready;
  static GHashTable *set;
  if (g_once_init_enter(&ready)) {
    set = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
      g_hash_table_add(set, (gpointer)names[i]);
    }
    g_once_init_leave(&ready, 1);
  }
  return set;
}
