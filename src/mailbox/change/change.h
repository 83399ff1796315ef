/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: whether a change whose answer was lost got through. */
#pragma once

#include "mailbox/private.h"
#include "store/store_write.h"

/*
 * TRUE when the server's item REF, of which it says NOW, has the same bytes as the SIZE bytes of
 * FD. Where the server re-writes what it is given: the same Message-ID and, if it REPLACED another
 * version (which has that too), the same text below the header. In doubt FALSE: that costs a copy
 * in .exchange/unsent, the contrary loses what was written. Reads the item back: only for answers
 * that were lost.
 */
gboolean server_has(Mailbox *mailbox, const Caller *caller, const StoreRef *ref, const Entry *now,
                    int fd, gint64 size, gboolean replaced);

/* The reference NAME's item would have: FOLDER's path and the id the server said. */
gboolean ref_below(Mailbox *mailbox, gint64 folder, const Entry *entry, StoreRef *out,
                   GError **error);
