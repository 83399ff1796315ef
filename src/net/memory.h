/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: the memory libcurl works in. Requests hold the password, in one form or another,
 * and libcurl frees them as they are; here what is freed is wiped first, and the strings that it
 * keeps as long as a connection stand where no core dump looks. So between requests a password is
 * in its Secret and, for NTLM, in such a string.
 */
#pragma once

/* Sets libcurl up with it. Once, before anything else of libcurl. */
void memory_init_curl(void);
