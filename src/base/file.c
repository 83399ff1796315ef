/* SPDX-License-Identifier: Apache-2.0 */
/* Owns how a file of the cache comes to be and is filled; leaves the layout to cache/. */
#include "base/file.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static gboolean disk_error(GError **error, const char *what, const char *path)
{
  int saved = errno;
  return error_set(error, saved, SCOPE_LOCAL, "%s %s: %s: see to the cache directory", what, path,
                   g_strerror(saved));
}

gboolean file_make_private_dir(const char *path, GError **error)
{
  struct stat st;
  if (g_mkdir_with_parents(path, 0700) < 0)
    return disk_error(error, "cannot make the directory", path);
  if (lstat(path, &st) < 0)
    return disk_error(error, "cannot look at", path);
  if (!S_ISDIR(st.st_mode))
    return error_set(error, ENOTDIR, SCOPE_LOCAL,
                     "%s is not a directory: name another cache directory", path);
  if (st.st_uid != geteuid())
    return error_set(error, EACCES, SCOPE_LOCAL,
                     "%s belongs to another user: name another cache directory", path);
  if ((st.st_mode & 07777) != 0700 && chmod(path, 0700) < 0)
    return disk_error(error, "cannot make private", path);
  return TRUE;
}

int file_open_unnamed(const char *dir, GError **error)
{
  int fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0)
    disk_error(error, "cannot make a file in", dir);
  return fd;
}

static gboolean sync_parent(const char *path, GError **error)
{
  g_autofree char *dir = g_path_get_dirname(path);
  int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  gboolean ok = fd >= 0 && fsync(fd) == 0;
  if (!ok)
    disk_error(error, "cannot sync", dir);
  if (fd >= 0)
    close(fd);
  return ok;
}

gboolean file_publish(int fd, const char *path, gboolean durable, GError **error)
{
  /* linkat(2) does not replace, so the name comes by way of a second one and rename(2). */
  g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", fd);
  g_autofree char *fresh = g_strdup_printf("%s.new", path);
  if (durable && fdatasync(fd) < 0)
    return disk_error(error, "cannot sync", path);
  if (unlink(fresh) < 0 && errno != ENOENT)
    return disk_error(error, "cannot remove", fresh);
  if (linkat(AT_FDCWD, self, AT_FDCWD, fresh, AT_SYMLINK_FOLLOW) < 0)
    return disk_error(error, "cannot name", fresh);
  if (rename(fresh, path) < 0)
    return disk_error(error, "cannot name", path);
  return !durable || sync_parent(path, error);
}

gboolean file_pwrite_all(int fd, const void *bytes, gsize len, goffset offset, GError **error)
{
  const char *from = bytes;
  while (len > 0) {
    ssize_t put = pwrite(fd, from, len, offset);
    if (put < 0 && errno == EINTR)
      continue;
    if (put < 0)
      return disk_error(error, "cannot write to", "the cache");
    from += put;
    len -= (gsize)put;
    offset += put;
  }
  return TRUE;
}

gssize file_pread_all(int fd, void *bytes, gsize len, goffset offset, GError **error)
{
  char *to = bytes;
  gsize have = 0;
  while (have < len) {
    ssize_t got = pread(fd, to + have, len - have, offset + (goffset)have);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0) {
      disk_error(error, "cannot read from", "the cache");
      return -1;
    }
    if (got == 0)
      break;
    have += (gsize)got;
  }
  return (gssize)have;
}

gboolean file_copy(int in, int out, goffset len, GError **error)
{
  loff_t from = 0, to = 0;
  while (from < len) {
    ssize_t moved = copy_file_range(in, &from, out, &to, (gsize)(len - from), 0);
    if (moved < 0 && errno == EINTR)
      continue;
    if (moved <= 0)
      break;
  }
  char buffer[64 * 1024];
  while (from < len) {
    gssize got =
        file_pread_all(in, buffer, (gsize)MIN((goffset)sizeof buffer, len - from), from, error);
    if (got < 0 || !file_pwrite_all(out, buffer, (gsize)got, from, error))
      return FALSE;
    if (got == 0)
      return error_set(error, EIO, SCOPE_LOCAL, "a cache file is shorter than it should be");
    from += got;
  }
  return TRUE;
}
