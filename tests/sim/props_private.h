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

/* A scratch string, emptied. */
GString *prop_scratch(PropContext *context);
