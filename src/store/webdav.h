/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the back-end that speaks WebDAV: Exchange 2000-2007, or any RFC 4918 server. */
#pragma once

#include "net/http.h"
#include "store/store.h"

/*
 * A store rooted at PATH (percent-encoded, ends in '/') of the server behind CLIENT, which it takes
 * over. store_open() finds out whether that is Exchange. Does not block.
 */
Store *webdav_store_new(HttpClient *client, const char *path);
