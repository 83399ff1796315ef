/* SPDX-License-Identifier: Apache-2.0 */
/* The getters: how a node answers each known property, and the table of them (sections 8.1 to 8.3).
 */
#include "props_private.h"

#include "access.h"
#include "synth.h"

#include <string.h>

void prop_append_href(PropContext *context, const Node *node, GString *out)
{
  if (node->folder || !node->parent) {
    url_append_href(context->sim, &context->base, node, out);
    return;
  }
  if (context->prefix_owner != node->parent) {
    g_string_truncate(context->prefix, 0);
    url_append_href(context->sim, &context->base, node, context->prefix);
    const char *slash = strrchr(context->prefix->str, '/');
    g_string_truncate(context->prefix, (gsize)(slash + 1 - context->prefix->str));
    context->prefix_owner = node->parent;
  }
  g_string_append_len(out, context->prefix->str, (gssize)context->prefix->len);
  url_append_segment(context->sim, node->name, out);
}

static void append_hex12(GString *out, guint64 number)
{
  char digits[13];
  for (int i = 11; i >= 0; i--) {
    digits[i] = "0123456789abcdef"[number & 15];
    number >>= 4;
  }
  g_string_append_len(out, digits, 12);
}

void prop_append_repl_uid(const Node *node, GString *out)
{
  g_string_append(out, "rid:" STORE_GUID);
  append_hex12(out, node->uid);
}

void prop_append_resource_tag(const Node *node, GString *out)
{
  g_string_append(out, "rt:" STORE_GUID);
  append_hex12(out, node->uid);
  g_string_append(out, STORE_GUID);
  append_hex12(out, node->change);
}

void prop_append_etag(const Sim *sim, const Node *node, GString *out)
{
  g_string_append(out, sim_switch(sim, SWITCH_WEAK_ETAG) ? "W/\"" : "\"");
  g_string_append_len(out, STORE_GUID, 16);
  append_hex12(out, node->uid);
  append_hex12(out, sim_switch(sim, SWITCH_READ_ETAG) ? node->change : node->content);
  g_string_append_c(out, '"');
}

typedef enum {
  GET_HREF,
  GET_PERMANENT,
  GET_PARENT,
  GET_STORED_NAME,
  GET_ETAG,
  GET_REPL_UID,
  GET_RESOURCE_TAG,
  GET_CONTENT_TAG,
  GET_UID,
} TextId;

static gboolean get_displayname(PropContext *context, const Node *node, int arg, Value *ret)
{
  (void)arg;
  *ret = value_string(node->name);
  return sim_exchange(context->sim);
}

static gboolean get_text(PropContext *context, const Node *node, int arg, Value *ret)
{
  GString *out = prop_scratch(context);
  switch ((TextId)arg) {
  case GET_HREF:
    prop_append_href(context, node, out);
    break;
  case GET_PERMANENT:
    if (sim_switch(context->sim, SWITCH_NO_PERMANENT)) {
      return FALSE;
    }
    url_append_permanent(context->sim, &context->base, node, out);
    break;
  case GET_PARENT:
    if (!node->parent) {
      return FALSE;
    }
    url_append_href(context->sim, &context->base, node->parent, out);
    break;
  case GET_STORED_NAME:
    url_append_stored(node->name, out);
    break;
  case GET_ETAG:
    if (node->folder && !sim_exchange(context->sim)) {
      return FALSE;
    }
    prop_append_etag(context->sim, node, out);
    break;
  case GET_REPL_UID:
    prop_append_repl_uid(node, out);
    break;
  case GET_RESOURCE_TAG:
    prop_append_resource_tag(node, out);
    break;
  case GET_CONTENT_TAG:
    if (!node->folder) {
      return FALSE;
    }
    g_string_append(out, "rt:" STORE_GUID);
    append_hex12(out, MAX(node->folder->content, node->change));
    break;
  case GET_UID:
    g_string_append(out, "AQEAAAAA");
    append_hex12(out, node->uid);
    break;
  }
  *ret = value_string(out->str);
  return TRUE;
}

