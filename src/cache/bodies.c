/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the body files: which are here, who uses them, which go. Leaves the choice to evict.c, the
 * finding at start to bodies_scan.c, and what a version is to the index.
 *
 * The files are the truth; the table in memory says what was found or published. Descriptors stay
 * good when a file's name goes, so a lease never waits for anybody.
 */
#include "cache/bodies_private.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cache/evict.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define TOUCH_EVERY                                                                                \
  ((gint64)60 * G_USEC_PER_SEC) /* how often a use is written down for the next mount */
#define ROOM_FOR_A_FILE (1 << 20)

char *body_path(const Bodies *bodies, gint64 ino, guint32 version)
{
  return g_strdup_printf("%s/%02x/%" G_GINT64_FORMAT "-%" G_GUINT32_FORMAT, bodies->bodies_dir,
                         (guint)(ino & 0xff), ino, version);
}

void body_add(Bodies *bodies, CachedBody *body)
{
  body->link.data = body;
  g_hash_table_insert(bodies->by_ino, &body->ino, body);
  g_queue_push_tail_link(&bodies->used, &body->link);
  bodies->bytes += body->size;
}

/* Forgets BODY; its file's name goes unless another took it over. */
static void body_remove(Bodies *bodies, CachedBody *body, gboolean unlink_file)
{
  g_autofree char *path = body_path(bodies, body->ino, body->version);
  if (unlink_file && unlink(path) < 0 && errno != ENOENT)
    log_debug("cache", "cannot remove %s: %s", path, g_strerror(errno));
  g_queue_unlink(&bodies->used, &body->link);
  bodies->bytes -= body->size;
  g_hash_table_remove(bodies->by_ino, &body->ino); /* frees it */
}

static CachedBody *body_find(Bodies *bodies, gint64 ino, guint32 version)
{
  CachedBody *body = g_hash_table_lookup(bodies->by_ino, &ino);
  return body && body->version == version ? body : NULL;
}

/* Evicts at least EXCESS bytes of what may go, oldest use first; TRUE when any went. */
static gboolean evict(Bodies *bodies, gint64 excess)
{
  guint n = bodies->used.length;
  if (excess <= 0 || n == 0)
    return FALSE;
  g_autoptr(GArray) candidates = g_array_sized_new(FALSE, FALSE, sizeof(EvictCandidate), n);
  g_autoptr(GArray) victims = g_array_sized_new(FALSE, FALSE, sizeof(guint), n);
  for (GList *link = bodies->used.head; link; link = link->next) {
    const CachedBody *body = link->data;
    EvictCandidate candidate = {body->size, body->leases > 0};
    g_array_append_val(candidates, candidate);
  }
  guint chosen = evict_choose((gpointer)candidates->data, n, excess, (gpointer)victims->data);
  GList *link = bodies->used.head;
  for (guint at = 0, i = 0; link && i < chosen; at++) {
    GList *next = link->next;
    if (g_array_index(victims, guint, i) == at) {
      body_remove(bodies, link->data, TRUE);
      i++;
    }
    link = next;
  }
  return chosen > 0;
}

int bodies_lease(Bodies *bodies, gint64 ino, guint32 version, gint64 *ret_size)
{
  int fd = -1;
  g_mutex_lock(&bodies->lock);
  CachedBody *body = body_find(bodies, ino, version);
  if (body) {
    g_autofree char *path = body_path(bodies, ino, version);
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat st;
    /* Gone, or not the file it was: somebody else was at it, and it is fetched again. */
    if (fd >= 0 && (fstat(fd, &st) < 0 || st.st_size != body->size)) {
      close(fd);
      fd = -1;
    }
    if (fd < 0)
      body_remove(bodies, body, TRUE);
  }
  if (fd >= 0) {
    body->leases++;
    *ret_size = body->size;
    g_queue_unlink(&bodies->used, &body->link);
    g_queue_push_tail_link(&bodies->used, &body->link);
    gint64 now = g_get_monotonic_time();
    if (now - body->touched >= TOUCH_EVERY) {
      body->touched = now;
      futimens(fd, NULL);
    }
  }
  g_mutex_unlock(&bodies->lock);
  return fd;
}

