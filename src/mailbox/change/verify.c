/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the question after a lost answer: is what the server has now what we sent? Leaves what to do
 * about it to the caller.
 */
#include "base/file.h"
#include "mailbox/change/change.h"

#include <errno.h>
#include <string.h>

/* A header that names the message stands in the first part of it. */
#define HEAD_MAX (64 * 1024)

/* What is below a message's header, without what a re-write may do to white space. */
typedef struct {
  GChecksum *sum;
  gboolean below, in_line; /* past the empty line; something stands in this line */
} Text;

typedef struct {
  int fd;
  gint64 size, offset;
  gboolean exact; /* compare bytes; else keep the head */
  GString *head;
  Text text;
} Comparison;

static void text_add(Text *text, const char *bytes, gsize len)
{
  for (gsize i = 0; i < len; i++) {
    char c = bytes[i];
    if (text->below && !g_ascii_isspace(c))
      g_checksum_update(text->sum, (const guchar *)&c, 1);
    else if (!text->below && c == '\n') {
      text->below = !text->in_line;
      text->in_line = FALSE;
    } else if (c != '\r')
      text->in_line = TRUE;
  }
}

static gboolean compare_begin(gint64 total, const Entry *now, gpointer user, GError **error)
{
  const Comparison *comparison = user;
  (void)now;
  if (comparison->exact && total >= 0 && total != comparison->size)
    return error_set(error, ESTALE, SCOPE_ITEM, "other bytes");
  return TRUE;
}

static gboolean compare_data(const void *bytes, gsize len, gpointer user, GError **error)
{
  Comparison *comparison = user;
  if (!comparison->exact) {
    text_add(&comparison->text, bytes, len);
    g_string_append_len(comparison->head, bytes,
                        (gssize)MIN(len, HEAD_MAX - MIN(HEAD_MAX, comparison->head->len)));
    return TRUE;
  }
  g_autofree char *ours = g_malloc(len);
  gssize got = file_pread_all(comparison->fd, ours, len, comparison->offset, error);
  if (got < 0)
    return FALSE;
  comparison->offset += (gint64)len;
  if ((gsize)got != len || memcmp(ours, bytes, len) != 0)
    return error_set(error, ESTALE, SCOPE_ITEM, "other bytes");
  return TRUE;
}

/* The Message-ID of the message whose first LEN bytes are HEAD, or NULL. */
static char *message_id(const char *head, gsize len)
{
  g_autofree char *text = g_strndup(head, len);
  for (char *line = text; line && *line && *line != '\n' && *line != '\r';) {
    if (g_ascii_strncasecmp(line, "message-id:", 11) == 0) {
      char *start = line + 11 + strspn(line + 11, " \t\r\n");
      return g_strndup(start, strcspn(start, " \t\r\n"));
    }
    line = strchr(line, '\n');
    line = line ? line + 1 : NULL;
  }
  return NULL;
}

static gboolean same_text(const Comparison *comparison)
{
  char piece[HEAD_MAX];
  Text ours = {.sum = g_checksum_new(G_CHECKSUM_SHA256)};
  gint64 at = 0;
  gssize got = 1;
  while (got > 0 && at < comparison->size) {
    gsize len = (gsize)MIN(comparison->size - at, (gint64)sizeof piece);
    got = file_pread_all(comparison->fd, piece, len, at, NULL);
    text_add(&ours, piece, (gsize)MAX(got, 0));
    at += MAX(got, 0);
  }
  gboolean same =
      at == comparison->size &&
      g_strcmp0(g_checksum_get_string(ours.sum), g_checksum_get_string(comparison->text.sum)) == 0;
  g_checksum_free(ours.sum);
  return same;
}

static gboolean same_message(const Comparison *comparison)
{
  g_autofree char *ours = g_malloc(HEAD_MAX);
  gssize got =
      file_pread_all(comparison->fd, ours, (gsize)MIN(comparison->size, (gint64)HEAD_MAX), 0, NULL);
  g_autofree char *our_id = got < 0 ? NULL : message_id(ours, (gsize)got);
  g_autofree char *their_id = message_id(comparison->head->str, comparison->head->len);
  return our_id && *our_id && g_strcmp0(our_id, their_id) == 0;
}

gboolean server_has(Mailbox *mailbox, const Caller *caller, const StoreRef *ref, const Entry *now,
                    int fd, gint64 size, gboolean replaced)
{
  g_autoptr(GError) error = NULL;
  Comparison comparison = {.fd = fd,
                           .size = size,
                           .exact = store_caps(mailbox->store)->bytes_stable ||
                                    now->size_kind == SIZE_EXACT,
                           .head = g_string_new(NULL),
                           .text.sum = g_checksum_new(G_CHECKSUM_SHA256)};
  const StoreSink sink = {compare_begin, compare_data, &comparison};
  StoreCall call;
  gboolean same = line_begin(mailbox, caller, CALL_DATA, &call, &error) &&
                  store_read_body(mailbox->store, &call, ref, 0, &sink, &error);
  if (same)
    same = comparison.exact ? comparison.offset == size
                            : same_message(&comparison) &&
                                  (!replaced || !RULE("verify-text") || same_text(&comparison));
  g_checksum_free(comparison.text.sum);
  g_string_free(comparison.head, TRUE);
  return same;
}

gboolean ref_below(Mailbox *mailbox, gint64 folder, const Entry *entry, StoreRef *out,
                   GError **error)
{
  if (!ref_make(mailbox, folder, NULL, out, error))
    return FALSE;
  g_ptr_array_add(out->path, g_bytes_ref(entry->id));
  return TRUE;
}
