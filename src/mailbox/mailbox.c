/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the life of a mailbox: cache and store opened and closed in order, the worker that signs in
 * again, sends what is owed and asks for the quota. Leaves all that has a name to tree.c,
 * listing.c, file.c and change/.
 */
#include "cache/cachedir.h"
#include "mailbox/policy.h"
#include "mailbox/private.h"

#include <errno.h>
#include <unistd.h>

#define WORKER_PERIOD_US (60 * G_USEC_PER_SEC)

void mailbox_wake(Mailbox *mailbox)
{
  g_mutex_lock(&mailbox->lock);
  mailbox->owes = TRUE;
  g_cond_broadcast(&mailbox->changed);
  g_mutex_unlock(&mailbox->lock);
}

/* Signs in; used at the start and, when that was offline, until it works. */
static gboolean sign_in(Mailbox *mailbox, GError **error)
{
  const StoreCall call = {.cancel = mailbox->closing,
                          .deadline = g_get_monotonic_time() + mailbox->options.timeo_ms * 1000};
  if (!store_open(mailbox->store, &call, error))
    return FALSE;
  g_mutex_lock(&mailbox->lock);
  mailbox->opened = TRUE;
  g_mutex_unlock(&mailbox->lock);
  return TRUE;
}

static void ask_quota(Mailbox *mailbox)
{
  StoreCall call;
  StoreQuota quota = {-1, -1, -1};
  g_autoptr(GError) error = NULL;
  if (!line_begin(mailbox, NULL, CALL_BACKGROUND, &call, &error))
    return;
  gboolean told = store_quota(mailbox->store, &call, &quota, &error);
  line_end(mailbox, error);
  if (!told)
    return;
  g_mutex_lock(&mailbox->lock);
  mailbox->quota = quota;
  g_mutex_unlock(&mailbox->lock);
}

/* One round of the worker; answers after how long (us) the next is due at the latest. */
static gint64 work(Mailbox *mailbox, guint *failures, gboolean *recovered, gint64 *quota_asked)
{
  g_autoptr(GError) error = NULL;
  g_mutex_lock(&mailbox->lock);
  gboolean opened = mailbox->opened;
  mailbox->owes = FALSE;
  g_mutex_unlock(&mailbox->lock);
  if (!opened && !sign_in(mailbox, &error)) {
    if ((*failures)++ == 0)
      log_warning("mailbox", "working offline: %s", error->message);
    return policy_line_pause(*failures);
  }
  if (*failures > 0)
    log_info("mailbox", "the server is back: %s", store_caps(mailbox->store)->description);
  *failures = 0;
  if (!mailbox->options.read_only) {
    if (!*recovered)
      *recovered = put_recover(mailbox);
    if (!mtime_send_owed(mailbox, G_MAXINT64) || !*recovered)
      return policy_line_pause(3);
  }
  gint64 now = g_get_monotonic_time();
  if (*quota_asked == 0 || now - *quota_asked >= WORKER_PERIOD_US) {
    ask_quota(mailbox);
    *quota_asked = now;
  }
  return WORKER_PERIOD_US;
}

static gpointer worker(gpointer data)
{
  Mailbox *mailbox = data;
  guint failures = 0;
  gboolean recovered = FALSE;
  gint64 quota_asked = 0;
  while (!cancel_is_set(mailbox->closing)) {
    gint64 due = g_get_monotonic_time() + work(mailbox, &failures, &recovered, &quota_asked);
    g_mutex_lock(&mailbox->lock);
    int waited = 0;
    while (waited == 0 && !mailbox->owes && !cancel_is_set(mailbox->closing))
      waited = cancel_wait(mailbox->closing, &mailbox->changed, &mailbox->lock, due);
    g_mutex_unlock(&mailbox->lock);
  }
  return NULL;
}

static guint node_id_hash(gconstpointer key)
{
  const NodeId *id = key;
  return g_int64_hash(&id->ino) * 31u + id->version;
}

static gboolean node_id_equal(gconstpointer a, gconstpointer b)
{
  const NodeId *one = a, *other = b;
  return one->ino == other->ino && one->version == other->version;
}

static void folder_free(gpointer data)
{
  Folder *folder = data;
  g_clear_error(&folder->error);
  g_free(folder);
}

static Mailbox *mailbox_new(Store *store, const MailboxOptions *options)
{
  Mailbox *mailbox = g_new0(Mailbox, 1);
  mailbox->store = store;
  mailbox->options = *options;
  mailbox->options.cache_dir = mailbox->cache_dir = g_strdup(options->cache_dir);
  mailbox->options.identity = mailbox->identity = g_strdup(options->identity);
  mailbox->lock_fd = -1;
  mailbox->closing = cancel_new();
  mailbox->quota = (StoreQuota){-1, -1, -1};
  g_mutex_init(&mailbox->lock);
  g_cond_init(&mailbox->changed);
  mailbox->rows = g_hash_table_new(g_int64_hash, g_int64_equal);
  mailbox->live = g_hash_table_new(node_id_hash, node_id_equal);
  mailbox->folders = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, folder_free);
  mailbox->bounced = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, bounce_free);
  mailbox->refused = g_hash_table_new_full(NULL, NULL, NULL, g_free);
  mailbox->fetchers = g_thread_pool_new(body_fetch, mailbox, -1, FALSE, NULL);
  return mailbox;
}

