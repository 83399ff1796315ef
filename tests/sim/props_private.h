/* SPDX-License-Identifier: Apache-2.0 */
/* The table of known properties, shared by props.c (lookup) and its getters. */
#pragma once

#include "props.h"

typedef gboolean (*PropGet)(PropContext *context, const Node *node, int arg, Value *ret);

struct PropDef {
  const char *name; /* canonical */
  PropGet get;
  int arg;
  PropAccess access;
};

extern const PropDef prop_table[];
extern const guint prop_table_count;

/* props_mail.c; arg of fact: a SynthText. */
gboolean prop_get_fact(PropContext *context, const Node *node, int arg, Value *ret);
gboolean prop_get_sent(PropContext *context, const Node *node, int arg, Value *ret);
gboolean prop_get_headers(PropContext *context, const Node *node, int arg, Value *ret);
gboolean prop_get_mime(PropContext *context, const Node *node, int arg, Value *ret);

/* A scratch string, emptied. */
GString *prop_scratch(PropContext *context);
