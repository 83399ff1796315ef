/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns bodies on their way from the server: each version is fetched once, however many read it, by
 * a thread of its own into a cache file, and readers are served as soon as their bytes are there.
 * Leaves keeping whole bodies to cache/bodies.
 *
 * A Body is ARRIVING (a fetch holds a reference), then WHOLE or FAILED, for good. A failed one has
 * left Mailbox.live, so that the next reader starts over. When the last reader leaves an arriving
 * body, the fetch is cancelled unless little is missing.
 */
#include "base/file.h"
#include "mailbox/policy.h"
#include "mailbox/private.h"

#include <errno.h>
#include <unistd.h>

struct Body {
  Mailbox *mailbox;
  NodeId id;
  int fd;
  gboolean leased; /* fd is a lease of Mailbox.bodies */
  GBytes *tag;     /* the version to fetch; NULL: any */
  gint64 expected; /* its true length where listings tell that; -1 */
  Cancel *cancel;  /* ends the fetch */
  guint refs;      /* Mailbox.lock */

  GMutex lock;
  GCond arrived;  /* lock: anything below changed */
  gint64 total;   /* lock: length, -1 not known yet */
  gint64 have;    /* lock: bytes in fd */
  gboolean whole; /* lock */
  GError *error;  /* lock: the fetch failed */
};

/* Mailbox.lock is held. */
static void body_leave_live(Body *body)
{
  if (g_hash_table_lookup(body->mailbox->live, &body->id) == body)
    g_hash_table_remove(body->mailbox->live, &body->id);
}

static Body *body_new(Mailbox *mailbox, NodeId id, int fd)
{
  Body *body = g_new0(Body, 1);
  body->mailbox = mailbox;
  body->id = id;
  body->fd = fd;
  body->refs = 1;
  body->total = body->expected = -1;
  g_mutex_init(&body->lock);
  g_cond_init(&body->arrived);
  return body;
}

static void body_free(Body *body)
{
  if (body->leased)
    bodies_release(body->mailbox->bodies, body->id.ino, body->id.version, body->fd);
  else
    close(body->fd);
  if (body->tag)
    g_bytes_unref(body->tag);
  cancel_unref(body->cancel);
  g_clear_error(&body->error);
  g_cond_clear(&body->arrived);
  g_mutex_clear(&body->lock);
  g_free(body);
}

/* What is on this disk already: a local row's bytes, or a whole cached body. NULL: neither. */
static Body *body_from_disk(Mailbox *mailbox, const Node *node, NodeId id, GError **error)
{
  gint64 size = node->entry.size;
  gboolean local = (node->state & NODE_LOCAL) != 0;
  int fd = local ? bodies_local_open(mailbox->bodies, node->ino, error)
                 : bodies_lease(mailbox->bodies, node->ino, node->version, &size);
  if (fd < 0)
    return NULL;
  Body *body = body_new(mailbox, id, fd);
  body->leased = !local;
  body->total = body->have = size;
  body->whole = TRUE;
  return body;
}

static Body *body_start(Mailbox *mailbox, const Node *node, NodeId id, GError **error)
{
  int fd = bodies_new_file(mailbox->bodies, error);
  if (fd < 0)
    return NULL;
  Body *body = body_new(mailbox, id, fd);
  body->tag = node->entry.tag ? g_bytes_ref(node->entry.tag) : NULL;
  if (node->entry.size_kind == SIZE_EXACT && store_caps(mailbox->store)->exact_size)
    body->expected = node->entry.size;
  body->cancel = cancel_new();
  body->refs++; /* the fetch's own */
  return body;
}

Body *body_get(Mailbox *mailbox, const Node *node, GError **error)
{
  NodeId id = {node->ino, node->version};
  gboolean start = FALSE;
  g_mutex_lock(&mailbox->lock);
  Body *body = g_hash_table_lookup(mailbox->live, &id);
  if (body) {
    body->refs++;
  } else {
    GError *inner = NULL;
    body = body_from_disk(mailbox, node, id, &inner);
    if (!body && !inner) {
      body = body_start(mailbox, node, id, &inner);
      start = body != NULL;
    }
    if (body)
      g_hash_table_insert(mailbox->live, &body->id, body);
    else
      g_propagate_error(error, inner);
  }
  g_mutex_unlock(&mailbox->lock);
  if (start)
    g_thread_pool_push(mailbox->fetchers, body, NULL);
  return body;
}

void body_outdate(Mailbox *mailbox, NodeId id)
{
  g_mutex_lock(&mailbox->lock);
  if (RULE("body-outdated")) {
    g_hash_table_remove(mailbox->live, &id);
    bodies_drop(mailbox->bodies, id.ino);
  }
  g_mutex_unlock(&mailbox->lock);
}

Body *body_ref(Body *body)
{
  body->refs++;
  return body;
}

void body_put(Body *body)
{
  if (!body)
    return;
  Mailbox *mailbox = body->mailbox;
  gboolean stop = FALSE;
  g_mutex_lock(&mailbox->lock);
  guint left = --body->refs;
  if (left == 1 && body->cancel) {
    /* Either the fetch's reference is the one left, or the fetch is over and nothing is to stop. */
    g_mutex_lock(&body->lock);
    stop = !body->whole && !body->error && !policy_finish_body(body->have, body->total);
    g_mutex_unlock(&body->lock);
  }
  if (stop || left == 0)
    body_leave_live(body);
  /* The token outlives the fetch thread's reference only by one of ours. */
  g_autoptr(Cancel) cancel = stop ? cancel_ref(body->cancel) : NULL;
  g_mutex_unlock(&mailbox->lock);
  if (cancel)
    cancel_trigger(cancel);
  if (left == 0)
    body_free(body);
}

