/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what file names look like and which are allowed; leaves how a server spells them to the
 * back-ends, and which name is taken to the index.
 */
#include "model/name.h"

#include "base/rule.h"

#include <errno.h>
#include <string.h>

#define SLASH_TOKEN "_xF8FF_"
#define TOKEN_LEN 7u

/* Where the extension of NAME begins (at its dot), or its end. A very long one is none. */
static gsize extension_at(const char *name, gsize len)
{
  const char *dot = memrchr(name, '.', len);
  gsize at = dot ? (gsize)(dot - name) : len;
  return at == 0 || len - at > NAME_MAX_BYTES / 2 ? len : at;
}

/* The longest whole characters of NAME (UTF-8, LEN bytes) that fit in MOST bytes. */
static gsize fit(const char *name, gsize len, gsize most)
{
  if (len <= most)
    return len;
  while (most > 0 && ((guchar)name[most] & 0xC0) == 0x80)
    most--;
  return most;
}

/* STEM, INSERT, EXTENSION of NAME, the stem cut so that all fit. */
static char *assemble(const char *name, gsize len, const char *insert)
{
  gsize dot = extension_at(name, len);
  gsize rest = strlen(insert) + (len - dot);
  GString *out = g_string_new_len(name, (gssize)fit(name, dot, NAME_MAX_BYTES - rest));
  g_string_append(out, insert);
  g_string_append_len(out, name + dot, (gssize)(len - dot));
  return g_string_free(out, FALSE);
}

char *name_to_visible(const char *name, gsize len)
{
  if (len == 0 || memchr(name, '\0', len))
    return NULL;
  if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.')))
    return NULL;

  g_autofree char *valid = g_utf8_make_valid(name, (gssize)len);
  g_autoptr(GString) shown = g_string_sized_new(len);
  for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
    gunichar c = g_utf8_get_char(at);
    if (c == '/' && RULE("name-slash"))
      g_string_append(shown, SLASH_TOKEN);
    else if (g_unichar_iscntrl(c) && RULE("name-control"))
      g_string_append(shown, "\uFFFD");
    else
      g_string_append_unichar(shown, c);
  }
  return shown->len > NAME_MAX_BYTES && RULE("name-long") ? assemble(shown->str, shown->len, "")
                                                          : g_strdup(shown->str);
}

char *name_twin(const char *name, guint n)
{
  char number[16];
  g_snprintf(number, sizeof number, " (%u)", n);
  return assemble(name, strlen(name), number);
}

/*
 * A token that Exchange turns into another character (protocol section 2.2), so that the file would
 * not come back under the name it was given. The slash's own token does: it is how '/' is shown.
 */
static gboolean has_token(const char *name)
{
  for (const char *at = strstr(name, "_x"); at; at = strstr(at + 1, "_x")) {
    gsize digits = strspn(at + 2, "0123456789abcdefABCDEF");
    if (digits == 4 && at[6] == '_' && strncmp(at, SLASH_TOKEN, TOKEN_LEN) != 0)
      return TRUE;
  }
  return FALSE;
}

int name_check_new(const char *name)
{
  if (!g_utf8_validate(name, -1, NULL))
    return RULE("name-utf8") ? EILSEQ : 0;
  if (name[0] == '\0' || !strcmp(name, ".") || !strcmp(name, "..") || strchr(name, '/'))
    return EINVAL;
  for (const char *at = name; *at; at = g_utf8_next_char(at))
    if (g_unichar_iscntrl(g_utf8_get_char(at)) && RULE("name-control"))
      return EINVAL;
  if (has_token(name) && RULE("name-token"))
    return EINVAL;
  return strlen(name) > NAME_MAX_BYTES ? ENAMETOOLONG : 0;
}

/* vim's swap files: .NAME.swp, .NAME.swo, ... */
static gboolean is_swap(const char *name, gsize len)
{
  return len > 5 && name[0] == '.' && strncmp(name + len - 4, ".sw", 3) == 0;
}

/*
 * rsync's .NAME.XXXXXX: six characters of mkstemp(3). Six small letters (.bashrc.backup) or six
 * digits (.notes.202411) are taken for a name somebody chose: to keep such a file from the server
 * would lose it, while the few temporary names that look like that merely cost a rename there.
 */
static gboolean is_rsync(const char *name, gsize len)
{
  if (len < 9 || name[0] != '.' || name[len - 7] != '.')
    return FALSE;
  guint lower = 0, digits = 0;
  for (const char *at = name + len - 6; *at; at++) {
    if (!g_ascii_isalnum(*at))
      return FALSE;
    lower += g_ascii_islower(*at) ? 1 : 0;
    digits += g_ascii_isdigit(*at) ? 1 : 0;
  }
  return lower < 6 && digits < 6;
}

gboolean name_is_local(const char *name)
{
  static const char *const whole[] = {"4913", ".DS_Store", "Thumbs.db", "desktop.ini", NULL};
  static const char *const starts[] = {".#", ".~lock", ".goutputstream-", "._"};
  if (!RULE("name-local"))
    return FALSE;
  if (g_strv_contains(whole, name))
    return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS(starts); i++)
    if (g_str_has_prefix(name, starts[i]))
      return TRUE;
  gsize len = strlen(name);
  return is_swap(name, len) || is_rsync(name, len);
}

gboolean name_is_refused(const char *name)
{
  return g_str_has_prefix(name, ".Trash") && RULE("name-trash");
}
