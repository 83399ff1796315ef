/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writing half of the store, for mailbox/change/ alone: that is how "reading never changes the
 * server" is kept by construction. The rules of store.h hold. In addition:
 *   ESTALE  ref->tag no longer holds: nothing was changed     EEXIST  the name is taken
 *   EDQUOT, ENOSPC the server is full                          EFBIG   it refuses this size
 *   EPERM   this object cannot be changed that way             ENOTEMPTY as rmdir(2)
 * An error with error_maybe_applied() means the answer was lost: look before repeating. Every
 * success fills OUT (initialised) with a fresh record. Nothing here ever sends mail.
 */
#pragma once

#include "store/store.h"

/* The bytes of a body: SIZE bytes from offset 0 of FD, which stays the caller's. */
typedef struct {
  int fd;
  goffset size;
} StoreSource;

/*
 * Makes a new item NAME in FOLDER; it must not exist (EEXIST). The class follows from the name
 * (.eml is mail) and the folder.
 */
gboolean store_create(Store *store, const StoreCall *call, const StoreRef *folder, const char *name,
                      const StoreSource *source, Entry *out, GError **error);

/* Replaces the body of REF, which must still be the version ref->tag (ESTALE). */
gboolean store_replace(Store *store, const StoreCall *call, const StoreRef *ref,
                       const StoreSource *source, Entry *out, GError **error);

/* Keeps the mtime a user set (ns since 1970) with the item; EOPNOTSUPP where it cannot. */
gboolean store_set_mtime(Store *store, const StoreCall *call, const StoreRef *ref, gint64 mtime,
                         Entry *out, GError **error);

/*
 * Moves or renames REF to NAME in FOLDER; folders move with all they hold. An existing target is
 * replaced only with REPLACE, else EEXIST. EXDEV when the server cannot (the caller copies).
 */
gboolean store_move(Store *store, const StoreCall *call, const StoreRef *ref,
                    const StoreRef *folder, const char *name, gboolean replace, Entry *out,
                    GError **error);

/* Deletes the item REF for ever; ref->tag, when set, must still hold (ESTALE). */
gboolean store_remove(Store *store, const StoreCall *call, const StoreRef *ref, GError **error);

/* Makes the folder NAME in FOLDER; EEXIST. */
gboolean store_mkfolder(Store *store, const StoreCall *call, const StoreRef *folder,
                        const char *name, Entry *out, GError **error);

/*
 * Removes the folder REF if nothing is in it (ENOTEMPTY): the server's own delete is recursive, so
 * it is found empty, put aside where the server has a trash, found empty again, deleted. Mail that
 * arrived in between stays in the trash.
 */
gboolean store_rmfolder(Store *store, const StoreCall *call, const StoreRef *ref, GError **error);