void bodies_release(Bodies *bodies, gint64 ino, guint32 version, int fd)
{
  g_mutex_lock(&bodies->lock);
  CachedBody *body = body_find(bodies, ino, version);
  if (body && body->leases > 0)
    body->leases--;
  /* What leases held above the bound may go now. */
  evict(bodies, evict_excess(bodies->bytes, bodies->max_bytes));
  g_mutex_unlock(&bodies->lock);
  close(fd);
}

gboolean bodies_have(Bodies *bodies, gint64 ino, guint32 version)
{
  g_mutex_lock(&bodies->lock);
  gboolean have = body_find(bodies, ino, version) != NULL;
  g_mutex_unlock(&bodies->lock);
  return have;
}

int bodies_new_file(Bodies *bodies, GError **error)
{
  g_autoptr(GError) first = NULL;
  int fd = file_open_unnamed(bodies->staging_dir, &first);
  if (fd < 0 && error_errno(first) == ENOSPC && bodies_make_room(bodies, ROOM_FOR_A_FILE))
    return file_open_unnamed(bodies->staging_dir, error);
  if (fd < 0)
    g_propagate_error(error, g_steal_pointer(&first));
  return fd;
}

/* What must go for the sake of the disk that FD is on. */
static gint64 shortage(int fd)
{
  struct statvfs disk;
  if (fstatvfs(fd, &disk) < 0)
    return 0;
  gint64 block = (gint64)disk.f_frsize;
  return evict_shortage((gint64)disk.f_bavail * block, (gint64)disk.f_blocks * block);
}

gboolean bodies_publish(Bodies *bodies, gint64 ino, guint32 version, int fd, gint64 size,
                        GError **error)
{
  /* One that does not fit would only push all others out and then go itself. */
  if (size > bodies->max_bytes)
    return error_set(error, EFBIG, SCOPE_LOCAL, "the file is larger than the cache (cache_size)");
  g_autofree char *path = body_path(bodies, ino, version);
  g_autofree char *dir = g_path_get_dirname(path);
  gboolean ok = FALSE;
  g_mutex_lock(&bodies->lock);
  if (mkdir(dir, 0700) < 0 && errno != EEXIST) {
    int saved = errno;
    error_set(error, saved, SCOPE_LOCAL, "cannot make %s: %s", dir, g_strerror(saved));
  } else {
    ok = file_publish(fd, path, FALSE, error);
  }
  if (ok) {
    CachedBody *old = g_hash_table_lookup(bodies->by_ino, &ino);
    guint leases = old && old->version == version ? old->leases : 0;
    if (old)
      body_remove(bodies, old, old->version != version);
    CachedBody *body = g_new0(CachedBody, 1);
    *body = (CachedBody){.ino = ino, .version = version, .size = size, .leases = leases + 1};
    body->touched = g_get_monotonic_time();
    body_add(bodies, body);
    evict(bodies, MAX(evict_excess(bodies->bytes, bodies->max_bytes), shortage(fd)));
    body->leases--;
  }
  g_mutex_unlock(&bodies->lock);
  return ok;
}

void bodies_drop(Bodies *bodies, gint64 ino)
{
  g_mutex_lock(&bodies->lock);
  CachedBody *body = g_hash_table_lookup(bodies->by_ino, &ino);
  if (body)
    body_remove(bodies, body, TRUE);
  g_mutex_unlock(&bodies->lock);
}

gboolean bodies_make_room(Bodies *bodies, gint64 len)
{
  g_mutex_lock(&bodies->lock);
  gboolean any = evict(bodies, len);
  g_mutex_unlock(&bodies->lock);
  return any;
}

void bodies_make_fit(Bodies *bodies)
{
  g_mutex_lock(&bodies->lock);
  evict(bodies, evict_excess(bodies->bytes, bodies->max_bytes));
  g_mutex_unlock(&bodies->lock);
}

void bodies_usage(Bodies *bodies, gint64 *ret_bytes, gint64 *ret_files)
{
  g_mutex_lock(&bodies->lock);
  *ret_bytes = bodies->bytes;
  *ret_files = bodies->used.length;
  g_mutex_unlock(&bodies->lock);
}