typedef enum {
  GET_ISFOLDER,
  GET_ISCOLLECTION,
  GET_ISHIDDEN,
  GET_ISREADONLY,
  GET_READ,
  GET_HASATTACHMENT,
  GET_HASSUBS,
  GET_NOSUBS,
  GET_STRUCTURED,
} FlagId;

static gboolean get_flag(PropContext *context, const Node *node, int arg, Value *ret)
{
  const Folder *folder = node->folder;
  if (!sim_exchange(context->sim)) {
    return FALSE;
  }
  switch ((FlagId)arg) {
  case GET_ISFOLDER:
    *ret = value_bool(folder != NULL);
    return TRUE;
  case GET_ISCOLLECTION:
    *ret = value_bool(folder || node->attachments); /* quirk 27 */
    return TRUE;
  case GET_ISHIDDEN:
    *ret = value_bool(node->hidden);
    return TRUE;
  case GET_ISREADONLY:
    *ret = value_bool(FALSE);
    return TRUE;
  case GET_READ:
    *ret = value_bool(node->read);
    return folder == NULL;
  case GET_HASATTACHMENT:
    *ret = value_bool(node->attachments);
    return folder == NULL;
  case GET_HASSUBS:
    *ret = value_bool(folder && folder->folders > 0);
    return folder != NULL;
  case GET_NOSUBS:
    *ret = value_bool(FALSE);
    return folder != NULL;
  case GET_STRUCTURED:
    *ret = value_bool(!folder && node->attachments);
    return TRUE;
  }
  return FALSE;
}

/* Not what GET sends: an estimate (quirk 14). Documents are exact. */
static gint64 told_size(PropContext *context, const Node *node, gint64 extra)
{
  gint64 size = node->body ? (gint64)body_size(node->body) : 2048; /* made when asked for */
  if (!sim_exchange(context->sim) || node->document) {
    return node->body ? size : 0;
  }
  switch (sim_switch(context->sim, SWITCH_SIZE)) {
  case 1:
    return MAX(1, size * 3 / 4 - 20);
  case 2:
    return size;
  default:
    return size + size / 16 + extra;
  }
}

typedef enum {
  GET_LENGTH,
  GET_MESSAGE_SIZE,
  GET_FLAGS,
  GET_ARTICLE,
  GET_ACCESS,
  GET_OBJECTS,
  GET_VISIBLE,
  GET_CHILDREN,
  GET_UNREAD,
  GET_DELETED,
  GET_NEXT_ARTICLE,
  GET_FOLDER_SIZE,
  GET_QUOTA_FREE,
  GET_QUOTA_USED,
} NumberId;

static gboolean get_item_number(PropContext *context, const Node *node, int arg, Value *ret)
{
  if (node->folder) {
    *ret = value_int(0);
    return arg == GET_LENGTH && sim_exchange(context->sim);
  }
  switch (arg) {
  case GET_LENGTH:
    *ret = value_int(told_size(context, node, 64));
    return TRUE;
  case GET_MESSAGE_SIZE:
    *ret = value_int(told_size(context, node, 400));
    return TRUE;
  case GET_FLAGS:
    *ret = value_int((node->read ? 1 : 0) | (node->unsent ? 8 : 0) | (node->attachments ? 16 : 0));
    return TRUE;
  case GET_ARTICLE:
    *ret = value_int(node->article);
    return TRUE;
  default:
    return FALSE;
  }
}

