/* SPDX-License-Identifier: Apache-2.0 */
/* XML request bodies, read as tolerantly as Exchange reads them: element names that begin with a
 * digit are taken (DavMail fact 18). No DTD, no entity, nothing from outside. */
#pragma once

#include "props.h"

typedef struct {
  gboolean remove;
  Column column;
  Value *value; /* NULL when removing */
} PropOp;

typedef struct {
  char *href; /* as sent */
  char *dest; /* or NULL */
} BatchTarget;

typedef struct {
  char *root;          /* local name of the root element; NULL: the body was empty */
  GArray *columns;     /* Column: what propfind asks for */
  GArray *ops;         /* PropOp: what propertyupdate sets and removes, in order */
  GPtrArray *targets;  /* BatchTarget */
  char *sql;           /* of a searchrequest */
  gboolean all, names; /* allprop, propname */
} DavRequest;

/* The status to answer: 0 when parsed (or empty), 400 malformed, 413 too large. */
int dav_request_parse(const Sim *sim, const Request *request, DavRequest *ret);
void dav_request_clear(DavRequest *request);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DavRequest, dav_request_clear)
