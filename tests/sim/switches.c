/* SPDX-License-Identifier: Apache-2.0 */
/* The table of switches and what each profile sets. */
#include "switches.h"

#include <string.h>

static const struct {
  const char *name;
  const char *help;
} table[SWITCH_COUNT] = {
    [SWITCH_EXCHANGE] = {"exchange", "Exchange habits (0: plain RFC 4918)"},
    [SWITCH_FORMS] = {"forms", "sign-in by the web page, no Basic"},
    [SWITCH_OWA2007] = {"owa2007", "2007 paths, headers and start page"},
    [SWITCH_PLUS_404] = {"plus-404",
                         "404 for URLs of items that hold '+'; 2: of new ones too (quirk 5)"},
    [SWITCH_CTRL_400] = {"ctrl-400", "400 for control characters in PROPPATCH (quirk 9)"},
    [SWITCH_CTRL_CHARS] = {"ctrl-chars", "a raw 0x01 in every subject sent (quirk 8)"},
    [SWITCH_DIGIT_NAMES] = {"digit-names", "element names begin with a digit (quirk 7)"},
    [SWITCH_RANDOM_CHUNKS] = {"random-chunks", "chunks of 1 to 200 bytes"},
    [SWITCH_DELETE_204] = {"delete-204", "DELETE answers 204, not 200 (quirk 38)"},
    [SWITCH_NO_TOTAL] = {"no-total", "Content-Range of a SEARCH without total"},
    [SWITCH_HREF_LOWER] = {"href-case", "lower-case hex digits in hrefs, other escapes (quirk 3)"},
    [SWITCH_INDEX] = {"index", "a full-text index: CONTAINS works"},
    [SWITCH_SIZE] = {"size", "sizes told: 0 too large, 1 too small, 2 exact (quirk 14)"},
    [SWITCH_QUOTA] = {"quota", "bytes a store may hold, else 507"},
    [SWITCH_QUOTA_500] = {"quota-500", "the quota shows as 500 (quirk 42)"},
    [SWITCH_NO_PERMANENT] = {"no-permanent", "no permanenturl at all"},
    [SWITCH_HREF_404] = {"href-404", "items answer 404 by href (quirk 6)"},
    [SWITCH_NO_BATCH] = {"no-batch", "batch methods answer 404 (quirk 41)"},
    [SWITCH_SHIFT_ROWS] = {"shift-rows", "after each SEARCH page an item arrives, N times"},
    [SWITCH_READ_ETAG] = {"read-etag", "the read flag changes the etag as well"},
    [SWITCH_PRIVATE_TIMEOUT] = {"private-timeout",
                                "forms: seconds until a private computer's idle session ends"},
    [SWITCH_PUBLIC_TIMEOUT] = {"public-timeout", "the same of a public computer; 0: never"},
    [SWITCH_CLOSE_AFTER] = {"close-after", "the connection closes after its N-th answer"},
    [SWITCH_PROP_FIRST] = {"prop-first", "prop before status, as RFC 2518 has it"},
    [SWITCH_PUT_406] = {"put-406", "PUT of a message answers 406 (quirk 32)"},
    [SWITCH_WEAK_ETAG] = {"weak-etag", "weak entity tags"},
    [SWITCH_NEED_LANGUAGE] = {"need-language", "401 without Accept-Language (quirk 19)"},
    [SWITCH_ROW_LIMIT] = {"row-limit", "most rows in one SEARCH answer"},
    [SWITCH_CREATION_TIES] = {"creation-ties", "all items claim the same creation date"},
    [SWITCH_ALIAS_404] = {"alias-404", "a mailbox answers to its address only (quirk 49)"},
    [SWITCH_DOUBLE_NAMES] = {"double-names",
                             "members of the inbox are below Inbox/, whatever its name (quirk 24)"},
    [SWITCH_NO_STATUS] = {"no-status", "with Brief: t, no status where it is 200 (quirk 10)"},
    [SWITCH_PERMANENT_404] = {"permanent-404", "items answer 404 by permanenturl (quirk 6)"},
    [SWITCH_FORBIDDEN_440] = {"forbidden-440",
                              "forms: 440 where there is no right, and the session ends; 2: and "
                              "it goes on; 0: 401 (quirk 15)"},
    [SWITCH_RENEW] = {"renew", "forms: each answer renews cadata, N uses behind is stale"},
    [SWITCH_WRONG] = {"wrong", "forms: a wrong password gives reason=2; 1: cookies good for 440; "
                               "2: reason=4; 3: 302 without cookies; 4: the page again (quirk 17)"},
    [SWITCH_LOCKED] = {"locked", "403 after the right password"},
    [SWITCH_ISA] = {"isa", "ISA in front: its own page and cookie, 302 instead of 440"},
    [SWITCH_OFFER] = {"offer", "of a 401: 1 also Negotiate, 2 also NTLM, 4 no Basic; or a sum"},
    [SWITCH_NEED_SSL] = {"need-ssl", "403 without Front-End-Https: on"},
    [SWITCH_EARLY_440] = {"early-440", "forms: a PUT is refused before its body is read"},
    [SWITCH_PUBLIC_401] = {"public-401", "a write to /public is done, and answered 401 (quirk 50)"},
};

gboolean switches_profile(Switches *switches, const char *profile)
{
  static const struct {
    const char *name;
    gboolean exchange, forms, owa2007;
  } profiles[] = {{"e2003", TRUE, FALSE, FALSE},
                  {"e2003-fba", TRUE, TRUE, FALSE},
                  {"e2007", TRUE, FALSE, TRUE},
                  {"e2007-fba", TRUE, TRUE, TRUE},
                  {"generic", FALSE, FALSE, FALSE}};
  for (gsize i = 0; i < G_N_ELEMENTS(profiles); i++) {
    if (strcmp(profile, profiles[i].name) == 0) {
      *switches = (Switches){0};
      switches->value[SWITCH_EXCHANGE] = profiles[i].exchange;
      switches->value[SWITCH_FORMS] = profiles[i].forms;
      switches->value[SWITCH_OWA2007] = profiles[i].owa2007;
      switches->value[SWITCH_PLUS_404] = profiles[i].owa2007;
      switches->value[SWITCH_CTRL_400] = profiles[i].owa2007;
      switches->value[SWITCH_FORBIDDEN_440] = profiles[i].forms;
      switches->value[SWITCH_PRIVATE_TIMEOUT] = 24 * 60 * 60;
      switches->value[SWITCH_PUBLIC_TIMEOUT] = 15 * 60;
      return TRUE;
    }
  }
  return FALSE;
}

gboolean switches_set(Switches *switches, const char *text)
{
  const char *equals = strchr(text, '=');
  gsize len = equals ? (gsize)(equals - text) : strlen(text);
  gint64 value = 1;
  if (equals && !g_ascii_string_to_signed(equals + 1, 10, 0, G_MAXINT64, &value, NULL)) {
    return FALSE;
  }
  for (int i = 0; i < SWITCH_COUNT; i++) {
    if (strlen(table[i].name) == len && strncmp(table[i].name, text, len) == 0) {
      switches->value[i] = value;
      return TRUE;
    }
  }
  return FALSE;
}

char *switches_help(void)
{
  GString *out = g_string_new("Switches (--switch NAME or NAME=NUMBER; 0 turns off):\n");
  for (int i = 0; i < SWITCH_COUNT; i++) {
    g_string_append_printf(out, "  %-14s %s\n", table[i].name, table[i].help);
  }
  return g_string_free(out, FALSE);
}
