/* SPDX-License-Identifier: Apache-2.0 */
/* What a property name means: the several spellings of one property, and how a node answers it.
 * Names here are full names as in SQL: namespace and local name joined. */
#pragma once

#include "dav_url.h"

#include <time.h>

#define NS_DAV "DAV:"
#define NS_HTTPMAIL "urn:schemas:httpmail:"
#define NS_HEADER "urn:schemas:mailheader:"
#define NS_EXCHANGE "http://schemas.microsoft.com/exchange/"
#define NS_PROPTAG "http://schemas.microsoft.com/mapi/proptag/"
#define NS_MAPI_ID "http://schemas.microsoft.com/mapi/id/"
#define NS_MAPI_STRING "http://schemas.microsoft.com/mapi/string/"
#define NS_REPL "http://schemas.microsoft.com/repl/"
#define NS_DT "urn:uuid:c2f41010-65b3-11d1-a29f-00aa00c14882/"

/* A plain server stores a property under namespace and local name with this between them: there the
 * two cannot be told apart by their letters. */
#define PROP_KEY_SEPARATOR "\x1f"

/* Where answers about nodes are made: one per request and thread. */
typedef struct {
  const Sim *sim;
  const char *user; /* who asks, or NULL */
  UrlBase base;
  const Node *prefix_owner; /* whose members' URL prefix is cached */
  GString *prefix;
  GString *scratch[8]; /* computed strings live here until seven more were asked for */
  guint turn;
  GHashTable *columns; /* full name -> Column, of those a SEARCH has met; or NULL */
} PropContext;

void prop_context_init(PropContext *context, const Sim *sim, const Request *request);
void prop_context_clear(PropContext *context);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(PropContext, prop_context_clear)

typedef struct PropDef PropDef;

/* One asked-for property, resolved once per request. */
typedef struct {
  const char *ns, *local; /* as asked for; interned */
  const char *canonical;  /* interned */
  const PropDef *def;     /* NULL: only what was stored */
  const char *alias;      /* of a SEARCH column; borrowed, or NULL */
} Column;

/* full: namespace + local, local beginning after the last '/', ':' or '}' . */
void prop_resolve(const Sim *sim, const char *full, Column *ret);
void prop_resolve_parts(const Sim *sim, const char *ns, const char *local, Column *ret);

/* FALSE: the node has no such property. ret is borrowed until the next few calls. */
gboolean prop_get(PropContext *context, const Column *column, const Node *node, Value *ret);

typedef enum { PROP_WRITABLE, PROP_READ_ONLY, PROP_IGNORED } PropAccess;
/* What PROPPATCH may do to it on this node. */
PropAccess prop_access(const Column *column, const Node *node, gboolean created);
/* Writes it (NULL removes) and says what kind of change that was. Write lock held. */
Changed prop_write(const Sim *sim, Node *node, const Column *column, const Value *value);

/* The names that allprop and SELECT * give; count in *ret_count. */
const char *const *prop_all(const Sim *sim, guint *ret_count);
/* Computed, so not to be searched by (section 6.2): set of full names. */
GHashTable *prop_not_searchable(void);

/* URL of a node, with the cached prefix of its folder. Appends. */
void prop_append_href(PropContext *context, const Node *node, GString *out);
/* rid:…, rt:… and the entity tag, without brackets. Append. */
void prop_append_repl_uid(const Node *node, GString *out);
void prop_append_resource_tag(const Node *node, GString *out);
void prop_append_etag(const Sim *sim, const Node *node, GString *out);
