/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of Bodies share. */
#pragma once

#include "cache/bodies.h"

struct Bodies {
  char *bodies_dir, *local_dir, *staging_dir;
  gint64 max_bytes;
  gboolean opened; /* our marker is in place */
  GMutex lock;     /* guards what follows, and the files in bodies_dir */
  gint64 bytes;
  GHashTable *by_ino; /* &CachedBody.ino -> CachedBody, owned; one version of each */
  GQueue used;        /* CachedBody.link, least recently used first */
};

typedef struct {
  gint64 ino, size;
  guint32 version;
  guint leases;
  gint64 touched; /* monotonic us: when the file's time was set last; 0 not yet */
  GList link;
} CachedBody;

char *body_path(const Bodies *bodies, gint64 ino, guint32 version);

/* Adds BODY, which is taken, as the most recently used. There is none of its ino. */
void body_add(Bodies *bodies, CachedBody *body);

/* Evicts down to the bound. */
void bodies_make_fit(Bodies *bodies);