/* A body of another length than the true one is no body of this version: a web page, a cut file. */
static gboolean is_expected(const Body *body, gint64 total, GError **error)
{
  return total < 0 || body->expected < 0 || total == body->expected || !RULE("size-mismatch") ||
         error_set(error, EIO, SCOPE_ITEM,
                   "the server says %" G_GINT64_FORMAT " bytes and sends %" G_GINT64_FORMAT
                   ": try again, then look at the server",
                   body->expected, total);
}

static gboolean body_begin(gint64 total, const Entry *now, gpointer user, GError **error)
{
  Body *body = user;
  (void)now;
  if (total > FILE_SIZE_MAX)
    return error_set(error, EFBIG, SCOPE_ITEM,
                     "the server says this item has %" G_GINT64_FORMAT
                     " bytes: more than a file may have here",
                     total);
  if (!is_expected(body, total, error))
    return FALSE;
  g_mutex_lock(&body->lock);
  body->total = total;
  g_cond_broadcast(&body->arrived);
  g_mutex_unlock(&body->lock);
  return TRUE;
}

static gboolean body_data(const void *bytes, gsize len, gpointer user, GError **error)
{
  Body *body = user; /* `have` is written by this thread alone */
  if (body->have + (gint64)len > FILE_SIZE_MAX)
    return error_set(error, EFBIG, SCOPE_ITEM, "the server sends more than a file may have here");
  GError *inner = NULL;
  if (!file_pwrite_all(body->fd, bytes, len, body->have, &inner)) {
    gboolean again = error_errno(inner) == ENOSPC && RULE("cache-make-room") &&
                     bodies_make_room(body->mailbox->bodies, (gint64)len);
    if (!again) {
      g_propagate_error(error, inner);
      return FALSE;
    }
    g_clear_error(&inner);
    if (!file_pwrite_all(body->fd, bytes, len, body->have, error))
      return FALSE;
  }
  g_mutex_lock(&body->lock);
  body->have += (gint64)len;
  if (RULE("read-streams"))
    g_cond_broadcast(&body->arrived);
  g_mutex_unlock(&body->lock);
  return TRUE;
}

static gboolean body_transfer(Body *body, GError **error)
{
  Mailbox *mailbox = body->mailbox;
  const StoreSink sink = {body_begin, body_data, body};
  const Caller caller = {.cancel = body->cancel};
  g_auto(StoreRef) ref = {0};
  StoreCall call;
  if (!ref_make(mailbox, body->id.ino, body->tag, &ref, error) ||
      !line_begin(mailbox, &caller, CALL_DATA, &call, error))
    return FALSE;
  GError *inner = NULL;
  gboolean ok = store_read_body(mailbox->store, &call, &ref, 0, &sink, &inner);
  line_end(mailbox, inner);
  if (ok && body->total >= 0 && body->have != body->total)
    ok = error_set(&inner, EIO, SCOPE_ITEM, "the server sent less than it said");
  if (ok)
    ok = is_expected(body, body->have, &inner);
  if (!ok)
    g_propagate_error(error, inner);
  return ok;
}

void body_fetch(gpointer data, gpointer user)
{
  Body *body = data;
  Mailbox *mailbox = user;
  GError *error = NULL;
  gboolean ok = body_transfer(body, &error);
  g_autoptr(GError) unkept = NULL;
  g_mutex_lock(&mailbox->lock);
  /* One that was outdated meanwhile is for those who opened it before. */
  gboolean current =
      g_hash_table_lookup(mailbox->live, &body->id) == body || !RULE("body-outdated");
  if (ok && current &&
      !bodies_publish(mailbox->bodies, body->id.ino, body->id.version, body->fd, body->have,
                      &unkept))
    log_debug("mailbox", "a body is not kept: %s", unkept->message);
  if (!ok)
    body_leave_live(body);
  g_mutex_unlock(&mailbox->lock);

  g_mutex_lock(&body->lock);
  body->whole = ok;
  if (ok)
    body->total = body->have;
  body->error = error;
  g_cond_broadcast(&body->arrived);
  g_mutex_unlock(&body->lock);
  body_put(body);
}

/* Waits, with Body.lock held, until something changes. */
static gboolean body_wait_more(Body *body, const Caller *caller, GError **error)
{
  if (body->error) {
    g_propagate_error(error, g_error_copy(body->error));
    return FALSE;
  }
  if (cancel_wait(caller ? caller->cancel : NULL, &body->arrived, &body->lock, G_MAXINT64) == EINTR)
    return error_set(error, EINTR, SCOPE_ITEM, "interrupted while waiting for the server");
  return TRUE;
}

gboolean body_wait_size(Body *body, const Caller *caller, gint64 *ret_size, GError **error)
{
  gboolean ok = TRUE;
  g_mutex_lock(&body->lock);
  while (ok && body->total < 0)
    ok = body_wait_more(body, caller, error);
  if (ok)
    *ret_size = body->total;
  g_mutex_unlock(&body->lock);
  return ok;
}

gboolean body_wait(Body *body, const Caller *caller, gint64 end, gint64 *ret_have, GError **error)
{
  gboolean ok = TRUE;
  g_mutex_lock(&body->lock);
  /* Bytes that are here are good although a later one may never come. */
  while (ok && !body->whole && body->have < end)
    ok = body_wait_more(body, caller, error);
  if (ok)
    *ret_have = body->have;
  g_mutex_unlock(&body->lock);
  return ok;
}

int body_fd(const Body *body)
{
  return body->fd;
}
