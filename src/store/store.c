/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the door to every back-end: checks arguments once, so that a slot need not, and calls it.
 * Knows no protocol.
 */
#include "store/backend.h"

#include "base/error.h"

#include <errno.h>

/* Every call may be refused before it starts: cancelled, or past its deadline. */
static gboolean may_start(const StoreCall *call, GError **error)
{
  if (cancel_is_set(call->cancel))
    return error_set(error, EINTR, SCOPE_LOCAL, "interrupted");
  if (call->deadline != G_MAXINT64 && g_get_monotonic_time() >= call->deadline)
    return error_set(error, ETIMEDOUT, SCOPE_LINE, "the time for this request is over");
  return TRUE;
}

/* The root itself has no parent to move it out of. */
static gboolean is_member(const StoreRef *ref, GError **error)
{
  if (ref->path && ref->path->len > 0)
    return TRUE;
  return error_set(error, EPERM, SCOPE_ITEM, "the root of the mailbox cannot be changed");
}

static gboolean is_name(const char *name, GError **error)
{
  if (name && *name)
    return TRUE;
  return error_set(error, EINVAL, SCOPE_ITEM, "a name is missing");
}

gboolean store_open(Store *store, const StoreCall *call, GError **error)
{
  return may_start(call, error) && store->read->open(store, call, error);
}

const StoreCaps *store_caps(const Store *store)
{
  return &store->caps;
}

gboolean store_stat(Store *store, const StoreCall *call, const StoreRef *ref, Entry *out,
                    GError **error)
{
  return may_start(call, error) && store->read->stat(store, call, ref, out, error);
}

gboolean store_find(Store *store, const StoreCall *call, const StoreRef *folder, const char *name,
                    Entry *out, GError **error)
{
  return may_start(call, error) && is_name(name, error) &&
         store->read->find(store, call, folder, name, out, error);
}

gboolean store_list(Store *store, const StoreCall *call, const StoreRef *folder,
                    StoreChangeFunc func, gpointer user, GError **error)
{
  return may_start(call, error) && store->read->list(store, call, folder, func, user, error);
}

gboolean store_probe(Store *store, const StoreCall *call, const StoreRef *folder,
                     GBytes **ret_content_tag, GError **error)
{
  if (!store->caps.content_tag)
    return error_set(error, ENOTSUP, SCOPE_STORE, "the server has no tag for a folder's content");
  return may_start(call, error) && store->read->probe(store, call, folder, ret_content_tag, error);
}

gboolean store_read_body(Store *store, const StoreCall *call, const StoreRef *ref, gint64 offset,
                         const StoreSink *sink, GError **error)
{
  if (offset < 0)
    return error_set(error, EINVAL, SCOPE_ITEM, "a body has no negative offset");
  return may_start(call, error) && store->read->read_body(store, call, ref, offset, sink, error);
}

gboolean store_quota(Store *store, const StoreCall *call, StoreQuota *out, GError **error)
{
  return may_start(call, error) && store->read->quota(store, call, out, error);
}

gboolean store_create(Store *store, const StoreCall *call, const StoreRef *folder, const char *name,
                      const StoreSource *source, Entry *out, GError **error)
{
  return may_start(call, error) && is_name(name, error) &&
         store->write->create(store, call, folder, name, source, out, error);
}

gboolean store_replace(Store *store, const StoreCall *call, const StoreRef *ref,
                       const StoreSource *source, Entry *out, GError **error)
{
  return may_start(call, error) && is_member(ref, error) &&
         store->write->replace(store, call, ref, source, out, error);
}

gboolean store_set_mtime(Store *store, const StoreCall *call, const StoreRef *ref, gint64 mtime,
                         Entry *out, GError **error)
{
  return may_start(call, error) && is_member(ref, error) &&
         store->write->set_mtime(store, call, ref, mtime, out, error);
}

gboolean store_move(Store *store, const StoreCall *call, const StoreRef *ref,
                    const StoreRef *folder, const char *name, gboolean replace, Entry *out,
                    GError **error)
{
  return may_start(call, error) && is_member(ref, error) && is_name(name, error) &&
         store->write->move(store, call, ref, folder, name, replace, out, error);
}

gboolean store_remove(Store *store, const StoreCall *call, const StoreRef *ref, GError **error)
{
  return may_start(call, error) && is_member(ref, error) &&
         store->write->remove(store, call, ref, error);
}

gboolean store_mkfolder(Store *store, const StoreCall *call, const StoreRef *folder,
                        const char *name, Entry *out, GError **error)
{
  return may_start(call, error) && is_name(name, error) &&
         store->write->mkfolder(store, call, folder, name, out, error);
}

gboolean store_rmfolder(Store *store, const StoreCall *call, const StoreRef *ref, GError **error)
{
  return may_start(call, error) && is_member(ref, error) &&
         store->write->rmfolder(store, call, ref, error);
}

void store_free(Store *store)
{
  if (store)
    store->read->free(store);
}
