/* SPDX-License-Identifier: Apache-2.0 */
/* Owns that a cache directory is private and one mount's alone; leaves what is in it to others. */
#include "cache/cachedir.h"

#include "base/error.h"
#include "base/file.h"
#include "base/rule.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define LOCK_WAIT_US (3 * G_USEC_PER_SEC)

static gboolean busy(int fd, const char *dir, GError **error)
{
  char text[32] = "";
  gssize len = file_pread_all(fd, text, sizeof text - 1, 0, NULL);
  long pid = len > 0 ? strtol(text, NULL, 10) : 0;
  if (pid > 0)
    return error_set(error, EBUSY, SCOPE_LOCAL,
                     "the cache directory %s is in use by process %ld: unmount that first, or name "
                     "another cache_dir",
                     dir, pid);
  return error_set(error, EBUSY, SCOPE_LOCAL,
                   "the cache directory %s is in use by another mount: name another cache_dir",
                   dir);
}

int cachedir_lock(const char *dir, GError **error)
{
  if (!file_make_private_dir(dir, error))
    return -1;
  g_autofree char *path = g_build_filename(dir, "lock", NULL);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) {
    int saved = errno;
    error_set(error, saved, SCOPE_LOCAL, "cannot open %s: %s", path, g_strerror(saved));
    return -1;
  }
  /* umount(2) returns before the daemon has ended: the next mount waits for it a little. */
  gint64 deadline = g_get_monotonic_time() + LOCK_WAIT_US;
  int locked = RULE("cachedir-lock") ? flock(fd, LOCK_EX | LOCK_NB) : 0;
  while (locked < 0 && errno == EWOULDBLOCK && g_get_monotonic_time() < deadline) {
    g_usleep(50 * 1000);
    locked = flock(fd, LOCK_EX | LOCK_NB);
  }
  if (locked < 0) {
    int saved = errno;
    if (saved == EWOULDBLOCK)
      busy(fd, dir, error);
    else
      error_set(error, saved, SCOPE_LOCAL, "cannot lock %s: %s", path, g_strerror(saved));
    close(fd);
    return -1;
  }
  /* Only for the message of who comes second: a full disk is no reason to fail. */
  if (ftruncate(fd, 0) == 0)
    dprintf(fd, "%ld\n", (long)getpid());
  return fd;
}

gboolean cachedir_was_used(const char *dir)
{
  g_autofree char *journal = g_build_filename(dir, "journal.db", NULL);
  g_autofree char *local = g_build_filename(dir, "local", NULL);
  return g_file_test(journal, G_FILE_TEST_EXISTS) || g_file_test(local, G_FILE_TEST_EXISTS);
}

/* Removes the files of the directory PATH, and the directory when that leaves it empty. */
static void empty_dir(const char *path)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name(dir));) {
    g_autofree char *file = g_build_filename(path, name, NULL);
    unlink(file);
  }
  rmdir(path);
}

void cachedir_forget_bodies(const char *dir)
{
  g_autofree char *bodies = g_build_filename(dir, "bodies", NULL);
  g_autoptr(GDir) list = g_dir_open(bodies, 0, NULL);
  for (const char *name; list && (name = g_dir_read_name(list));) {
    g_autofree char *sub = g_build_filename(bodies, name, NULL);
    empty_dir(sub);
  }
}
