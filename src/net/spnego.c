/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the two layers of DER around an AP-REQ. */
#include "net/spnego.h"

#include "base/secret.h"

#include <string.h>

#define AP_REQ_MAX ((gsize)60 * 1024)

static const guint8 spnego[] = {0x06, 6, 0x2b, 6, 1, 5, 5, 2}; /* 1.3.6.1.5.5.2 */
static const guint8 kerberos[] = {0x06, 9,    0x2a, 0x86, 0x48, 0x86,
                                  0xf7, 0x12, 1,    2,    2}; /* RFC 4121 */
static const guint8 ap_req_id[] = {1, 0};

/* The size of an element with INNER bytes in it. */
static gsize element(gsize inner)
{
  return inner + (inner < 0x80 ? 2 : inner < 0x100 ? 3 : 4);
}

/* Writes the head of an element at AT; the place behind it. */
static guint8 *head(guint8 *at, guint8 tag, gsize inner)
{
  *at++ = tag;
  if (inner >= 0x80)
    *at++ = inner < 0x100 ? 0x81 : 0x82;
  if (inner >= 0x100)
    *at++ = (guint8)(inner >> 8);
  *at++ = (guint8)inner;
  return at;
}

static guint8 *put(guint8 *at, const void *bytes, gsize len)
{
  memcpy(at, bytes, len);
  return at + len;
}

static char *base64_line(const guint8 *token, gsize len)
{
  static const char name[] = "Authorization: Negotiate ";
  gint state = 0, save = 0;
  gsize at = strlen(name);
  char *line = g_malloc0(at + len / 3 * 4 + 8);
  memcpy(line, name, sizeof name);
  at += g_base64_encode_step(token, len, FALSE, line + at, &state, &save);
  g_base64_encode_close(FALSE, line + at, &state, &save);
  return line;
}

char *spnego_line(const void *ap_req, gsize len)
{
  if (len > AP_REQ_MAX)
    return NULL;
  gsize message = sizeof kerberos + sizeof ap_req_id + len;
  gsize octets = element(message), offered = element(element(sizeof kerberos));
  gsize init = offered + element(element(octets));
  gsize size = element(sizeof spnego + element(element(init)));
  guint8 *token = g_malloc(size);

  guint8 *at = head(token, 0x60, sizeof spnego + element(element(init)));
  at = put(at, spnego, sizeof spnego);
  at = head(at, 0xa0, element(init)); /* negTokenInit */
  at = head(at, 0x30, init);
  at = head(at, 0xa0, element(sizeof kerberos)); /* mechTypes */
  at = head(at, 0x30, sizeof kerberos);
  at = put(at, kerberos, sizeof kerberos);
  at = head(at, 0xa2, element(octets)); /* mechToken */
  at = head(at, 0x04, octets);
  at = head(at, 0x60, message);
  at = put(at, kerberos, sizeof kerberos);
  at = put(at, ap_req_id, sizeof ap_req_id);
  at = put(at, ap_req, len);
  g_assert(at == token + size);

  char *line = base64_line(token, size);
  secret_wipe(token, size);
  g_free(token);
  return line;
}
