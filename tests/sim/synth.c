/* SPDX-License-Identifier: Apache-2.0 */
/* Makes message N from N alone: who, about what, when and how long come from a hash of N. */
#include "synth.h"

#include <string.h>

#define LINE "The quick brown fox reads message %07u, line %04u, and says nothing.\r\n"
#define LINE_BYTES 73

static const char *const people[] = {"Ann Archer",  "Bob Baker",  "Chris Cole",   "Dana Drew",
                                     "Erik Eklund", "Fay Fisher", "Gus Gonzales", "Hana Hori"};
static const char *const logins[] = {"ann", "bob", "chris", "dana", "erik", "fay", "gus", "hana"};
static const char *const topics[] = {"Budget",   "Lunch",  "Release plan", "Travel",
                                     "Contract", "Photos", "Minutes",      "Question"};

static guint mix(guint index)
{
  guint64 x = (guint64)index * 0x9E3779B97F4A7C15u;
  x ^= x >> 29;
  x *= 0xBF58476D1CE4E5B9u;
  return (guint)(x >> 33);
}

static guint line_count(guint index)
{
  return 4 + mix(index) % 40;
}

gint64 synth_received(guint index)
{
  return (G_GINT64_CONSTANT(1041379200) + (gint64)index * 61) * 1000; /* from 1 January 2003 on */
}

char *synth_name(guint index)
{
  return g_strdup_printf("%s %07u.EML", topics[mix(index) % G_N_ELEMENTS(topics)], index);
}

void synth_text(guint index, SynthText what, GString *out)
{
  guint who = mix(index + 77) % G_N_ELEMENTS(people);
  g_string_truncate(out, 0);
  switch (what) {
  case SYNTH_SUBJECT:
    g_string_append_printf(out, "%s %07u", topics[mix(index) % G_N_ELEMENTS(topics)], index);
    break;
  case SYNTH_FROM:
    g_string_append_printf(out, "%s <%s@contoso.com>", people[who], logins[who]);
    break;
  case SYNTH_FROM_NAME:
    g_string_append(out, people[who]);
    break;
  case SYNTH_FROM_EMAIL:
    g_string_append_printf(out, "%s@contoso.com", logins[who]);
    break;
  case SYNTH_TO:
    g_string_append(out, "Alice <alice@contoso.com>");
    break;
  case SYNTH_MESSAGE_ID:
    g_string_append_printf(out, "<synthetic-%07u@contoso.com>", index);
    break;
  }
}

static void append_head(GString *out, guint index)
{
  static const struct {
    const char *name;
    SynthText what;
  } fields[] = {{"From", SYNTH_FROM},
                {"To", SYNTH_TO},
                {"Subject", SYNTH_SUBJECT},
                {"Message-ID", SYNTH_MESSAGE_ID}};
  g_autoptr(GString) text = g_string_new(NULL);
  for (gsize i = 0; i < G_N_ELEMENTS(fields); i++) {
    synth_text(index, fields[i].what, text);
    g_string_append_printf(out, "%s: %s\r\n", fields[i].name, text->str);
  }
  g_string_append(out, "Date: ");
  value_append_http_date(out, synth_received(index));
  g_string_truncate(out, out->len - strlen("GMT"));
  g_string_append(out, "+0000\r\nMIME-Version: 1.0\r\n"
                       "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
}

GBytes *synth_message(guint index)
{
  GString *out = g_string_sized_new(4096);
  append_head(out, index);
  for (guint line = 0; line < line_count(index); line++) {
    g_string_append_printf(out, LINE, index % 10000000, line);
  }
  return g_string_free_to_bytes(out);
}

guint64 synth_size(guint index)
{
  g_autoptr(GString) head = g_string_sized_new(512);
  append_head(head, index);
  return head->len + (guint64)line_count(index) * LINE_BYTES;
}
