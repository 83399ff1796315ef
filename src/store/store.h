/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reading half of the one interface to any Exchange store (protocol note EWS, section 19).
 * Nothing here knows HTTP, SOAP or JSON; nothing here can change the server.
 *
 * Calls block, may run on any thread and concurrently, and end by the call's deadline or cancel
 * token (EINTR). Errors are XFS_ERROR with an errno:
 *   ENOENT gone or never there    ESTALE the tag no longer holds     EACCES no right, or not signed
 * in EBUSY locked by another       ETIMEDOUT, EHOSTUNREACH the line   EPROTO not what was asked for
 *   EIO everything else; what a slot adds is said at the slot. Outputs are untouched on failure.
 */
#pragma once

#include "base/cancel.h"
#include "model/entry.h"

typedef struct Store Store;

/* What every call carries. */
typedef struct {
  Cancel *cancel;      /* borrowed; NULL: cannot be cancelled */
  gint64 deadline;     /* monotonic microseconds; G_MAXINT64: only the line's own limits hold */
  gboolean background; /* prefetch and housekeeping: first to yield */
} StoreCall;

/*
 * Names one object: the ids from just below the root down to it (none: the root itself). Ids are
 * below their parent only, so renaming a folder rewrites one row of the index. TAG, when not NULL,
 * is the version the caller means.
 */
typedef struct {
  GPtrArray *path; /* of GBytes */
  GBytes *tag;
} StoreRef;

/* What upper layers may branch on; filled by open. */
typedef struct {
  gboolean exact_size;     /* sizes in listings are the lengths of the bodies */
  gboolean bytes_stable;   /* what is written is what is read */
  gboolean range_read;     /* read_body may start in the middle */
  gboolean content_tag;    /* probe works */
  gboolean folds_case;     /* names that differ in case only are one */
  gboolean trash;          /* rmfolder can put a folder aside first */
  gboolean keeps_mtime;    /* set_mtime reaches the server (may be found out later) */
  gboolean read_only;      /* the whole store refuses changes */
  const char *description; /* "Exchange 6.5.7226 (WebDAV)" for status and log; owned by the store */
} StoreCaps;

/*
 * The change stream of a listing. RESET: forget what is not seen again before END. ENTRY: new or
 * changed. GONE: entry->id is no more. END: the listing is complete (entry->content_tag, of the
 * folder as it was before the listing, may be set). FALSE with ERROR stops the listing.
 */
typedef enum { CHANGE_RESET, CHANGE_ENTRY, CHANGE_GONE, CHANGE_END } StoreChangeKind;
typedef gboolean (*StoreChangeFunc)(StoreChangeKind kind, const Entry *entry, gpointer user,
                                    GError **error);

/*
 * Where a body goes, on the calling thread and in this order: begin once, with the length of the
 * whole body (-1 unknown) and what the store now says about the item (tag, size; borrowed); data in
 * pieces from the offset asked for on. FALSE with ERROR stops. A body is whole only when read_body
 * returned TRUE.
 */
typedef struct {
  gboolean (*begin)(gint64 total, const Entry *now, gpointer user, GError **error);
  gboolean (*data)(const void *bytes, gsize len, gpointer user, GError **error);
  gpointer user;
} StoreSink;

typedef struct {
  gint64 total, used, available; /* bytes; -1 unknown */
} StoreQuota;

/*
 * Learns what the server is and whether we may in. Must succeed before other calls. Errors say in
 * one sentence what to do: EACCES (password, or no right), ENOENT (no such mailbox), EPROTO (a web
 * page or something else that is no store; https demanded), line errors.
 */
gboolean store_open(Store *store, const StoreCall *call, GError **error);

/* Valid after store_open(); does not block; borrowed. */
const StoreCaps *store_caps(const Store *store);

/* Fills OUT (initialised) with what the server says about REF now. */
gboolean store_stat(Store *store, const StoreCall *call, const StoreRef *ref, Entry *out,
                    GError **error);

/* Looks for the user's NAME in FOLDER: as store_stat(), ENOENT when the server has none. */
gboolean store_find(Store *store, const StoreCall *call, const StoreRef *folder, const char *name,
                    Entry *out, GError **error);

/*
 * Streams the members of FOLDER to FUNC. The order is the server's and kept from listing to listing
 * where the server can. An error means: not complete, nothing may be concluded from absence.
 */
gboolean store_list(Store *store, const StoreCall *call, const StoreRef *folder,
                    StoreChangeFunc func, gpointer user, GError **error);

/* The folder's content tag, for one small request; ENOTSUP without caps->content_tag. */
gboolean store_probe(Store *store, const StoreCall *call, const StoreRef *folder,
                     GBytes **ret_content_tag, GError **error);

/*
 * Reads the body of REF from OFFSET (0 unless caps->range_read) to its end. With ref->tag set the
 * bytes belong to that version, or the call fails ESTALE before a byte is delivered. A line that
 * breaks is taken up again where that is provably the same version; bytes are never repeated.
 * EIO when the server answered something that is no body (a web page, a wrong length).
 */
gboolean store_read_body(Store *store, const StoreCall *call, const StoreRef *ref, gint64 offset,
                         const StoreSink *sink, GError **error);

/* What the server tells of quota; -1 for what it does not tell. */
gboolean store_quota(Store *store, const StoreCall *call, StoreQuota *out, GError **error);

/* Ends every connection. No call may be under way. NULL is fine. */
void store_free(Store *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Store, store_free)
