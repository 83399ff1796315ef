/* SPDX-License-Identifier: Apache-2.0 */
/* What the options mean in a mount for many users (-o multiuser). Pure. */
#pragma once

#include "cli/opts.h"
#include "cli/source.h"

/*
 * Checks OPTIONS, in which multiuser is set, and fills in what that brings: sec=auto is
 * sec=negotiate, and ROOT's mount has allow_other. FALSE with a sentence: one that names a password
 * or a scheme that cannot tell users apart, allow_other missing, a source that is none.
 */
gboolean many_check(Options *options, gboolean root, GError **error);

/* The source of the user NAME: TEMPLATE with %u and %U filled in. As source_parse(). */
gboolean many_source(const char *template, const char *name, uid_t uid, Source *ret,
                     GError **error);
