/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: the memory libcurl works in. Requests hold the password, in one form or another,
 * and libcurl frees them as they are; here what is freed is wiped first, so that between requests a
 * password is in its Secret and nowhere else.
 */
#pragma once

/* Sets libcurl up with it. Once, before anything else of libcurl. */
void memory_init_curl(void);
