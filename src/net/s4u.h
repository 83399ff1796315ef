/* SPDX-License-Identifier: Apache-2.0 */
/* Private to net/: a service that takes a user's part, as the KDC allows it (MS-SFU). */
#pragma once

#include "net/wallet.h"

/*
 * The ticket of USER for SERVICE ("HTTP/HOST@REALM"), got with OWN, the tickets of the service that
 * acts: S4U2Self, then S4U2Proxy. Asks the KDC. EACCES, SCOPE_SIGN_IN: not allowed there, no such
 * user; EHOSTUNREACH.
 */
Wallet *s4u_wallet(const Wallet *own, const char *user, const char *service, GError **error);
