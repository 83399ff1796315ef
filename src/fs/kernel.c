/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what passes between libfuse and /dev/fuse, for the sake of two flags of the INIT answer that
 * libfuse 3.14 has no name for: FUSE_PARALLEL_DIROPS (else one lookup that waits for the server
 * blocks every other name in its directory) and FUSE_HANDLE_KILLPRIV_V2 (else each write asks for
 * security.capability first). Both are set only when this kernel offered them.
 *
 * INIT is the first request and is answered before another thread exists.
 */
#include "fs/private.h"

#include "base/rule.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define WANTED_FLAGS (FUSE_PARALLEL_DIROPS | FUSE_HANDLE_KILLPRIV_V2)

static ssize_t hook_read(int fd, void *bytes, size_t size, void *user)
{
  ssize_t got = read(fd, bytes, size);
  Fs *fs = user;
  if (G_UNLIKELY(fs->init_unique == 0) &&
      got >= (ssize_t)(sizeof(struct fuse_in_header) + 4 * sizeof(guint32))) {
    struct fuse_in_header header;
    struct fuse_init_in init = {0};
    memcpy(&header, bytes, sizeof header);
    if (header.opcode == FUSE_INIT) {
      memcpy(&init, (char *)bytes + sizeof header, MIN((gsize)got - sizeof header, sizeof init));
      fs->init_offered = init.flags;
      fs->init_unique = header.unique;
    }
  }
  return got;
}

static ssize_t hook_writev(int fd, struct iovec *iov, int count, void *user)
{
  Fs *fs = user;
  struct fuse_out_header header;
  if (G_UNLIKELY(fs->init_offered != 0) && count == 2 && iov[0].iov_len == sizeof header &&
      iov[1].iov_len >= offsetof(struct fuse_init_out, flags) + sizeof(guint32)) {
    memcpy(&header, iov[0].iov_base, sizeof header);
    if (header.unique == fs->init_unique && header.error == 0) {
      guint32 flags;
      char *at = (char *)iov[1].iov_base + offsetof(struct fuse_init_out, flags);
      memcpy(&flags, at, sizeof flags);
      if (RULE("fs-parallel-dirops"))
        flags |= fs->init_offered & WANTED_FLAGS;
      memcpy(at, &flags, sizeof flags);
      fs->init_offered = 0;
    }
  }
  return writev(fd, iov, count);
}

/* Requests are read, not spliced: their bytes are wanted in memory anyway. */
static ssize_t hook_splice_send(int in, off_t *in_offset, int out, off_t *out_offset, size_t len,
                                unsigned flags, void *user)
{
  (void)user;
  return splice(in, in_offset, out, out_offset, len, flags);
}

int kernel_hook(Fs *fs)
{
  static const struct fuse_custom_io io = {
      .read = hook_read, .writev = hook_writev, .splice_send = hook_splice_send};
  return fuse_session_custom_io(fs->session, &io, fuse_session_fd(fs->session));
}