static gboolean get_folder_number(PropContext *context, const Node *node, int arg, Value *ret)
{
  const Folder *folder = node->folder;
  if (!folder) {
    return FALSE;
  }
  switch (arg) {
  case GET_OBJECTS:
    *ret = value_int(folder->items);
    return TRUE;
  case GET_VISIBLE:
    *ret = value_int(folder->items - folder->hidden);
    return TRUE;
  case GET_CHILDREN:
    *ret = value_int(folder->items + folder->folders);
    return TRUE;
  case GET_UNREAD:
    *ret = value_int(folder->unread);
    return TRUE;
  case GET_DELETED:
    *ret = value_int(folder->deleted_ever);
    return TRUE;
  case GET_NEXT_ARTICLE: /* not on 2003, but harmless there */
    *ret = value_int(folder->next_article);
    return TRUE;
  case GET_FOLDER_SIZE:
    *ret = value_int((gint64)folder->bytes);
    return TRUE;
  case GET_QUOTA_FREE:
    *ret = value_int(
        MAX(0, (sim_switch(context->sim, SWITCH_QUOTA) ? sim_switch(context->sim, SWITCH_QUOTA)
                                                       : G_GINT64_CONSTANT(1) << 40) -
                   (gint64)model_bytes(context->sim->model)));
    return !sim_exchange(context->sim);
  case GET_QUOTA_USED:
    *ret = value_int((gint64)model_bytes(context->sim->model));
    return !sim_exchange(context->sim);
  default:
    return FALSE;
  }
}

static gboolean get_access(PropContext *context, const Node *node, int arg, Value *ret)
{
  /* MAPI_ACCESS_…: modify 1, read 2, delete 4, and of a folder what may be made in it. */
  static const int folder[] = {0, 2, 63}, item[] = {0, 2, 7};
  AccessLevel level = access_level(context->sim, node, context->user);
  (void)arg;
  *ret = value_int(node->folder ? folder[level] : item[level]);
  return TRUE;
}

typedef enum { GET_MODIFIED, GET_CREATED, GET_RECEIVED } TimeId;

static gboolean get_time(PropContext *context, const Node *node, int arg, Value *ret)
{
  switch ((TimeId)arg) {
  case GET_MODIFIED:
    *ret = value_time(node->modified);
    return TRUE;
  case GET_CREATED:
    *ret = value_time(sim_switch(context->sim, SWITCH_CREATION_TIES) && !node->folder
                          ? node->parent->created
                          : node->created);
    return TRUE;
  case GET_RECEIVED:
    *ret = value_time(node->received);
    return !node->folder && !node->document;
  }
  return FALSE;
}

static gboolean get_class(PropContext *context, const Node *node, int arg, Value *ret)
{
  (void)context;
  /* 0: message class of an item, 1: class of a folder, 2: content class of either */
  if (arg != 2 && (arg == 1) != (node->folder != NULL)) {
    return FALSE;
  }
  *ret = value_string(arg == 2 ? node->content_class : node->message_class);
  return ret->s != NULL;
}

static gboolean get_type(PropContext *context, const Node *node, int arg, Value *ret)
{
  (void)arg;
  if (node->folder) {
    return FALSE;
  }
  gboolean raw = node->document || !sim_exchange(context->sim);
  *ret = value_string(!raw                 ? "message/rfc822"
                      : node->content_type ? node->content_type
                                           : "application/octet-stream");
  return TRUE;
}

static gboolean get_known(PropContext *context, const Node *node, int arg, Value *ret)
{
  if (node->parent || !node->folder) {
    return FALSE;
  }
  const Mailbox *mailbox = node->folder->mailbox;
  GString *out = prop_scratch(context);
  if (arg == ROLE_NONE) { /* the submission URL */
    if (!mailbox->user) {
      return FALSE;
    }
    url_append_submission(context->sim, &context->base, mailbox, out);
  } else if (mailbox->known[arg]) {
    url_append_href(context->sim, &context->base, mailbox->known[arg], out);
  } else {
    return FALSE;
  }
  if (arg != ROLE_ROOT && out->str[out->len - 1] == '/') {
    g_string_truncate(out, out->len - 1);
  }
  *ret = value_string(out->str);
  return TRUE;
}

