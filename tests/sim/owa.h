/* SPDX-License-Identifier: Apache-2.0 */
/* The web pages that stand beside the WebDAV resources: Outlook Web Access, as far as a client that
 * asks for them by mistake, or to find its mailbox, meets it. */
#pragma once

#include "sim.h"

/* TRUE when the request was for a page, and the reply is filled. */
gboolean owa_page(Sim *sim, const Request *request, Reply *reply);
