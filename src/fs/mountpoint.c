/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the look at a mountpoint before it is mounted on. A mount of ours whose daemon died is taken
 * away first: the kernel would stack the new one on the dead one.
 */
#include "fs/fs.h"

#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define OUR_TYPE "fuse.exchangefs"

/* The device ("0:57") of the topmost mount of ours on PATH, NULL when there is none. */
static char *find_our_mount(const char *path)
{
  g_autofree char *table = NULL;
  if (!g_file_get_contents("/proc/self/mountinfo", &table, NULL, NULL))
    return NULL;
  g_auto(GStrv) lines = g_strsplit(table, "\n", -1);
  char *device = NULL;
  for (char **line = lines; *line; line++) {
    /* id parent major:minor root mountpoint options [tags] - type source options (proc(5)) */
    g_auto(GStrv) fields = g_strsplit(*line, " ", -1);
    if (g_strv_length(fields) < 9)
      continue;
    g_autofree char *where = g_strcompress(fields[4]);
    if (strcmp(where, path) != 0)
      continue;
    const char *rest = strstr(*line, " - ");
    gboolean ours = rest && g_str_has_prefix(rest + 3, OUR_TYPE " ");
    g_free(device);
    device = ours ? g_strdup(fields[2]) : NULL;
  }
  return device;
}

static gboolean free_dead_mount(const char *path, const char *device, GError **error)
{
  log_info("fs", "the exchangefs mounted on %s is dead: removing it", path);
  const char *colon = strchr(device, ':');
  g_autofree char *abort_path =
      g_strdup_printf("/sys/fs/fuse/connections/%s/abort", colon ? colon + 1 : device);
  int fd = open(abort_path, O_WRONLY | O_CLOEXEC);
  if (fd >= 0) { /* best effort: its last thread may still hold the connection */
    ssize_t written = write(fd, "1", 1);
    (void)written;
    close(fd);
  }

  gboolean gone = FALSE;
  if (geteuid() == 0) {
    gone = umount2(path, MNT_DETACH) == 0;
  } else {
    const char *const argv[] = {"fusermount3", "-u", "-z", "--", path, NULL};
    int status = 0;
    gone = g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                        &status, NULL) &&
           status == 0;
  }
  if (gone)
    return TRUE;
  return error_set(error, EBUSY, SCOPE_LOCAL,
                   "a dead exchangefs is mounted on %s: remove it with umount -l %s", path, path);
}

static gboolean check_empty(const char *path, GError **error)
{
  GDir *dir = g_dir_open(path, 0, NULL);
  if (!dir)
    return error_set(error, EACCES, SCOPE_LOCAL,
                     "the mountpoint %s cannot be read: choose a directory of your own", path);
  gboolean empty = g_dir_read_name(dir) == NULL;
  g_dir_close(dir);
  if (empty)
    return TRUE;
  return error_set(error, ENOTEMPTY, SCOPE_LOCAL,
                   "the mountpoint %s is not empty: choose an empty directory, or give -o nonempty",
                   path);
}

static gboolean check_fuse(GError **error)
{
  if (access("/dev/fuse", F_OK) < 0)
    return error_set(error, ENODEV, SCOPE_LOCAL,
                     "there is no /dev/fuse: load the kernel module with modprobe fuse");
  g_autofree char *helper = geteuid() == 0 ? NULL : g_find_program_in_path("fusermount3");
  if (geteuid() != 0 && !helper)
    return error_set(error, ENOENT, SCOPE_LOCAL,
                     "fusermount3 is missing, without which only root can mount: install fuse3");
  return TRUE;
}

/* statfs(2) is what the kernel has no cached answer for, and our daemon answers it at once. */
static gboolean is_dead(const char *path)
{
  struct statvfs vfs;
  return statvfs(path, &vfs) < 0 && errno == ENOTCONN;
}

gboolean fs_check_mountpoint(const char *path, gboolean nonempty, GError **error)
{
  struct stat st;
  char *real = realpath(path, NULL);
  g_autofree char *where = g_strdup(real ? real : path);
  free(real);
  g_autofree char *device = find_our_mount(where);

  if (device && is_dead(where)) {
    if (!free_dead_mount(where, device, error))
      return FALSE;
    g_clear_pointer(&device, g_free);
  }
  int failed = stat(path, &st) < 0 ? errno : 0;
  if (failed == ENOENT)
    return error_set(error, ENOENT, SCOPE_LOCAL,
                     "the mountpoint %s is not there: make it with mkdir %s", path, path);
  if (failed == ENOTCONN)
    return error_set(error, ENOTCONN, SCOPE_LOCAL,
                     "a dead mount of another kind is on %s: remove it with umount -l %s", path,
                     path);
  if (failed)
    return error_set(error, failed, SCOPE_LOCAL, "the mountpoint %s cannot be used: %s", path,
                     g_strerror(failed));
  if (!S_ISDIR(st.st_mode))
    return error_set(error, ENOTDIR, SCOPE_LOCAL,
                     "the mountpoint %s is not a directory: name an empty directory", path);
  if (device)
    return error_set(error, EBUSY, SCOPE_LOCAL,
                     "an exchangefs is mounted on %s already: unmount it with umount %s", path,
                     path);
  return (nonempty || check_empty(path, error)) && check_fuse(error);
}
