/* SPDX-License-Identifier: Apache-2.0 */
/* Private to net/: the wrapping of a Kerberos message for HTTP's Negotiate. Pure. */
#pragma once

#include <glib.h>

/*
 * The header line "Authorization: Negotiate BASE64" of the AP-REQ of LEN bytes: a GSSAPI token of
 * Kerberos (RFC 4121 section 4.1) in an SPNEGO NegTokenInit that offers nothing else (RFC 4178
 * section 4.2). NULL when it is longer than 60 KiB, which no server takes. The caller wipes and
 * frees it.
 */
char *spnego_line(const void *ap_req, gsize len);
