/* SPDX-License-Identifier: Apache-2.0 */
/* Which options go together, whatever the command. Pure. */
#pragma once

#include "cli/opts.h"

/*
 * FALSE with a sentence when of OPTIONS one would be ignored, or lacks what it is about: nobody is
 * to believe in a pin, a ticket or a password that plays no part. What is in files is not looked
 * at, nor what a value may be.
 */
gboolean combine_check(const Options *options, GError **error);
