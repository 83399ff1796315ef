/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the memory a password lives in; leaves where passwords come from to cli/. */
#include "base/secret.h"

#include "base/error.h"
#include "base/rule.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE ((gsize)4096) /* a larger real one only rounds the mapping up */

struct Secret {
  gatomicrefcount refs;
  char
      *pages; /* mapped alone, since MADV_DONTDUMP works on whole pages; a NUL is behind the text */
  gsize size, len;
};

static char *map_pages(gsize size)
{
  char *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED)
    g_error("out of memory for a password");
  /* All best effort: an unprivileged user may have used up RLIMIT_MEMLOCK. */
  (void)mlock(pages, size);
  if (RULE("secret-dontdump"))
    (void)madvise(pages, size, MADV_DONTDUMP);
  (void)madvise(pages, size, MADV_WIPEONFORK);
  return pages;
}

static void unmap_pages(char *pages, gsize size)
{
  secret_wipe(pages, size);
  (void)munmap(pages, size);
}

static void reserve(Secret *secret, gsize size)
{
  if (size <= secret->size)
    return;
  size = MAX(2 * secret->size, (size + PAGE - 1) / PAGE * PAGE);
  char *pages = map_pages(size);
  memcpy(pages, secret->pages, secret->len);
  unmap_pages(secret->pages, secret->size);
  secret->pages = pages;
  secret->size = size;
}

static Secret *secret_new_empty(void)
{
  Secret *secret = g_new0(Secret, 1);
  g_atomic_ref_count_init(&secret->refs);
  secret->size = PAGE;
  secret->pages = map_pages(PAGE);
  return secret;
}

Secret *secret_new(const char *text, gsize len)
{
  Secret *secret = secret_new_empty();
  secret_append(secret, text, len);
  return secret;
}

Secret *secret_ref(Secret *secret)
{
  g_atomic_ref_count_inc(&secret->refs);
  return secret;
}

void secret_free(Secret *secret)
{
  if (!secret || !g_atomic_ref_count_dec(&secret->refs))
    return;
  unmap_pages(secret->pages, secret->size);
  g_free(secret);
}

const char *secret_peek(const Secret *secret)
{
  return secret->pages;
}

void secret_append(Secret *secret, const char *text, gsize len)
{
  len = MIN(len, SECRET_WHOLE_MAX - secret->len);
  reserve(secret, secret->len + len + 1);
  memcpy(secret->pages + secret->len, text, len);
  secret->len += len;
}

gssize secret_take(Secret *secret, int fd)
{
  if (secret->len >= SECRET_WHOLE_MAX) {
    errno = EFBIG;
    return -1;
  }
  reserve(secret, secret->len + 2);
  gsize room = MIN(secret->size - 1, SECRET_WHOLE_MAX) - secret->len;
  ssize_t got = read(fd, secret->pages + secret->len, room);
  if (got > 0)
    secret->len += (gsize)got;
  return got;
}

void secret_wipe(void *bytes, gsize len)
{
  explicit_bzero(bytes, len);
}

gboolean secret_first_line(Secret *secret, const char *what, GError **error)
{
  char *text = secret->pages;
  char *end = memchr(text, '\n', secret->len);
  gsize len = end ? (gsize)(end - text) : secret->len;
  if (len > SECRET_LINE_MAX)
    return error_set(error, EINVAL, SCOPE_LOCAL,
                     "the %s is too long: check what is on the first line", what);
  if (memchr(text, '\0', len))
    return error_set(error, EINVAL, SCOPE_LOCAL,
                     "the %s is no text: check what is on the first line", what);
  if (len > 0 && text[len - 1] == '\r')
    len--;
  if (len == 0)
    return error_set(error, EINVAL, SCOPE_LOCAL, "the %s is empty: give one on the first line",
                     what);
  secret_wipe(text + len, secret->size - len);
  secret->len = len;
  return TRUE;
}

static gboolean failed_read(GError **error)
{
  return error_set(error, errno, SCOPE_LOCAL, "the password cannot be read: %s", g_strerror(errno));
}

Secret *secret_read_fd(int fd, GError **error)
{
  g_autoptr(Secret) secret = secret_new_empty();
  while (secret->len <= SECRET_LINE_MAX && !memchr(secret->pages, '\n', secret->len)) {
    gssize got = secret_take(secret, fd);
    if (got == 0)
      break;
    if (got < 0 && errno != EINTR) {
      failed_read(error);
      return NULL;
    }
  }
  return secret_first_line(secret, "password", error) ? g_steal_pointer(&secret) : NULL;
}

/* -1 unless nobody but this user and root can have read or written PATH. */
static int open_private(const char *path, const char *what, GError **error)
{
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* it may be a fifo */
  if (fd < 0 || fstat(fd, &st) < 0)
    error_set(error, errno, SCOPE_LOCAL, "the %s %s cannot be opened: %s: check its path", what,
              path, g_strerror(errno));
  else if (!S_ISREG(st.st_mode))
    error_set(error, EACCES, SCOPE_LOCAL, "the %s %s is no regular file: put the password into one",
              what, path);
  else if ((st.st_mode & 0077) != 0 && RULE("secret-private"))
    error_set(error, EACCES, SCOPE_LOCAL, "the %s %s can be read by others: run chmod 600 on it",
              what, path);
  else if (st.st_uid != geteuid() && st.st_uid != 0)
    error_set(error, EACCES, SCOPE_LOCAL, "the %s %s belongs to another user: use one of your own",
              what, path);
  else
    return fd;
  if (fd >= 0)
    close(fd);
  return -1;
}

Secret *secret_read_file(const char *path, GError **error)
{
  int fd = open_private(path, "password file", error);
  if (fd < 0)
    return NULL;
  Secret *secret = secret_read_fd(fd, error);
  close(fd);
  return secret;
}

Secret *secret_read_whole(const char *path, const char *what, GError **error)
{
  int fd = open_private(path, what, error);
  if (fd < 0)
    return NULL;
  g_autoptr(Secret) secret = secret_new_empty();
  gboolean good = FALSE;
  gssize got;
  do
    got = secret_take(secret, fd);
  while (got > 0 || (got < 0 && errno == EINTR));
  if (got < 0 && errno == EFBIG)
    error_set(error, EINVAL, SCOPE_LOCAL, "the %s %s is too large: check what it holds", what,
              path);
  else if (got < 0)
    failed_read(error);
  else if (memchr(secret->pages, '\0', secret->len))
    error_set(error, EINVAL, SCOPE_LOCAL, "the %s %s is no text: check what it holds", what, path);
  else
    good = TRUE;
  close(fd);
  return good ? g_steal_pointer(&secret) : NULL;
}
