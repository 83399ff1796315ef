/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the memory a password lives in; leaves where passwords come from to cli/. */
#include "base/secret.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECRET_MAX 4096u /* one page holds it with its header left outside */

struct Secret {
  char *page; /* SECRET_MAX bytes, mapped alone: MADV_DONTDUMP works on whole pages */
};

static Secret *secret_new_empty(void)
{
  char *page = mmap(NULL, SECRET_MAX, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED)
    g_error("out of memory for a password");
  /* Both are best effort: an unprivileged user may have used up RLIMIT_MEMLOCK. */
  (void)mlock(page, SECRET_MAX);
  (void)madvise(page, SECRET_MAX, MADV_DONTDUMP);
  (void)madvise(page, SECRET_MAX, MADV_WIPEONFORK);
  Secret *secret = g_new0(Secret, 1);
  secret->page = page;
  return secret;
}

Secret *secret_new(const char *text, gsize len)
{
  Secret *secret = secret_new_empty();
  memcpy(secret->page, text, MIN(len, SECRET_MAX - 1));
  return secret;
}

void secret_free(Secret *secret)
{
  if (!secret)
    return;
  secret_wipe(secret->page, SECRET_MAX);
  (void)munmap(secret->page, SECRET_MAX);
  g_free(secret);
}

const char *secret_peek(const Secret *secret)
{
  return secret->page;
}

void secret_wipe(void *bytes, gsize len)
{
  explicit_bzero(bytes, len);
}

/* Fills PAGE with what FD gives up to its first line end; *RET is how much. */
static gboolean read_line(int fd, char *page, gsize *ret, GError **error)
{
  gsize have = 0;
  while (have < SECRET_MAX - 1 && !memchr(page, '\n', have)) {
    ssize_t got = read(fd, page + have, SECRET_MAX - 1 - have);
    if (got < 0 && errno == EINTR)
      continue;
    if (got < 0)
      return error_set(error, errno, SCOPE_LOCAL, "the password cannot be read: %s",
                       g_strerror(errno));
    if (got == 0)
      break;
    have += (gsize)got;
  }
  char *end = memchr(page, '\n', have);
  gsize len = end ? (gsize)(end - page) : have;
  if (len == SECRET_MAX - 1)
    return error_set(error, EINVAL, SCOPE_LOCAL,
                     "the password is too long: check what is on the first line");
  if (len > 0 && page[len - 1] == '\r')
    len--;
  if (len == 0)
    return error_set(error, EINVAL, SCOPE_LOCAL, "the password is empty: put it on the first line");
  *ret = len;
  return TRUE;
}

Secret *secret_read_fd(int fd, GError **error)
{
  Secret *secret = secret_new_empty();
  gsize len = 0;
  if (!read_line(fd, secret->page, &len, error)) {
    secret_free(secret);
    return NULL;
  }
  secret_wipe(secret->page + len, SECRET_MAX - len);
  return secret;
}

Secret *secret_read_file(const char *path, GError **error)
{
  Secret *secret = NULL;
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* it may be a fifo */
  if (fd < 0 || fstat(fd, &st) < 0) {
    error_set(error, errno, SCOPE_LOCAL,
              "the password file %s cannot be opened: %s: check its path", path, g_strerror(errno));
  } else if (!S_ISREG(st.st_mode)) {
    error_set(error, EACCES, SCOPE_LOCAL,
              "the password file %s is no regular file: put the password into one", path);
  } else if ((st.st_mode & 0077) != 0) {
    error_set(error, EACCES, SCOPE_LOCAL,
              "the password file %s can be read by others: run chmod 600 on it", path);
  } else if (st.st_uid != geteuid() && st.st_uid != 0) {
    error_set(error, EACCES, SCOPE_LOCAL,
              "the password file %s belongs to another user: use one of your own", path);
  } else {
    secret = secret_read_fd(fd, error);
  }
  if (fd >= 0)
    close(fd);
  return secret;
}
