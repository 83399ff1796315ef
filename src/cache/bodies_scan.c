/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the life of Bodies: what an earlier mount left is found again, and what a power cut may have
 * spoiled is thrown away. Bodies are not synced when they are published (that would cost a disk
 * seek each): instead a marker names the boot in which a mount runs, and is removed after a sync at
 * the end. Where the marker is of an earlier boot, what changed since it was made is not trusted.
 */
#include "cache/bodies_private.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rule.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOT_ID "/proc/sys/kernel/random/boot_id"

typedef struct {
  CachedBody *body;
  gint64 time; /* ns since 1970 of the last use */
} Found;

static gint64 ns_of(const struct timespec *time)
{
  return (gint64)time->tv_sec * 1000000000 + time->tv_nsec;
}

/* INO-VERSION and nothing else. */
static gboolean parse_name(const char *name, gint64 *ret_ino, guint32 *ret_version)
{
  char *end;
  errno = 0;
  gint64 ino = g_ascii_strtoll(name, &end, 10);
  if (!g_ascii_isdigit(*name) || *end != '-' || !g_ascii_isdigit(end[1]) || errno != 0 || ino <= 0)
    return FALSE;
  guint64 version = g_ascii_strtoull(end + 1, &end, 10);
  if (*end != '\0' || version > G_MAXUINT32)
    return FALSE;
  *ret_ino = ino;
  *ret_version = (guint32)version;
  return TRUE;
}

/* One name in bodies/XX: a body goes to FOUND, a stray goes. */
static void scan_file(Bodies *bodies, const char *dir, const char *name, gint64 spoiled,
                      GArray *found)
{
  gint64 ino = 0;
  guint32 version = 0;
  struct stat st;
  g_autofree char *path = g_build_filename(dir, name, NULL);
  gboolean good = parse_name(name, &ino, &version) && lstat(path, &st) == 0 &&
                  S_ISREG(st.st_mode) && ns_of(&st.st_ctim) < spoiled;
  g_autofree char *right = good ? body_path(bodies, ino, version) : NULL;
  if (!good || strcmp(right, path) != 0) {
    log_debug("cache", "%s is a stray: removed", path);
    unlink(path);
    return;
  }
  Found one = {g_new0(CachedBody, 1), ns_of(&st.st_mtim)};
  *one.body = (CachedBody){.ino = ino, .version = version, .size = st.st_size};
  g_array_append_val(found, one);
}

/* What a crash left between the making of a local file and its naming. */
static void remove_half_named(const char *path)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *half = g_build_filename(path, name, NULL);
    if (g_str_has_suffix(name, ".new"))
      unlink(half);
  }
}

static gint by_time(gconstpointer a, gconstpointer b)
{
  const Found *one = a, *two = b;
  return (one->time > two->time) - (one->time < two->time);
}

/* SPOILED: what changed since then (ns since 1970) may not be whole. */
static void scan(Bodies *bodies, gint64 spoiled)
{
  g_autoptr(GArray) found = g_array_new(FALSE, FALSE, sizeof(Found));
  for (guint i = 0; i <= 0xff; i++) {
    g_autofree char *path = g_strdup_printf("%s/%02x", bodies->bodies_dir, i);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
      scan_file(bodies, path, name, spoiled, found);
  }
  g_array_sort(found, by_time);
  for (guint i = 0; i < found->len; i++) {
    CachedBody *body = g_array_index(found, Found, i).body;
    CachedBody *older = g_hash_table_lookup(bodies->by_ino, &body->ino);
    if (older) { /* two versions: a crash came between the new name and the old one's end */
      g_autofree char *path = body_path(bodies, body->ino, MIN(older->version, body->version));
      unlink(path);
      older->size = older->version < body->version ? body->size : older->size;
      older->version = MAX(older->version, body->version);
      g_free(body);
    } else {
      body_add(bodies, body);
    }
  }
}

/* Puts the marker of this mount; answers since when bodies are not to be trusted. */
static gint64 swap_marker(Bodies *bodies)
{
  g_autofree char *path = g_build_filename(bodies->bodies_dir, "session", NULL);
  g_autofree char *boot = NULL;
  g_autofree char *held = NULL;
  struct stat st;
  gint64 spoiled = G_MAXINT64;
  gsize len = 0;
  g_file_get_contents(BOOT_ID, &boot, &len, NULL);
  gboolean left = lstat(path, &st) == 0 && g_file_get_contents(path, &held, NULL, NULL);
  if (left && g_strcmp0(held, boot) != 0 && RULE("bodies-power-cut"))
    spoiled = ns_of(&st.st_mtim);
  if (left && spoiled == G_MAXINT64)
    return spoiled; /* the same boot: the page cache has all of it; the marker's time still holds */
  unlink(path);
  int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0)
    return spoiled;
  if (boot && file_pwrite_all(fd, boot, len, 0, NULL))
    fsync(fd);
  close(fd);
  return spoiled;
}

static void remove_marker(Bodies *bodies)
{
  g_autofree char *path = g_build_filename(bodies->bodies_dir, "session", NULL);
  int fd = open(bodies->bodies_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return;
  if (syncfs(fd) == 0)
    unlink(path);
  close(fd);
}

Bodies *bodies_open(const char *dir, gint64 max_bytes, GError **error)
{
  g_autoptr(Bodies) bodies = g_new0(Bodies, 1);
  g_mutex_init(&bodies->lock);
  g_queue_init(&bodies->used);
  bodies->max_bytes = max_bytes;
  bodies->by_ino = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
  bodies->bodies_dir = g_build_filename(dir, "bodies", NULL);
  bodies->local_dir = g_build_filename(dir, "local", NULL);
  bodies->staging_dir = g_build_filename(dir, "staging", NULL);
  if (!file_make_private_dir(dir, error) || !file_make_private_dir(bodies->bodies_dir, error) ||
      !file_make_private_dir(bodies->local_dir, error) ||
      !file_make_private_dir(bodies->staging_dir, error))
    return NULL;
  remove_half_named(bodies->local_dir);
  scan(bodies, swap_marker(bodies));
  bodies->opened = TRUE;
  bodies_make_fit(bodies);
  return g_steal_pointer(&bodies);
}

void bodies_close(Bodies *bodies)
{
  if (!bodies)
    return;
  if (bodies->opened)
    remove_marker(bodies);
  g_hash_table_unref(bodies->by_ino);
  g_free(bodies->bodies_dir);
  g_free(bodies->local_dir);
  g_free(bodies->staging_dir);
  g_mutex_clear(&bodies->lock);
  g_free(bodies);
}
