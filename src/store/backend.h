/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a back-end fills in: one slot for each call of store.h and store_write.h, all required,
 * with the contract written there. store.c checks arguments and calls the slot.
 */
#pragma once

#include "store/store_write.h"

typedef struct {
  gboolean (*open)(Store *, const StoreCall *, GError **);
  gboolean (*stat)(Store *, const StoreCall *, const StoreRef *, Entry *, GError **);
  gboolean (*find)(Store *, const StoreCall *, const StoreRef *, const char *, Entry *, GError **);
  gboolean (*list)(Store *, const StoreCall *, const StoreRef *, StoreChangeFunc, gpointer,
                   GError **);
  gboolean (*probe)(Store *, const StoreCall *, const StoreRef *, GBytes **, GError **);
  gboolean (*read_body)(Store *, const StoreCall *, const StoreRef *, gint64, const StoreSink *,
                        GError **);
  gboolean (*quota)(Store *, const StoreCall *, StoreQuota *, GError **);
  void (*free)(Store *);
} StoreReadOps;

typedef struct {
  gboolean (*create)(Store *, const StoreCall *, const StoreRef *, const char *,
                     const StoreSource *, Entry *, GError **);
  gboolean (*replace)(Store *, const StoreCall *, const StoreRef *, const StoreSource *, Entry *,
                      GError **);
  gboolean (*set_mtime)(Store *, const StoreCall *, const StoreRef *, gint64, Entry *, GError **);
  gboolean (*move)(Store *, const StoreCall *, const StoreRef *, const StoreRef *, const char *,
                   gboolean, Entry *, GError **);
  gboolean (*remove)(Store *, const StoreCall *, const StoreRef *, GError **);
  gboolean (*mkfolder)(Store *, const StoreCall *, const StoreRef *, const char *, Entry *,
                       GError **);
  gboolean (*rmfolder)(Store *, const StoreCall *, const StoreRef *, GError **);
} StoreWriteOps;

/* The head of every back-end's own struct. */
struct Store {
  const StoreReadOps *read;
  const StoreWriteOps *write;
  StoreCaps caps;
};
