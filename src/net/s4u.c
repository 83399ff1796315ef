/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the two steps of constrained delegation. GSSAPI takes them, since libkrb5 shows no interface
 * for the first; the ticket that comes out is then one like any other.
 */
#include "net/s4u.h"

#include "base/error.h"
#include "base/secret.h"
#include "net/ticket_error.h"

#include <errno.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>
#include <string.h>

static OM_uint32 import_name(OM_uint32 *minor, const char *text, gss_name_t *ret)
{
  gss_buffer_desc buffer = {strlen(text), (void *)text};
  return gss_import_name(minor, &buffer, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, ret);
}

/* OWN becomes USER's in *RET (S4U2Self). */
static OM_uint32 become(OM_uint32 *minor, const Wallet *own, gss_name_t user, gss_cred_id_t *ret)
{
  gss_key_value_element_desc element = {"ccache", own->name};
  gss_key_value_set_desc store = {1, &element};
  gss_OID_set_desc kerberos = {1, (gss_OID)gss_mech_krb5};
  gss_cred_id_t service = GSS_C_NO_CREDENTIAL;
  OM_uint32 unused;
  OM_uint32 major = gss_acquire_cred_from(minor, GSS_C_NO_NAME, GSS_C_INDEFINITE, &kerberos,
                                          GSS_C_INITIATE, &store, &service, NULL, NULL);
  if (!GSS_ERROR(major))
    major = gss_acquire_cred_impersonate_name(minor, service, user, GSS_C_INDEFINITE, &kerberos,
                                              GSS_C_INITIATE, ret, NULL, NULL);
  gss_release_cred(&unused, &service);
  return major;
}

/* Lets ACTING get its ticket for SERVICE (S4U2Proxy); a token is made on the way, for nobody. */
static OM_uint32 fetch(OM_uint32 *minor, gss_cred_id_t acting, gss_name_t service)
{
  gss_ctx_id_t context = GSS_C_NO_CONTEXT;
  gss_buffer_desc token = GSS_C_EMPTY_BUFFER;
  OM_uint32 unused;
  OM_uint32 major = gss_init_sec_context(minor, acting, &context, service, (gss_OID)gss_mech_krb5,
                                         0, GSS_C_INDEFINITE, GSS_C_NO_CHANNEL_BINDINGS,
                                         GSS_C_NO_BUFFER, NULL, &token, NULL, NULL);
  if (token.value)
    secret_wipe(token.value, token.length);
  gss_release_buffer(&unused, &token);
  gss_delete_sec_context(&unused, &context, GSS_C_NO_BUFFER);
  return major;
}

/* An empty wallet of USER's. */
static Wallet *open_for(const char *user, GError **error)
{
  g_autoptr(Wallet) wallet = wallet_new(error);
  krb5_principal principal = NULL;
  if (!wallet)
    return NULL;
  krb5_error_code code = krb5_parse_name(wallet->context, user, &principal);
  if (code == 0)
    code = wallet_open(wallet, principal);
  krb5_free_principal(wallet->context, principal);
  if (code == 0)
    return g_steal_pointer(&wallet);
  g_propagate_error(error, ticket_error(wallet->context, code, user));
  return NULL;
}

Wallet *s4u_wallet(const Wallet *own, const char *user, const char *service, GError **error)
{
  gss_name_t whom = GSS_C_NO_NAME, where = GSS_C_NO_NAME;
  gss_cred_id_t acting = GSS_C_NO_CREDENTIAL;
  OM_uint32 minor = 0, unused;
  g_autoptr(Wallet) wallet = open_for(user, error);
  if (!wallet)
    return NULL;
  OM_uint32 major = import_name(&minor, user, &whom);
  if (!GSS_ERROR(major))
    major = import_name(&minor, service, &where);
  if (!GSS_ERROR(major))
    major = become(&minor, own, whom, &acting);
  if (!GSS_ERROR(major))
    major = fetch(&minor, acting, where);
  if (!GSS_ERROR(major))
    major = gss_krb5_copy_ccache(&minor, acting, wallet->cache);
  gss_release_cred(&unused, &acting);
  gss_release_name(&unused, &where);
  gss_release_name(&unused, &whom);
  if (!GSS_ERROR(major))
    return g_steal_pointer(&wallet);
  /* Of this mechanism the minor codes are libkrb5's own. */
  g_propagate_error(
      error, ticket_s4u_error(wallet->context, (krb5_error_code)minor, own->as, user, service));
  return NULL;
}
