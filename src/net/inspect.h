/* SPDX-License-Identifier: Apache-2.0 */
/* What a person wants to know of a client's server and no request needs. */
#pragma once

#include "net/http.h"

/* NULL: not seen. Texts of a certificate are cut to size and printable. */
typedef struct {
  char *version, *cipher;
  char *subject, *issuer, *from, *until, *names;
} HttpTlsFacts;
void http_tls_facts_clear(HttpTlsFacts *facts);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(HttpTlsFacts, http_tls_facts_clear)

/*
 * Makes a connection of its own to the client's first server, by its options, and ends it after the
 * handshake: nothing is asked for. Blocks, for the connect limit at most. FALSE with the sentence
 * of the handshake that failed (EPROTO) or of the line (EHOSTUNREACH); the certificate's facts are
 * there all the same when one was seen.
 */
gboolean http_inspect_tls(HttpClient *client, HttpTlsFacts *out, GError **error);

/*
 * There is a Kerberos ticket (or keytab) that the client would use: *RET_AS is whose, to be freed.
 * FALSE with the reason; also when the client's schemes leave Kerberos out. Reads files.
 */
gboolean http_inspect_ticket(HttpClient *client, char **ret_as, GError **error);
