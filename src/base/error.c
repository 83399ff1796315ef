/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the error type that travels through all layers; leaves errno for the kernel to fs/reply. */
#include "base/error.h"

#include <errno.h>

typedef struct {
  ErrorScope scope;
  gint64 retry_after_ms;
  gboolean maybe_applied;
} DetailPrivate;

static void error_private_init(DetailPrivate *detail)
{
  detail->scope = SCOPE_LOCAL;
  detail->retry_after_ms = -1;
  detail->maybe_applied = FALSE;
}

static void error_private_copy(const DetailPrivate *from, DetailPrivate *to)
{
  *to = *from;
}

static void error_private_clear(DetailPrivate *detail)
{
  (void)detail;
}

/* Defines error_quark() and error_get_private(). */
G_DEFINE_EXTENDED_ERROR(Detail, error)

static GError *error_new_va(int errnum, ErrorScope scope, const char *format, va_list args)
{
  GError *error = g_error_new_valist(XFS_ERROR, errnum, format, args);
  error_get_private(error)->scope = scope;
  return error;
}

GError *error_new(int errnum, ErrorScope scope, const char *format, ...)
{
  va_list args;
  va_start(args, format);
  GError *error = error_new_va(errnum, scope, format, args);
  va_end(args);
  return error;
}

gboolean error_set(GError **error, int errnum, ErrorScope scope, const char *format, ...)
{
  if (error) {
    va_list args;
    va_start(args, format);
    g_propagate_error(error, error_new_va(errnum, scope, format, args));
    va_end(args);
  }
  return FALSE;
}

static DetailPrivate *detail_of(const GError *error)
{
  return error && error->domain == XFS_ERROR ? error_get_private(error) : NULL;
}

int error_errno(const GError *error)
{
  if (!error)
    return 0;
  return error->domain == XFS_ERROR && error->code > 0 ? error->code : EIO;
}

ErrorScope error_scope(const GError *error)
{
  const DetailPrivate *detail = detail_of(error);
  return detail ? detail->scope : SCOPE_LOCAL;
}

gint64 error_retry_after_ms(const GError *error)
{
  const DetailPrivate *detail = detail_of(error);
  return detail ? detail->retry_after_ms : -1;
}

void error_set_retry_after_ms(GError *error, gint64 ms)
{
  DetailPrivate *detail = detail_of(error);
  if (detail)
    detail->retry_after_ms = ms;
}

gboolean error_maybe_applied(const GError *error)
{
  const DetailPrivate *detail = detail_of(error);
  return detail && detail->maybe_applied;
}

void error_set_maybe_applied(GError *error, gboolean maybe)
{
  DetailPrivate *detail = detail_of(error);
  if (detail)
    detail->maybe_applied = maybe;
}