static gboolean get_resource_type(PropContext *context, const Node *node, int arg, Value *ret)
{
  (void)context;
  (void)arg;
  *ret = (Value){.kind = VALUE_NONE, .i = node->folder != NULL};
  return TRUE;
}

#define TEXT(name, id)                                                                             \
  {                                                                                                \
    name, get_text, id, PROP_READ_ONLY                                                             \
  }
#define FLAG(name, id)                                                                             \
  {                                                                                                \
    name, get_flag, id, PROP_READ_ONLY                                                             \
  }
#define ITEM(name, id)                                                                             \
  {                                                                                                \
    name, get_item_number, id, PROP_READ_ONLY                                                      \
  }
#define FOLDER(name, id)                                                                           \
  {                                                                                                \
    name, get_folder_number, id, PROP_READ_ONLY                                                    \
  }
#define KNOWN(name, role)                                                                          \
  {                                                                                                \
    NS_HTTPMAIL name, get_known, role, PROP_READ_ONLY                                              \
  }
#define FACT(name, id)                                                                             \
  {                                                                                                \
    name, prop_get_fact, id, PROP_WRITABLE                                                         \
  }

const PropDef prop_table[] = {
    {NS_DAV "displayname", get_displayname, 0, PROP_READ_ONLY},
    TEXT(NS_DAV "href", GET_HREF),
    TEXT(NS_EXCHANGE "permanenturl", GET_PERMANENT),
    TEXT(NS_DAV "parentname", GET_PARENT),
    TEXT(NS_PROPTAG "x10f3001f", GET_STORED_NAME),
    TEXT(NS_DAV "getetag", GET_ETAG),
    TEXT(NS_REPL "repl-uid", GET_REPL_UID),
    TEXT(NS_REPL "resourcetag", GET_RESOURCE_TAG),
    TEXT(NS_REPL "contenttag", GET_CONTENT_TAG),
    TEXT(NS_DAV "uid", GET_UID),
    FLAG(NS_DAV "isfolder", GET_ISFOLDER),
    FLAG(NS_DAV "iscollection", GET_ISCOLLECTION),
    {NS_DAV "ishidden", get_flag, GET_ISHIDDEN, PROP_WRITABLE},
    FLAG(NS_DAV "isreadonly", GET_ISREADONLY),
    {NS_HTTPMAIL "read", get_flag, GET_READ, PROP_WRITABLE},
    FLAG(NS_HTTPMAIL "hasattachment", GET_HASATTACHMENT),
    FLAG(NS_DAV "hassubs", GET_HASSUBS),
    FLAG(NS_DAV "nosubs", GET_NOSUBS),
    FLAG(NS_DAV "isstructureddocument", GET_STRUCTURED),
    ITEM(NS_DAV "getcontentlength", GET_LENGTH),
    ITEM(NS_PROPTAG "x0e080003", GET_MESSAGE_SIZE),
    {NS_PROPTAG "x0e070003", get_item_number, GET_FLAGS, PROP_WRITABLE},
    ITEM(NS_PROPTAG "x0e230003", GET_ARTICLE),
    {NS_PROPTAG "x0ff40003", get_access, 0, PROP_READ_ONLY},
    FOLDER(NS_DAV "objectcount", GET_OBJECTS),
    FOLDER(NS_DAV "visiblecount", GET_VISIBLE),
    FOLDER(NS_DAV "childcount", GET_CHILDREN),
    FOLDER(NS_HTTPMAIL "unreadcount", GET_UNREAD),
    FOLDER(NS_PROPTAG "x670b0003", GET_DELETED),
    FOLDER(NS_PROPTAG "x67510003", GET_NEXT_ARTICLE),
    FOLDER(NS_EXCHANGE "foldersize", GET_FOLDER_SIZE),
    FOLDER(NS_DAV "quota-available-bytes", GET_QUOTA_FREE),
    FOLDER(NS_DAV "quota-used-bytes", GET_QUOTA_USED),
    {NS_DAV "getlastmodified", get_time, GET_MODIFIED, PROP_READ_ONLY},
    {NS_DAV "creationdate", get_time, GET_CREATED, PROP_READ_ONLY},
    {NS_HTTPMAIL "datereceived", get_time, GET_RECEIVED, PROP_WRITABLE},
    {NS_HTTPMAIL "date", prop_get_sent, 0, PROP_WRITABLE},
    {NS_EXCHANGE "outlookmessageclass", get_class, 0, PROP_WRITABLE},
    {NS_EXCHANGE "outlookfolderclass", get_class, 1, PROP_WRITABLE},
    {NS_DAV "contentclass", get_class, 2, PROP_WRITABLE},
    {NS_DAV "getcontenttype", get_type, 0, PROP_READ_ONLY},
    {NS_DAV "resourcetype", get_resource_type, 0, PROP_READ_ONLY},
    {NS_PROPTAG "x66590102", prop_get_mime, 0, PROP_READ_ONLY},
    {NS_PROPTAG "x007d001f", prop_get_headers, 0, PROP_READ_ONLY},
    FACT(NS_HTTPMAIL "subject", SYNTH_SUBJECT),
    FACT(NS_HTTPMAIL "from", SYNTH_FROM),
    FACT(NS_HTTPMAIL "fromname", SYNTH_FROM_NAME),
    FACT(NS_HTTPMAIL "fromemail", SYNTH_FROM_EMAIL),
    FACT(NS_HEADER "to", SYNTH_TO),
    FACT(NS_HEADER "message-id", SYNTH_MESSAGE_ID),
    KNOWN("inbox", ROLE_INBOX),
    KNOWN("outbox", ROLE_OUTBOX),
    KNOWN("sentitems", ROLE_SENT),
    KNOWN("deleteditems", ROLE_DELETED),
    KNOWN("drafts", ROLE_DRAFTS),
    KNOWN("calendar", ROLE_CALENDAR),
    KNOWN("contacts", ROLE_CONTACTS),
    KNOWN("tasks", ROLE_TASKS),
    KNOWN("notes", ROLE_NOTES),
    KNOWN("journal", ROLE_JOURNAL),
    KNOWN("msgfolderroot", ROLE_ROOT),
    KNOWN("sendmsg", ROLE_NONE),
};
const guint prop_table_count = G_N_ELEMENTS(prop_table);

