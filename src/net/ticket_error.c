/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the sentences; leaves what was tried to ticket.c and negotiate.c. */
#include "net/ticket_error.h"

#include <errno.h>
#include <string.h>

#define CHALLENGE_MAX ((gsize)16 * 1024)
#define KRB_ERROR_TAG 0x7e /* [APPLICATION 30] */

typedef struct {
  krb5_error_code code;
  int errnum;
  const char *sentence; /* one %s at most: what the call was about */
} Meaning;

static const Meaning meanings[] = {
    {KRB5_FCC_NOFILE, EACCES, "there is no Kerberos ticket in %s: run kinit"},
    {KRB5_CC_NOTFOUND, EACCES, "there is no Kerberos ticket for %s: run kinit"},
    {KRB5_CC_FORMAT, EACCES, "%s is no Kerberos ticket cache: remove it, run kinit"},
    {KRB5_CCACHE_BADVNO, EACCES, "%s is no Kerberos ticket cache: remove it, run kinit"},
    {KRB5_CC_END, EACCES, "%s is no Kerberos ticket cache: remove it, run kinit"},
    {KRB5KRB_AP_ERR_TKT_EXPIRED, EACCES, "the Kerberos ticket for %s expired: run kinit"},
    {KRB5KRB_AP_ERR_SKEW, EACCES,
     "the clocks of this machine and of the KDC differ too much for %s: set the clock"},
    {KRB5_KDCREP_SKEW, EACCES,
     "the clocks of this machine and of the KDC differ too much for %s: set the clock"},
    {KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN, EACCES,
     "the KDC knows no service %s: name the server as the domain does, or have this name "
     "registered "
     "for it (setspn)"},
    {KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN, EACCES,
     "the KDC does not know who wants %s: check principal= and the keytab"},
    {KRB5KDC_ERR_CLIENT_REVOKED, EACCES,
     "the KDC answers that the account is locked (for %s): ask its administrator"},
    {KRB5KDC_ERR_PREAUTH_FAILED, EACCES,
     "the KDC refuses the key in %s: export the keytab again, the password was changed since"},
    {KRB5KRB_AP_ERR_BAD_INTEGRITY, EACCES,
     "the KDC refuses the key in %s: export the keytab again, the password was changed since"},
    {KRB5_KDC_UNREACH, EHOSTUNREACH, "no KDC answers (for %s): check the network and krb5.conf"},
    {KRB5_REALM_CANT_RESOLVE, EHOSTUNREACH,
     "the KDC's name cannot be resolved (for %s): check the network and krb5.conf"},
    {KRB5_REALM_UNKNOWN, EACCES,
     "no KDC is known for the realm of %s: name it in krb5.conf, or check the server's name"},
};

/* libkrb5's own words for CODE. */
static char *words(krb5_context context, krb5_error_code code)
{
  const char *text = krb5_get_error_message(context, code);
  char *copy = g_strdup(text);
  krb5_free_error_message(context, text);
  return copy;
}

GError *ticket_error(krb5_context context, krb5_error_code code, const char *what)
{
  for (gsize i = 0; i < G_N_ELEMENTS(meanings); i++)
    if (meanings[i].code == code) {
      g_autoptr(GString) text = g_string_new(meanings[i].sentence);
      g_string_replace(text, "%s", what, 1);
      ErrorScope scope = meanings[i].errnum == EACCES ? SCOPE_SIGN_IN : SCOPE_LINE;
      return error_new(meanings[i].errnum, scope, "%s", text->str);
    }
  g_autofree char *said = words(context, code);
  return error_new(EACCES, SCOPE_SIGN_IN, "Kerberos fails for %s (%s): check krb5.conf and klist",
                   what, said);
}

GError *ticket_keytab_error(krb5_context context, krb5_error_code code, const char *keytab,
                            const char *principal)
{
  if (code == KRB5_KT_NOTFOUND || code == KRB5_KT_END)
    return error_new(EACCES, SCOPE_SIGN_IN,
                     "the keytab %s holds no key of %s: see klist -k, correct principal=", keytab,
                     principal ? principal : "anybody");
  g_autofree char *said = words(context, code);
  return error_new(EACCES, SCOPE_SIGN_IN,
                   "the keytab %s cannot be used (%s): correct keytab=", keytab, said);
}

GError *ticket_s4u_error(krb5_context context, krb5_error_code code, const char *acts,
                         const char *user, const char *service)
{
  if (code == KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN)
    return error_new(EACCES, SCOPE_SIGN_IN, "the KDC knows no user %s: check the name", user);
  if (code == KRB5_KDC_UNREACH || code == KRB5_REALM_CANT_RESOLVE || code == KRB5KRB_AP_ERR_SKEW ||
      code == KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN)
    return ticket_error(context, code, service);
  g_autofree char *said = words(context, code);
  /* "HTTP/host@": the realm is left to the KDC. */
  g_autofree char *where = g_strdup(service);
  if (g_str_has_suffix(where, "@"))
    where[strlen(where) - 1] = 0;
  return error_new(EACCES, SCOPE_SIGN_IN,
                   "the KDC does not let %s act for %s towards %s (%s): allow it there (protocol "
                   "transition and constrained delegation)",
                   acts, user, where, said);
}

/* What a server means by an error of RFC 4120, section 7.5.9. */
static char *server_says(krb5_context context, krb5_error_code code)
{
  switch (code) {
  case KRB5KRB_AP_ERR_SKEW:
    return g_strdup("its clock and this machine's differ too much");
  case KRB5KRB_AP_ERR_MODIFIED:
  case KRB5KRB_AP_ERR_BAD_INTEGRITY:
  case KRB5KRB_AP_ERR_BADKEYVER:
  case KRB5KRB_AP_ERR_NOKEY:
    return g_strdup("it has not the key the ticket was made for: the service name belongs to "
                    "another account, or the key was changed");
  case KRB5KRB_AP_ERR_TKT_EXPIRED:
    return g_strdup("the ticket expired");
  default:
    return words(context, code);
  }
}

char *ticket_challenge_text(const char *challenge)
{
  static const char scheme[] = "Negotiate ";
  krb5_context context = NULL;
  char *text = NULL;
  gsize len = 0;
  if (g_ascii_strncasecmp(challenge, scheme, strlen(scheme)) != 0 ||
      strlen(challenge) > CHALLENGE_MAX || krb5_init_context(&context) != 0)
    return NULL;
  /* It is wrapped in one or two layers of GSSAPI or in none: its tag is looked for. */
  g_autofree guchar *bytes = g_base64_decode(challenge + strlen(scheme), &len);
  for (gsize i = 0; !text && i < len; i++) {
    krb5_error *said = NULL;
    krb5_data rest = {.length = (guint)(len - i), .data = (char *)bytes + i};
    if (bytes[i] != KRB_ERROR_TAG || krb5_rd_error(context, &rest, &said) != 0)
      continue;
    text = server_says(context, (krb5_error_code)said->error + ERROR_TABLE_BASE_krb5);
    krb5_free_error(context, said);
  }
  krb5_free_context(context);
  return text;
}
