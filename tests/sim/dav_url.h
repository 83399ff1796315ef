/* SPDX-License-Identifier: Apache-2.0 */
/* Names and URLs: the escapes of a path segment, the tokens of Exchange, the stored form of a name,
 * and which node of the store a path means (exchange-webdav sections 1.2, 1.4 and 2). */
#pragma once

#include "sim.h"

/* Percent-decodes; a bad escape stays as it is. Free with g_free. */
char *url_decode(const char *text);
/* A path segment (still escaped) to a name; NULL when it is no UTF-8 or holds NUL. */
char *url_segment_name(const Sim *sim, const char *segment);
/* The segment the server itself writes for a name. Appends. */
void url_append_segment(const Sim *sim, const char *name, GString *out);
/* PR_URL_COMP_NAME as stored (section 2.4). Appends. */
void url_append_stored(const char *name, GString *out);

/* What the URLs of an answer begin with. A mailbox is spelled as in the request: who asked for
 * /exchange/alice@contoso.com/ (DavMail, of a 2007 server) knows its own by that. */
typedef struct {
  char *origin;
  char *mailbox; /* decoded, or NULL */
} UrlBase;

void url_base_init(UrlBase *base, const Sim *sim, const Request *request);
void url_base_clear(UrlBase *base);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(UrlBase, url_base_clear)

/* The absolute URL of a node; a folder's ends in '/'. Appends. */
void url_append_href(const Sim *sim, const UrlBase *base, const Node *node, GString *out);
/* The permanent URL of section 1.4. Appends. */
void url_append_permanent(const Sim *sim, const UrlBase *base, const Node *node, GString *out);
/* The submission URL of a mailbox. Appends. */
void url_append_submission(const Sim *sim, const UrlBase *base, const Mailbox *mailbox,
                           GString *out);

typedef enum {
  TARGET_NONE,       /* nothing there, and nothing can be made there */
  TARGET_NODE,       /* node */
  TARGET_NEW,        /* parent is a folder and holds no `name` */
  TARGET_SUBMISSION, /* mailbox */
  TARGET_START,      /* /exchange/ itself: the web page */
} TargetKind;

typedef struct {
  TargetKind kind;
  Node *node, *parent;
  Mailbox *mailbox;
  char *name;
  gboolean slash; /* the URL ended in '/' */
  gboolean permanent;
} Target;

/* Finds what an escaped path (or absolute URL) means. Caller holds a lock of the model. */
void url_resolve(const Sim *sim, const char *path, Target *target);
void target_clear(Target *target);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Target, target_clear)

/* Whether a segment is longer than any name may be: 414. */
gboolean url_too_long(const char *path);

#define URL_NAME_MAX 255 /* characters */
#define STORE_GUID "4f2b6c0e9d3a4e71b8a5c2d10f6e7a93"