const char *const *prop_all(const Sim *sim, guint *ret_count)
{
  static const char *const exchange[] = {NS_DAV "displayname",
                                         NS_DAV "isfolder",
                                         NS_DAV "iscollection",
                                         NS_DAV "ishidden",
                                         NS_DAV "resourcetype",
                                         NS_DAV "getcontentlength",
                                         NS_DAV "getcontenttype",
                                         NS_DAV "getetag",
                                         NS_DAV "getlastmodified",
                                         NS_DAV "creationdate",
                                         NS_DAV "contentclass",
                                         NS_DAV "uid",
                                         NS_DAV "hassubs",
                                         NS_DAV "objectcount",
                                         NS_HTTPMAIL "subject",
                                         NS_HTTPMAIL "from",
                                         NS_HTTPMAIL "datereceived",
                                         NS_HTTPMAIL "read",
                                         NS_HTTPMAIL "hasattachment",
                                         NS_EXCHANGE "outlookmessageclass",
                                         NS_EXCHANGE "outlookfolderclass",
                                         NS_REPL "repl-uid",
                                         NS_REPL "resourcetag"};
  static const char *const plain[] = {NS_DAV "resourcetype",    NS_DAV "getcontentlength",
                                      NS_DAV "getcontenttype",  NS_DAV "getetag",
                                      NS_DAV "getlastmodified", NS_DAV "creationdate"};
  *ret_count = sim_exchange(sim) ? G_N_ELEMENTS(exchange) : G_N_ELEMENTS(plain);
  return sim_exchange(sim) ? exchange : plain;
}
