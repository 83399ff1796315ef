/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what a Set-Cookie means; leaves which answers are listened to to session.c. */
#include "net/cookies.h"

#include "base/rule.h"
#include "base/secret.h"

#include <curl/curl.h>
#include <string.h>
#include <time.h>

#define COOKIES_MAX 32u
#define COOKIE_BYTES_MAX 4096u

struct Cookies {
  GPtrArray *pairs; /* char * "name=value", in the order they came */
};

static void wipe_pair(gpointer pair)
{
  secret_wipe(pair, strlen(pair));
  g_free(pair);
}

Cookies *cookies_new(void)
{
  Cookies *cookies = g_new0(Cookies, 1);
  cookies->pairs = g_ptr_array_new_with_free_func(wipe_pair);
  return cookies;
}

void cookies_free(Cookies *cookies)
{
  if (!cookies)
    return;
  g_ptr_array_unref(cookies->pairs);
  g_free(cookies);
}

/* The text of attribute NAME in what follows the pair, "" for one without a value, or NULL. */
static char *attribute(const char *rest, const char *name)
{
  gsize len = strlen(name);
  while ((rest = strchr(rest, ';'))) {
    rest += 1 + strspn(rest + 1, " \t");
    if (g_ascii_strncasecmp(rest, name, len) != 0 || !strchr("=; \t", rest[len]))
      continue;
    const char *value = rest + len + strspn(rest + len, "= \t");
    return g_strchomp(g_strndup(value, strcspn(value, ";")));
  }
  return NULL;
}

static gboolean has_control(const char *text, gsize len)
{
  for (gsize i = 0; i < len; i++)
    if (((guchar)text[i] < 0x20 || text[i] == 0x7f) && RULE("cookie-controls"))
      return TRUE;
  return FALSE;
}

static gboolean is_over(const char *rest)
{
  g_autofree char *age = attribute(rest, "max-age"), *date = attribute(rest, "expires");
  if (age)
    return g_ascii_strtoll(age, NULL, 10) <= 0;
  time_t until = date ? curl_getdate(date, NULL) : -1;
  return until >= 0 && until <= time(NULL);
}

static void forget(Cookies *cookies, const char *pair)
{
  gsize len = strcspn(pair, "=") + 1;
  for (guint i = 0; i < cookies->pairs->len; i++)
    if (strncmp(cookies->pairs->pdata[i], pair, len) == 0)
      g_ptr_array_remove_index(cookies->pairs, i--);
}

void cookies_learn(Cookies *cookies, const HttpResponse *response, gboolean safe)
{
  guint at = 0;
  for (const char *line; (line = http_response_next(response, "Set-Cookie", &at));) {
    gsize len = strcspn(line, ";");
    g_autofree char *secure = attribute(line, "secure");
    /* A lone CR would begin a header of its own for some (RFC 6265 section 5.2 drops controls). */
    if (len > COOKIE_BYTES_MAX || has_control(line, len) || !memchr(line, '=', len) ||
        line[0] == '=' || (secure && !safe))
      continue;
    char *pair = g_strchomp(g_strndup(line, len));
    forget(cookies, pair);
    if (is_over(line + len) || cookies->pairs->len >= COOKIES_MAX)
      wipe_pair(pair);
    else
      g_ptr_array_add(cookies->pairs, pair);
  }
}

char *cookies_line(const Cookies *cookies)
{
  if (cookies->pairs->len == 0)
    return NULL;
  gsize size = sizeof "Cookie: ";
  for (guint i = 0; i < cookies->pairs->len; i++)
    size += strlen(cookies->pairs->pdata[i]) + 2;
  char *line = g_malloc(size); /* not a GString: one that grows leaves copies behind */
  g_strlcpy(line, "Cookie: ", size);
  for (guint i = 0; i < cookies->pairs->len; i++) {
    if (i > 0)
      g_strlcat(line, "; ", size);
    g_strlcat(line, cookies->pairs->pdata[i], size);
  }
  return line;
}
