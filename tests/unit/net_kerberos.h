/* SPDX-License-Identifier: Apache-2.0 */
/* Tickets and keytabs without a KDC: they hold random bytes where only a server would look. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glib.h>
#include <krb5/krb5.h>
#include <string.h>

#define REALM "UNIT.TEST"

/* One element of DER: TAG, length, and the parts, NULL-terminated, which are taken over. */
static inline GByteArray *der(guint8 tag, ...)
{
  g_autoptr(GByteArray) inner = g_byte_array_new();
  va_list parts;
  va_start(parts, tag);
  for (GByteArray *part; (part = va_arg(parts, GByteArray *));) {
    g_byte_array_append(inner, part->data, part->len);
    g_byte_array_unref(part);
  }
  va_end(parts);
  guint8 head[] = {tag, 0x82, (guint8)(inner->len >> 8), (guint8)inner->len};
  GByteArray *all = g_byte_array_new();
  g_byte_array_append(all, head, sizeof head);
  return g_byte_array_append(all, inner->data, inner->len);
}

static inline GByteArray *raw(const void *bytes, gsize len)
{
  return g_byte_array_append(g_byte_array_new(), bytes, (guint)len);
}

static inline GByteArray *der_int(guint8 value)
{
  return raw((guint8[]){0x02, 1, value}, 3);
}

static inline GByteArray *der_text(const char *text)
{
  return der(0x1b, raw(text, strlen(text)), NULL);
}

/* A Ticket (RFC 4120 section 5.3) for FIRST/SECOND, encrypted with a key that nobody has. */
static inline GByteArray *make_ticket(const char *first, const char *second)
{
  guint8 noise[96];
  for (gsize i = 0; i < sizeof noise; i++)
    noise[i] = (guint8)g_random_int();
  GByteArray *name = der(0x30, der(0xa0, der_int(KRB5_NT_SRV_INST), NULL),
                         der(0xa1, der(0x30, der_text(first), der_text(second), NULL), NULL), NULL);
  GByteArray *sealed = der(0x30, der(0xa0, der_int(ENCTYPE_AES256_CTS_HMAC_SHA1_96), NULL),
                           der(0xa2, der(0x04, raw(noise, sizeof noise), NULL), NULL), NULL);
  return der(0x61,
             der(0x30, der(0xa0, der_int(5), NULL), der(0xa1, der_text(REALM), NULL),
                 der(0xa2, name, NULL), der(0xa3, sealed, NULL), NULL),
             NULL);
}

static inline krb5_keyblock make_key(guint8 bytes[32])
{
  for (gsize i = 0; i < 32; i++)
    bytes[i] = (guint8)g_random_int();
  return (krb5_keyblock){
      .enctype = ENCTYPE_AES256_CTS_HMAC_SHA1_96, .length = 32, .contents = bytes};
}

/* A cache file PATH of USER's with a ticket for "FIRST/SECOND" that ends in SECONDS; NULL: none. */
static inline void make_cache(const char *path, const char *user, const char *first,
                              const char *second, int seconds)
{
  krb5_context context;
  krb5_ccache cache;
  krb5_principal client;
  g_autofree char *name = g_strconcat("FILE:", path, NULL);
  assert_int_equal(krb5_init_context(&context), 0);
  assert_int_equal(krb5_parse_name(context, user, &client), 0);
  assert_int_equal(krb5_cc_resolve(context, name, &cache), 0);
  assert_int_equal(krb5_cc_initialize(context, cache, client), 0);
  if (first) {
    guint8 bytes[32];
    krb5_timestamp now = (krb5_timestamp)(g_get_real_time() / G_USEC_PER_SEC);
    g_autoptr(GByteArray) ticket = make_ticket(first, second);
    krb5_creds creds = {.client = client, .keyblock = make_key(bytes)};
    creds.times.authtime = creds.times.starttime = now - 7200;
    creds.times.endtime = now + seconds;
    creds.ticket_flags = TKT_FLG_INITIAL | TKT_FLG_FORWARDABLE;
    creds.ticket = (krb5_data){.length = ticket->len, .data = (char *)ticket->data};
    assert_int_equal(
        krb5_build_principal(context, &creds.server, strlen(REALM), REALM, first, second, NULL), 0);
    assert_int_equal(krb5_cc_store_cred(context, cache, &creds), 0);
    krb5_free_principal(context, creds.server);
  }
  krb5_cc_close(context, cache);
  krb5_free_principal(context, client);
  krb5_free_context(context);
}

/* A keytab file PATH with a key of PRINCIPAL's. */
static inline void make_keytab(const char *path, const char *principal)
{
  guint8 bytes[32];
  krb5_context context;
  krb5_keytab keytab;
  krb5_keytab_entry entry = {.vno = 1, .key = make_key(bytes)};
  g_autofree char *name = g_strconcat("WRFILE:", path, NULL);
  assert_int_equal(krb5_init_context(&context), 0);
  assert_int_equal(krb5_parse_name(context, principal, &entry.principal), 0);
  assert_int_equal(krb5_kt_resolve(context, name, &keytab), 0);
  assert_int_equal(krb5_kt_add_entry(context, keytab, &entry), 0);
  krb5_kt_close(context, keytab);
  krb5_free_principal(context, entry.principal);
  krb5_free_context(context);
}

/* "Negotiate BASE64" with the error CODE of RFC 4120, as a server answers a token. */
static inline char *make_challenge(guint code)
{
  krb5_context context;
  krb5_data encoded;
  krb5_error said = {.error = code};
  assert_int_equal(krb5_init_context(&context), 0);
  assert_int_equal(krb5_parse_name(context, "HTTP/localhost@" REALM, &said.server), 0);
  assert_int_equal(krb5_mk_error(context, &said, &encoded), 0);
  /* As GSSAPI wraps it: mechanism, token id. */
  static const char wrap[] = "\x60\x7f\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02\x03\x00";
  g_autoptr(GByteArray) token = raw(wrap, sizeof wrap - 1);
  g_byte_array_append(token, (const guint8 *)encoded.data, encoded.length);
  g_autofree char *text = g_base64_encode(token->data, token->len);
  krb5_free_data_contents(context, &encoded);
  krb5_free_principal(context, said.server);
  krb5_free_context(context);
  return g_strconcat("Negotiate ", text, NULL);
}
