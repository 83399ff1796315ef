/* SPDX-License-Identifier: Apache-2.0 */
/* Owns the reading of netrc and of credentials files; leaves which file to credentials.c. */
#include "cli/credfile.h"

#include "base/rule.h"

#include <string.h>

#define BLANKS " \t\r\n"

typedef struct {
  const char *start;
  gsize len; /* without the quotes */
  gboolean quoted;
} Word;

/* The word at *AT, which moves behind it. FALSE at the end. */
static gboolean next_word(const char **at, Word *word)
{
  const char *p = *at + strspn(*at, BLANKS);
  if (!*p)
    return FALSE;
  word->quoted = *p == '"';
  if (!word->quoted) {
    word->start = p;
    word->len = strcspn(p, BLANKS);
    *at = p + word->len;
    return TRUE;
  }
  word->start = ++p;
  while (*p && *p != '"')
    p += *p == '\\' && p[1] ? 2 : 1;
  word->len = (gsize)(p - word->start);
  *at = *p ? p + 1 : p;
  return TRUE;
}

static gboolean is_word(const Word *word, const char *keyword)
{
  return !word->quoted && word->len == strlen(keyword) &&
         memcmp(word->start, keyword, word->len) == 0;
}

static Secret *value_of(const Word *word)
{
  if (!word->quoted)
    return secret_new(word->start, word->len);
  Secret *value = secret_new("", 0);
  for (gsize i = 0; i < word->len; i++) {
    if (word->start[i] == '\\' && i + 1 < word->len)
      i++;
    secret_append(value, word->start + i, 1);
  }
  return value;
}

/* The entry being read. */
typedef struct {
  gboolean for_host;
  Secret *login, *password;
} NetrcEntry;

static void clear_entry(NetrcEntry *entry)
{
  g_clear_pointer(&entry->login, secret_free);
  g_clear_pointer(&entry->password, secret_free);
  entry->for_host = FALSE;
}

static gboolean fits(const NetrcEntry *entry, const char *user)
{
  if (!entry->for_host || !entry->password)
    return FALSE;
  return !user || !entry->login || strcmp(secret_peek(entry->login), user) == 0;
}

static void take_value(const Word *word, Secret **to)
{
  secret_free(*to);
  *to = value_of(word);
}

/* Reads to the end of the entry that answers, or of TEXT. */
static void find_entry(const char *text, const char *host, const char *user, NetrcEntry *entry)
{
  Word word;
  while (next_word(&text, &word)) {
    gboolean machine = is_word(&word, "machine"), any = is_word(&word, "default");
    if ((machine || any) && fits(entry, user))
      return;
    if (any) {
      clear_entry(entry);
      entry->for_host = TRUE;
    } else if (machine && next_word(&text, &word)) {
      clear_entry(entry);
      g_autoptr(Secret) name = value_of(&word);
      entry->for_host = g_ascii_strcasecmp(secret_peek(name), host) == 0 || !RULE("netrc-host");
    } else if (is_word(&word, "login") && next_word(&text, &word)) {
      take_value(&word, &entry->login);
    } else if (is_word(&word, "password") && next_word(&text, &word)) {
      take_value(&word, &entry->password);
    } else if (is_word(&word, "account")) {
      next_word(&text, &word);
    } else if (is_word(&word, "macdef")) { /* ftp(1)'s: up to an empty line */
      const char *end = strstr(text, "\n\n");
      text = end ? end : text + strlen(text);
    } else if (!word.quoted && word.len > 0 && word.start[0] == '#') {
      text = word.start + strcspn(word.start, "\n");
    }
  }
  if (!fits(entry, user))
    clear_entry(entry);
}

gboolean credfile_netrc(const char *text, const char *host, const char *user, char **ret_user,
                        Secret **ret_password)
{
  NetrcEntry entry = {0};
  find_entry(text, host, user, &entry);
  gboolean found = entry.password != NULL;
  if (found) {
    *ret_user = entry.login ? g_strdup(secret_peek(entry.login)) : NULL;
    *ret_password = g_steal_pointer(&entry.password);
  }
  clear_entry(&entry);
  return found;
}

static gboolean is_key(const char *line, gsize len, const char *keys)
{
  g_auto(GStrv) names = g_strsplit(keys, " ", -1);
  for (char **name = names; *name; name++)
    if (strlen(*name) == len && g_ascii_strncasecmp(line, *name, len) == 0)
      return TRUE;
  return FALSE;
}

void credfile_lines(const char *text, char **ret_user, Secret **ret_password)
{
  g_autofree char *user = NULL, *domain = NULL;
  Secret *password = NULL;
  for (const char *line = text; *line;) {
    gsize len = strcspn(line, "\n"), end = len;
    if (end > 0 && line[end - 1] == '\r')
      end--;
    gsize blank = MIN(strspn(line, " \t"), end);
    const char *key = line + blank, *equals = memchr(key, '=', end - blank);
    if (equals && *key != '#') {
      gsize key_len = (gsize)(equals - key), value_len = (gsize)(line + end - equals) - 1;
      if (is_key(key, key_len, "user username")) {
        g_free(user);
        user = g_strndup(equals + 1, value_len);
      } else if (is_key(key, key_len, "domain dom")) {
        g_free(domain);
        domain = g_strndup(equals + 1, value_len);
      } else if (is_key(key, key_len, "password pass")) {
        secret_free(password);
        password = secret_new(equals + 1, value_len);
      }
    }
    line += len + (line[len] == '\n');
  }
  if (user && domain && *domain && !strpbrk(user, "\\@/"))
    *ret_user = g_strconcat(domain, "\\", user, NULL);
  else
    *ret_user = g_steal_pointer(&user);
  *ret_password = password;
}
