/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of a mount for many users: what stands for the one who is served. Pure. */
#pragma once

#include <glib.h>
#include <sys/types.h>

/*
 * TEMPLATE with each %u replaced by NAME and each %U by UID in digits; any other '%' stays what it
 * is (a percent escape, one of libkrb5's %{...}). NULL gives NULL. The caller frees it.
 */
char *expand_user(const char *template, const char *name, uid_t uid);

/* The same for an address: NAME is percent-encoded, so that it is one path segment whatever it
 * holds. */
char *expand_user_url(const char *template, const char *name, uid_t uid);
