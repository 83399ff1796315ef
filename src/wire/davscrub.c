/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the repair of documents that are not XML; leaves their meaning to multistatus. A small state
 * machine over '<', quotes and the three kinds of markup in which '<' and '>' mean nothing.
 */
#include "wire/davscrub.h"

#include "base/rule.h"

enum {
  IN_TEXT,
  AFTER_LESS,  /* behind '<' or '</': a name may begin */
  IN_NAME,     /* in an element's name: a ':' begins the local part */
  AFTER_COLON, /* behind the prefix of an element's name */
  IN_TAG,      /* attributes */
  IN_QUOTED,   /* in an attribute's value */
  AFTER_BANG,  /* behind "<!": comment, CDATA or DOCTYPE */
  IN_COMMENT,
  IN_CDATA,
  IN_PI,
  IN_REFERENCE, /* behind '&' in text; its bytes are held back */
  N_STATES
};

static gboolean is_control(guchar c)
{
  return (c < 0x20 && c != '\t' && c != '\n' && c != '\r') && RULE("dav-control-chars");
}

static int after_less(char c)
{
  if (c == '/')
    return AFTER_LESS;
  if (c == '!')
    return AFTER_BANG;
  return c == '?' ? IN_PI : c == '>' ? IN_TEXT : IN_NAME;
}

static int in_name(char c)
{
  if (c == ':')
    return AFTER_COLON;
  if (c == '>')
    return IN_TEXT;
  return g_ascii_isspace(c) || c == '/' ? IN_TAG : IN_NAME;
}

static int in_tag(DavScrub *scrub, char c)
{
  if (c == '"' || c == '\'') {
    scrub->quote = c;
    return IN_QUOTED;
  }
  return c == '>' ? IN_TEXT : IN_TAG;
}

/* "<!--" and "<![" are told apart by their next byte; a DOCTYPE is left to the parser to refuse. */
static int after_bang(char c)
{
  return c == '-' ? IN_COMMENT : c == '[' ? IN_CDATA : IN_TAG;
}

/* The end is a '>' behind two END bytes, the second of which is not the opening's own. */
static int in_raw(DavScrub *scrub, char c, char end)
{
  gboolean closed = c == '>' && scrub->last[0] == end && scrub->last[1] == end;
  scrub->last[0] = scrub->last[1];
  scrub->last[1] = c;
  return closed ? IN_TEXT : scrub->state;
}

static int next_state(DavScrub *scrub, char c)
{
  switch (scrub->state) {
  case AFTER_LESS:
    return after_less(c);
  case IN_NAME:
  case AFTER_COLON:
    return in_name(c);
  case IN_TAG:
    return in_tag(scrub, c);
  case IN_QUOTED:
    return c == scrub->quote ? IN_TAG : IN_QUOTED;
  case AFTER_BANG:
    scrub->last[0] = scrub->last[1] = 0;
    return after_bang(c);
  case IN_COMMENT:
    return in_raw(scrub, c, '-');
  case IN_CDATA:
    return in_raw(scrub, c, ']');
  case IN_PI:
    return c == '>' ? IN_TEXT : IN_PI;
  default:
    return c == '<' ? AFTER_LESS : c == '&' ? IN_REFERENCE : IN_TEXT;
  }
}

/* TRUE for "&#N;" and "&#xN;" of a control character that XML cannot hold. */
static gboolean is_control_reference(const char *text)
{
  if (text[1] != '#')
    return FALSE;
  gboolean hex = text[2] == 'x';
  guint64 code = g_ascii_strtoull(text + (hex ? 3 : 2), NULL, hex ? 16 : 10);
  return code <= 0x1F && is_control((guchar)code);
}

/* Ends the reference that is held back: passes it on, unless it is one that breaks the document. */
static void end_reference(DavScrub *scrub, gboolean whole, GByteArray *out)
{
  scrub->held[scrub->n_held] = '\0';
  if (!whole || !is_control_reference(scrub->held))
    g_byte_array_append(out, (const guint8 *)scrub->held, scrub->n_held);
  scrub->n_held = 0;
  scrub->state = IN_TEXT;
}

/* Takes C into the reference; FALSE when it is no part of one and still has to be looked at. */
static gboolean hold(DavScrub *scrub, char c, GByteArray *out)
{
  if (scrub->n_held == 0)
    scrub->held[scrub->n_held++] = '&';
  gboolean part = g_ascii_isalnum(c) || c == '#' || c == ';';
  if (part)
    scrub->held[scrub->n_held++] = c;
  if (!part || c == ';' || scrub->n_held == sizeof(scrub->held) - 1)
    end_reference(scrub, c == ';', out);
  return part;
}

/* TRUE when C changes nothing in STATE: most bytes of a long listing. */
static gboolean is_boring(int state, guchar c)
{
  if (c < 0x20)
    return FALSE;
  switch (state) {
  case IN_TEXT:
    return c != '<' && c != '&';
  case IN_NAME:
    return g_ascii_isalnum(c) || c == '-' || c == '_';
  case IN_TAG:
    return c != '>' && c != '"' && c != '\'';
  case IN_QUOTED:
    return c != '"' && c != '\'';
  default:
    return FALSE;
  }
}

static gpointer build_table(gpointer unused)
{
  (void)unused;
  static guint8 table[N_STATES][256];
  for (int state = 0; state < N_STATES; state++)
    for (int c = 0; c < 256; c++)
      table[state][c] = (guint8)is_boring(state, (guchar)c);
  return table;
}

void davscrub_feed(DavScrub *scrub, const char *bytes, gsize len, GByteArray *out)
{
  static GOnce once = G_ONCE_INIT;
  const guint8(*boring)[256] = g_once(&once, build_table, NULL);
  gsize kept = 0; /* bytes before this one are in OUT already, or left out */
  for (gsize i = 0; i < len; i++) {
    const guint8 *skip = boring[scrub->state];
    while (i < len && skip[(guchar)bytes[i]])
      i++;
    if (i == len)
      break;
    char c = bytes[i];
    if (scrub->state == IN_REFERENCE && hold(scrub, c, out)) {
      kept = i + 1;
      continue;
    }
    gboolean drop = (guchar)c < 0x20 && is_control((guchar)c);
    gboolean digit = (scrub->state == AFTER_LESS || scrub->state == AFTER_COLON) &&
                     g_ascii_isdigit(c) && RULE("dav-digit-names");
    if (!drop)
      scrub->state = next_state(scrub, c);
    drop = drop || scrub->state == IN_REFERENCE;
    if (drop || digit) {
      g_byte_array_append(out, (const guint8 *)bytes + kept, (guint)(i - kept));
      kept = drop ? i + 1 : i;
    }
    if (digit)
      g_byte_array_append(out, (const guint8 *)"_", 1);
  }
  g_byte_array_append(out, (const guint8 *)bytes + kept, (guint)(len - kept));
}

const char *davscrub_name(const char *name)
{
  return name[0] == '_' && g_ascii_isdigit(name[1]) ? name + 1 : name;
}
