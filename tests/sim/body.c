/* SPDX-License-Identifier: Apache-2.0 */
/* Item bytes and the spool that collects them. Files are unlinked from birth: nothing is left
 * behind, whatever happens to the process. */
#include "body.h"

#include "synth.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MEMORY_MAX (1024 * 1024)

struct Body {
  gint refs; /* atomic */
  guint64 size;
  GBytes *bytes;    /* or NULL */
  int fd;           /* or -1 */
  gint64 synthetic; /* or -1 */
};

static Body *body_new(guint64 size)
{
  Body *body = g_new0(Body, 1);
  body->refs = 1;
  body->size = size;
  body->fd = -1;
  body->synthetic = -1;
  return body;
}

Body *body_new_bytes(GBytes *bytes)
{
  Body *body = body_new(g_bytes_get_size(bytes));
  body->bytes = g_bytes_ref(bytes);
  return body;
}

Body *body_new_synthetic(guint index)
{
  Body *body = body_new(synth_size(index));
  body->synthetic = index;
  return body;
}

Body *body_ref(Body *body)
{
  g_atomic_int_inc(&body->refs);
  return body;
}

void body_unref(Body *body)
{
  if (!body || !g_atomic_int_dec_and_test(&body->refs)) {
    return;
  }
  g_clear_pointer(&body->bytes, g_bytes_unref);
  if (body->fd >= 0) {
    close(body->fd);
  }
  g_free(body);
}

guint64 body_size(const Body *body)
{
  return body->size;
}

gint64 body_synthetic_index(const Body *body)
{
  return body->synthetic;
}

int body_fd(const Body *body)
{
  return body->fd;
}

gssize body_read(const Body *body, guint64 offset, char *buffer, gsize len)
{
  if (offset >= body->size) {
    return 0;
  }
  len = (gsize)MIN(len, body->size - offset);
  if (body->fd >= 0) {
    gssize got;
    do {
      got = pread(body->fd, buffer, len, (off_t)offset);
    } while (got < 0 && errno == EINTR);
    return got;
  }
  g_autoptr(GBytes) bytes = body_bytes(body);
  memcpy(buffer, (const char *)g_bytes_get_data(bytes, NULL) + offset, len);
  return (gssize)len;
}

GBytes *body_bytes(const Body *body)
{
  if (body->bytes) {
    return g_bytes_ref(body->bytes);
  }
  if (body->synthetic >= 0) {
    return synth_message((guint)body->synthetic);
  }
  g_autoptr(GMappedFile) map = g_mapped_file_new_from_fd(body->fd, FALSE, NULL);
  return map ? g_mapped_file_get_bytes(map) : NULL;
}

GBytes *body_head(const Body *body, gsize limit)
{
  if (body->fd < 0) {
    g_autoptr(GBytes) all = body_bytes(body);
    return g_bytes_new_from_bytes(all, 0, MIN(limit, g_bytes_get_size(all)));
  }
  char *buffer = g_malloc(limit);
  gssize got = body_read(body, 0, buffer, limit);
  return g_bytes_new_take(buffer, (gsize)MAX(got, 0));
}

struct Spool {
  GByteArray *memory; /* NULL once there is a file */
  int fd;
  guint64 size;
};

Spool *spool_new(void)
{
  Spool *spool = g_new0(Spool, 1);
  spool->memory = g_byte_array_new();
  spool->fd = -1;
  return spool;
}

static gboolean write_all(int fd, const char *data, gsize len)
{
  while (len > 0) {
    gssize n = write(fd, data, len);
    if (n < 0 && errno == EINTR) {
      continue;
    }
    if (n <= 0) {
      return FALSE;
    }
    data += n;
    len -= (gsize)n;
  }
  return TRUE;
}

static int unlinked_file(void)
{
  int fd = open(g_get_tmp_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) {
    return fd;
  }
  g_autofree char *path = g_build_filename(g_get_tmp_dir(), "exchange-sim-XXXXXX", NULL);
  fd = g_mkstemp_full(path, O_RDWR | O_CLOEXEC, 0600);
  if (fd >= 0) {
    unlink(path);
  }
  return fd;
}

gboolean spool_append(Spool *spool, const char *data, gsize len)
{
  spool->size += len;
  if (spool->memory && spool->size <= MEMORY_MAX) {
    g_byte_array_append(spool->memory, (const guint8 *)data, (guint)len);
    return TRUE;
  }
  if (spool->memory) {
    spool->fd = unlinked_file();
    gboolean moved = spool->fd >= 0 &&
                     write_all(spool->fd, (const char *)spool->memory->data, spool->memory->len);
    g_byte_array_unref(g_steal_pointer(&spool->memory));
    if (!moved) {
      return FALSE;
    }
  }
  return spool->fd >= 0 && write_all(spool->fd, data, len);
}

guint64 spool_size(const Spool *spool)
{
  return spool->size;
}

Body *spool_finish(Spool *spool)
{
  Body *body = body_new(spool->size);
  if (spool->memory) {
    body->bytes = g_byte_array_free_to_bytes(g_steal_pointer(&spool->memory));
  } else {
    body->fd = spool->fd;
    spool->fd = -1;
  }
  spool_free(spool);
  return body;
}

void spool_free(Spool *spool)
{
  if (!spool) {
    return;
  }
  if (spool->memory) {
    g_byte_array_unref(spool->memory);
  }
  if (spool->fd >= 0) {
    close(spool->fd);
  }
  g_free(spool);
}
