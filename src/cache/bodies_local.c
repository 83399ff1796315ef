/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the bytes of local rows: files named by inode number that stay until they are dropped. */
#include "cache/bodies_private.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static char *local_path(const Bodies *bodies, gint64 ino)
{
  return g_strdup_printf("%s/%" G_GINT64_FORMAT, bodies->local_dir, ino);
}

/* TRUE when FD is the file PATH already: it was opened with bodies_local_open(). */
static gboolean is_file(int fd, const char *path)
{
  struct stat here, there;
  return fstat(fd, &here) == 0 && lstat(path, &there) == 0 && here.st_ino == there.st_ino &&
         here.st_dev == there.st_dev;
}

gboolean bodies_local_keep(Bodies *bodies, gint64 ino, int fd, gboolean durable, GError **error)
{
  g_autofree char *path = local_path(bodies, ino);
  if (!is_file(fd, path))
    return file_publish(fd, path, durable, error);
  if (!durable || fdatasync(fd) == 0)
    return TRUE;
  int saved = errno;
  return error_set(error, saved, SCOPE_LOCAL, "cannot sync %s: %s", path, g_strerror(saved));
}

int bodies_local_open(Bodies *bodies, gint64 ino, GError **error)
{
  g_autofree char *path = local_path(bodies, ino);
  int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) {
    int saved = errno;
    error_set(error, saved, SCOPE_LOCAL, "cannot open %s: %s", path, g_strerror(saved));
  }
  return fd;
}

void bodies_local_drop(Bodies *bodies, gint64 ino)
{
  g_autofree char *path = local_path(bodies, ino);
  if (unlink(path) < 0 && errno != ENOENT)
    log_debug("cache", "cannot remove %s: %s", path, g_strerror(errno));
}

GArray *bodies_local_list(Bodies *bodies)
{
  GArray *inos = g_array_new(FALSE, FALSE, sizeof(gint64));
  g_autoptr(GDir) dir = g_dir_open(bodies->local_dir, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    char *end;
    gint64 ino = g_ascii_strtoll(name, &end, 10);
    if (g_ascii_isdigit(*name) && *end == '\0' && ino > 0)
      g_array_append_val(inos, ino);
  }
  return inos;
}
