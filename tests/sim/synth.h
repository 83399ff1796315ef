/* SPDX-License-Identifier: Apache-2.0 */
/* Synthetic messages: the same number always gives the same bytes, in every run and process.
 * Nothing is stored, so a folder of 100,000 costs little more than its names. */
#pragma once

#include "value.h"

/* The whole RFC 5322 message. */
GBytes *synth_message(guint index);
/* Its length in bytes, without the cost of making the body. */
guint64 synth_size(guint index);
/* The file name: unique by number, with a subject in it. Free with g_free. */
char *synth_name(guint index);
/* When it arrived, milliseconds since 1970. */
gint64 synth_received(guint index);

typedef enum {
  SYNTH_SUBJECT,
  SYNTH_FROM,
  SYNTH_FROM_NAME,
  SYNTH_FROM_EMAIL,
  SYNTH_TO,
  SYNTH_MESSAGE_ID
} SynthText;

/* One header's value. Replaces the content of out. */
void synth_text(guint index, SynthText what, GString *out);