static gboolean open_cache(Mailbox *mailbox, GError **error)
{
  gboolean rebuilt = FALSE;
  const char *dir = mailbox->options.cache_dir;
  mailbox->lock_fd = cachedir_lock(dir, error);
  if (mailbox->lock_fd < 0)
    return FALSE;
  mailbox->index = index_open(dir, mailbox->identity, &rebuilt, error);
  if (!mailbox->index)
    return FALSE;
  if (rebuilt)
    log_warning("mailbox", "the cache database was damaged: it is rebuilt from the server");
  mailbox->bodies = bodies_open(dir, mailbox->options.cache_size, error);
  if (!mailbox->bodies)
    return FALSE;
  g_autoptr(GArray) strays = NULL;
  mailbox->journal = journal_open(dir, &strays, error);
  if (!mailbox->journal || !unsent_prepare(mailbox, rebuilt, error))
    return FALSE;
  for (guint i = 0; strays && i < strays->len; i++) {
    gint64 id = g_array_index(strays, gint64, i);
    g_autofree char *name = g_strdup_printf("recovered upload %" G_GINT64_FORMAT, id);
    int fd = journal_open_staged(mailbox->journal, id, error);
    gboolean kept = fd >= 0 && unsent_keep(mailbox, name, fd, lseek(fd, 0, SEEK_END),
                                           "its journal was damaged", error);
    if (fd >= 0)
      close(fd);
    if (!kept)
      return FALSE;
    journal_remove(mailbox->journal, id, NULL);
  }
  return TRUE;
}

/* TRUE when the cache knows enough to serve without the server. */
static gboolean knows_store(Mailbox *mailbox)
{
  g_auto(Node) root;
  node_init(&root);
  return index_get(mailbox->index, INO_ROOT, &root, NULL) &&
         (root.listed > 0 || index_count(mailbox->index, INO_ROOT, NULL) > 0);
}

/* TRUE when no bytes of a user wait in the cache. */
static gboolean holds_nothing(Mailbox *mailbox)
{
  g_autoptr(GArray) files = bodies_local_list(mailbox->bodies);
  return files && files->len == 0;
}

static void on_cancel(gpointer closing)
{
  cancel_trigger(closing);
}

Mailbox *mailbox_open(Store *store, const MailboxOptions *options, GError **error)
{
  Mailbox *mailbox = mailbox_new(store, options);
  GError *inner = NULL;
  mailbox->options.cancel = NULL;
  gulong id = cancel_connect(options->cancel, on_cancel, mailbox->closing);
  gboolean ok = open_cache(mailbox, &inner) && sign_in(mailbox, &inner);
  if (!ok && mailbox->journal && line_is_away(mailbox, inner) && knows_store(mailbox)) {
    log_warning("mailbox", "working offline: %s", inner->message);
    g_clear_error(&inner);
    ok = TRUE;
  }
  cancel_disconnect(options->cancel, id);
  if (ok && cancel_is_set(mailbox->closing))
    ok = error_set(&inner, EINTR, SCOPE_LOCAL, "the mount ends");
  if (!ok) {
    if (mailbox->journal && !knows_store(mailbox) && holds_nothing(mailbox))
      index_disown(mailbox->index); /* a wrong address must not claim the directory */
    mailbox_close(mailbox);
    g_propagate_error(error, inner);
    return NULL;
  }
  mailbox->worker = g_thread_new("worker", worker, mailbox);
  return mailbox;
}

void mailbox_close(Mailbox *mailbox)
{
  if (!mailbox)
    return;
  cancel_trigger(mailbox->closing);
  mailbox_wake(mailbox);
  if (mailbox->worker) {
    g_thread_join(mailbox->worker);
    gint64 deadline = g_get_monotonic_time() + mailbox->options.timeo_ms * 1000;
    if (!mailbox->options.read_only && !mtime_send_owed(mailbox, deadline))
      log_info("mailbox", "times that were set are sent by the next mount");
  }
  g_hash_table_remove_all(mailbox->bounced); /* ends fetches that nobody came back for */
  g_thread_pool_free(mailbox->fetchers, FALSE, TRUE);
  store_free(mailbox->store);
  journal_close(mailbox->journal);
  bodies_close(mailbox->bodies);
  index_close(mailbox->index);
  if (mailbox->lock_fd >= 0)
    close(mailbox->lock_fd);
  g_hash_table_unref(mailbox->rows);
  g_hash_table_unref(mailbox->live);
  g_hash_table_unref(mailbox->folders);
  g_hash_table_unref(mailbox->bounced);
  g_hash_table_unref(mailbox->refused);
  cancel_unref(mailbox->closing);
  g_cond_clear(&mailbox->changed);
  g_mutex_clear(&mailbox->lock);
  g_free(mailbox->cache_dir);
  g_free(mailbox->identity);
  g_free(mailbox->line_why);
  g_free(mailbox);
}

const char *mailbox_description(const Mailbox *mailbox)
{
  return store_caps(mailbox->store)->description;
}
