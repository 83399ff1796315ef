/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every rule that a test claims to hold can be switched off by its name in a build with XFS_PROVE
 * (`-o break=ID`), so that `scripts/test --prove` can see the test turn red. In other builds RULE()
 * is the constant TRUE and costs nothing.
 */
#pragma once

#include <glib.h>

#ifdef XFS_PROVE
#define RULE(id) rule_holds(id)
#else
#define RULE(id) TRUE
#endif

/* FALSE when ID was switched off by rule_break(). Does not block; safe from any thread. */
gboolean rule_holds(const char *id);

/*
 * Switches the rules named in IDS (separated by ':') off. Call before any thread starts.
 * FALSE in builds that cannot do it.
 */
gboolean rule_break(const char *ids);
