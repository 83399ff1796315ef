/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests of a store's contract share: references, checks, listings and bodies as values. */
#pragma once

#include "base/error.h"
#include "base/file.h"
#include "base/rule.h"
#include "store/store_write.h"
#include "store/webdav.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static Store *store; /* under test */
static const StoreCall call = {.deadline = G_MAXINT64};
static Entry home; /* the folder of this run */

#define MESSAGE                                                                                    \
  "From: alice@example.org\r\nTo: bob@example.org\r\nSubject: Contract\r\n"                        \
  "Date: Tue, 09 Mar 2004 06:36:40 +0000\r\nMessage-ID: <contract@example.org>\r\n"                \
  "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\nHello\r\n"

/* ---- references ---- */

/* REF of what the ids of the entries name, from the root down; up to a NULL. */
static inline StoreRef *ref_to(const Entry *first, ...)
{
  StoreRef *ref = g_new0(StoreRef, 1);
  ref->path = g_ptr_array_new();
  va_list args;
  va_start(args, first);
  for (const Entry *entry = first; entry; entry = va_arg(args, const Entry *))
    g_ptr_array_add(ref->path, entry->id);
  va_end(args);
  return ref;
}

static void ref_free(StoreRef *ref)
{
  g_ptr_array_unref(ref->path);
  g_free(ref);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StoreRef, ref_free)

static inline StoreSource source_of(const char *text, gsize len)
{
  StoreSource source = {.fd = memfd_create("body", 0), .size = (goffset)len};
  assert_true(source.fd >= 0);
  assert_true(write(source.fd, text, len) == (ssize_t)len);
  return source;
}

static void assert_good(gboolean good, const GError *error)
{
  if (!good)
    fail_msg("failed: %s (errno %d)", error ? error->message : "?", error_errno(error));
  assert_null(error);
}

#define GOOD(...)                                                                                  \
  do {                                                                                             \
    g_autoptr(GError) error = NULL;                                                                \
    gboolean good = __VA_ARGS__;                                                                   \
    assert_good(good, error);                                                                      \
  } while (0)

#define FAILS(errnum, ...)                                                                         \
  do {                                                                                             \
    g_autoptr(GError) error = NULL;                                                                \
    assert_false(__VA_ARGS__);                                                                     \
    if (error_errno(error) != (errnum))                                                            \
      fail_msg("errno %d instead of %d: %s", error_errno(error), errnum, error->message);          \
  } while (0)

static void create(const StoreRef *folder, const char *name, const char *text, Entry *out)
{
  StoreSource source = source_of(text, strlen(text));
  GOOD(store_create(store, &call, folder, name, &source, out, &error));
  close(source.fd);
}

/* ---- listings ---- */

typedef struct {
  GHashTable *names; /* name -> Entry */
  int resets, ends;
  gboolean order;
} Listing;

static void entry_free(gpointer data)
{
  entry_clear(data);
  g_free(data);
}

static gboolean take(StoreChangeKind kind, const Entry *entry, gpointer user, GError **error)
{
  (void)error;
  Listing *listing = user;
  if (kind == CHANGE_RESET) {
    listing->resets++;
    listing->order = listing->ends == 0 && g_hash_table_size(listing->names) == 0;
  } else if (kind == CHANGE_END) {
    listing->ends++;
  } else if (kind == CHANGE_ENTRY) {
    Entry *copy = g_new0(Entry, 1);
    entry_copy(entry, copy);
    assert_true(g_hash_table_replace(listing->names, copy->name, copy));
  }
  return TRUE;
}

static inline GHashTable *list(const StoreRef *folder)
{
  Listing listing = {.names = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, entry_free)};
  GOOD(store_list(store, &call, folder, take, &listing, &error));
  assert_int_equal(listing.resets, 1);
  assert_int_equal(listing.ends, 1);
  assert_true(listing.order);
  return listing.names;
}

/* ---- bodies ---- */

typedef struct {
  GString *bytes;
  gint64 total;
  Entry now;
  int begins;
} Body;

static gboolean body_begin(gint64 total, const Entry *now, gpointer user, GError **error)
{
  (void)error;
  Body *body = user;
  body->begins++;
  body->total = total;
  entry_copy(now, &body->now);
  return TRUE;
}

static gboolean body_data(const void *bytes, gsize len, gpointer user, GError **error)
{
  (void)error;
  Body *body = user;
  assert_int_equal(body->begins, 1);
  g_string_append_len(body->bytes, bytes, (gssize)len);
  return TRUE;
}

static void body_init(Body *body, StoreSink *sink)
{
  *body = (Body){.bytes = g_string_new(NULL)};
  entry_init(&body->now);
  *sink = (StoreSink){body_begin, body_data, body};
}

static void body_clear(Body *body)
{
  g_string_free(body->bytes, TRUE);
  entry_clear(&body->now);
}

static inline char *read_text(const StoreRef *ref, gint64 offset)
{
  Body body;
  StoreSink sink;
  body_init(&body, &sink);
  GOOD(store_read_body(store, &call, ref, offset, &sink, &error));
  if (body.total >= 0)
    assert_true(body.total == offset + (gint64)body.bytes->len);
  char *text = g_strdup(body.bytes->str);
  body_clear(&body);
  return text;
}
