/* SPDX-License-Identifier: Apache-2.0 */
/* The habits of a server that a test may turn: one table, one value each. Profiles differ by the
 * defaults in it, so no code asks which profile runs. */
#pragma once

#include <glib.h>

typedef enum {
  SWITCH_EXCHANGE, /* Exchange habits as a whole; 0: a plain RFC 4918 server */
  SWITCH_FORMS,
  SWITCH_OWA2007,
  SWITCH_PLUS_404,
  SWITCH_CTRL_400,
  SWITCH_CTRL_CHARS,
  SWITCH_DIGIT_NAMES,
  SWITCH_RANDOM_CHUNKS,
  SWITCH_DELETE_204,
  SWITCH_NO_TOTAL,
  SWITCH_HREF_LOWER,
  SWITCH_INDEX,
  SWITCH_SIZE,
  SWITCH_QUOTA,
  SWITCH_QUOTA_500,
  SWITCH_NO_PERMANENT,
  SWITCH_HREF_404,
  SWITCH_NO_BATCH,
  SWITCH_SHIFT_ROWS,
  SWITCH_READ_ETAG,
  SWITCH_PRIVATE_TIMEOUT,
  SWITCH_PUBLIC_TIMEOUT,
  SWITCH_CLOSE_AFTER,
  SWITCH_PROP_FIRST,
  SWITCH_PUT_406,
  SWITCH_WEAK_ETAG,
  SWITCH_NEED_LANGUAGE,
  SWITCH_ROW_LIMIT,
  SWITCH_CREATION_TIES,
  SWITCH_ALIAS_404,
  SWITCH_PERMANENT_404,
  SWITCH_FORBIDDEN_440,
  SWITCH_DOUBLE_NAMES,
  SWITCH_NO_STATUS,
  SWITCH_RENEW,
  SWITCH_WRONG,
  SWITCH_LOCKED,
  SWITCH_ISA,
  SWITCH_OFFER,
  SWITCH_NEED_SSL,
  SWITCH_EARLY_440,
  SWITCH_PUBLIC_401,
  SWITCH_COUNT,
} SwitchId;

typedef struct {
  gint64 value[SWITCH_COUNT];
} Switches;

/* The defaults of a profile: e2003, e2003-fba, e2007, e2007-fba or generic. FALSE: no such one. */
gboolean switches_profile(Switches *switches, const char *profile);
/* "name" (1) or "name=number". FALSE: no such switch, or no number. */
gboolean switches_set(Switches *switches, const char *text);
/* A line of help per switch; free with g_free. */
char *switches_help(void);
