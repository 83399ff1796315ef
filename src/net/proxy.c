/* SPDX-License-Identifier: Apache-2.0 */
/* Owns what is said to a proxy, and of it; leaves TLS with it to tls.c. */
#include "net/proxy.h"

#include "base/error.h"
#include "base/rule.h"
#include "net/config.h"

#include <errno.h>
#include <string.h>

struct Proxy {
  char *url;                /* NULL: none was named */
  char *user;               /* NULL: no sign-in */
  Secret *password, *basic; /* the header line made of user and password */
  struct curl_slist line;   /* lends `basic` to libcurl */
  gboolean elsewhere;
};

static gboolean is_https(const char *url)
{
  return g_ascii_strncasecmp(url, "https:", 6) == 0;
}

/* TRUE when URL has the part WHAT and that is not UNLESS. */
static gboolean has_part(CURLU *url, CURLUPart what, const char *unless)
{
  char *part = NULL;
  gboolean has = curl_url_get(url, what, &part, 0) == CURLUE_OK && part &&
                 !(unless && strcmp(part, unless) == 0);
  curl_free(part);
  return has;
}

/* Reads TEXT with libcurl's own parser; *RET: whether it is this machine. */
static gboolean check_url(const char *text, gboolean *ret, GError **error)
{
  char *host = NULL;
  CURLU *url = curl_url();
  gboolean known = g_ascii_strncasecmp(text, "http://", 7) == 0 || is_https(text);
  gboolean good = known && curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK &&
                  curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK;
  if (!good)
    error_set(error, EINVAL, SCOPE_LOCAL,
              "proxy= is not http://HOST:PORT or https://HOST:PORT: correct it");
  else if (RULE("proxy-userinfo") && (strchr(text, '@') || has_part(url, CURLUPART_USER, NULL) ||
                                      has_part(url, CURLUPART_PASSWORD, NULL)))
    good = error_set(error, EINVAL, SCOPE_LOCAL,
                     "proxy= holds a user or password: name the user with proxy_user=, the file of "
                     "the password with proxy_passwd_file=");
  else if (has_part(url, CURLUPART_PATH, "/") || has_part(url, CURLUPART_QUERY, NULL) ||
           has_part(url, CURLUPART_FRAGMENT, NULL))
    good = error_set(error, EINVAL, SCOPE_LOCAL,
                     "proxy= holds more than http://HOST:PORT: leave the rest out");
  if (good)
    *ret = config_is_loopback(host);
  curl_free(host);
  curl_url_cleanup(url);
  return good;
}

/* "Proxy-Authorization: Basic ...", of which no part is ever in ordinary memory but this frame. */
static Secret *make_basic(const char *user, const Secret *password)
{
  static const char head[] = "Proxy-Authorization: Basic ";
  const char *parts[] = {user, ":", password ? secret_peek(password) : ""};
  Secret *line = secret_new(head, strlen(head));
  char piece[64];
  gint state = 0, save = 0;
  for (gsize i = 0; i < G_N_ELEMENTS(parts); i++)
    for (const char *at = parts[i]; *at;) {
      gsize take = MIN(strlen(at), 24);
      gsize len = g_base64_encode_step((const guchar *)at, take, FALSE, piece, &state, &save);
      secret_append(line, piece, len);
      at += take;
    }
  secret_append(line, piece, g_base64_encode_close(FALSE, piece, &state, &save));
  secret_wipe(piece, sizeof piece);
  return line;
}

/* No line end may get into a header, and no ':' into the name. */
static gboolean check_user(const HttpProxy *options, GError **error)
{
  const char *password = options->password ? secret_peek(options->password) : "";
  for (const char *at = options->user; *at; at++)
    if ((guchar)*at < 0x20 || *at == 0x7f || *at == ':')
      return error_set(error, EINVAL, SCOPE_LOCAL,
                       "proxy_user= holds a ':' or a control character, which cannot be sent: "
                       "correct it");
  if (strlen(options->user) + strlen(password) > SECRET_LINE_MAX)
    return error_set(error, EINVAL, SCOPE_LOCAL,
                     "the proxy's user name and password are too long: check proxy_passwd_file=");
  return TRUE;
}

Proxy *proxy_new(const HttpProxy *options, GError **error)
{
  gboolean loopback = FALSE;
  if (!options->url && options->user) {
    error_set(error, EINVAL, SCOPE_LOCAL, "proxy_user= without a proxy: name it with proxy=");
    return NULL;
  }
  if ((options->url && !check_url(options->url, &loopback, error)) ||
      (options->user && !check_user(options, error)))
    return NULL;
  Proxy *proxy = g_new0(Proxy, 1);
  proxy->url = g_strdup(options->url);
  proxy->user = g_strdup(options->user);
  proxy->elsewhere = options->url && !loopback && RULE("proxy-elsewhere");
  if (options->user) {
    proxy->password = options->password ? secret_ref(options->password) : secret_new("", 0);
    proxy->basic = make_basic(options->user, options->password);
    proxy->line.data = (char *)secret_peek(proxy->basic); /* libcurl only reads it */
  }
  return proxy;
}

void proxy_free(Proxy *proxy)
{
  if (!proxy)
    return;
  g_free(proxy->url);
  g_free(proxy->user);
  secret_free(proxy->password);
  secret_free(proxy->basic);
  g_free(proxy);
}

const char *proxy_tls_url(const Proxy *proxy)
{
  return proxy->url && is_https(proxy->url) ? proxy->url : NULL;
}

gboolean proxy_is_elsewhere(const Proxy *proxy)
{
  return proxy->elsewhere;
}

void proxy_apply(const Proxy *proxy, CURL *easy, const char *origin, gboolean loopback)
{
  /* What is for the server is not for the proxy, and the proxy's answer is not the server's. */
  curl_easy_setopt(easy, CURLOPT_HEADEROPT,
                   (long)(RULE("proxy-separate") ? CURLHEADER_SEPARATE : CURLHEADER_UNIFIED));
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  if (!proxy->url) {
    if (loopback && RULE("proxy-loopback"))
      curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    return;
  }
  curl_easy_setopt(easy, CURLOPT_PROXY, proxy->url);
  curl_easy_setopt(easy, CURLOPT_NOPROXY, ""); /* whoever names one means it for all */
  if (!proxy->user)
    return;
  if (is_https(origin)) {
    curl_easy_setopt(easy, CURLOPT_PROXYUSERNAME, proxy->user);
    curl_easy_setopt(easy, CURLOPT_PROXYPASSWORD, secret_peek(proxy->password));
    curl_easy_setopt(easy, CURLOPT_PROXYAUTH,
                     (long)(CURLAUTH_BASIC | CURLAUTH_DIGEST | CURLAUTH_NTLM));
  } else if (RULE("proxy-at-once")) {
    curl_easy_setopt(easy, CURLOPT_PROXYHEADER, &proxy->line);
  }
}

static const char *proxy_name(const Proxy *proxy)
{
  return proxy->url ? proxy->url : "that http_proxy or https_proxy names";
}

/* What the proxy takes, of the kinds there are: its own words are not repeated. */
static char *offered_names(CURL *easy)
{
  static const struct {
    unsigned long bit;
    const char *name;
  } kinds[] = {{CURLAUTH_NEGOTIATE, "Negotiate"},
               {CURLAUTH_NTLM, "NTLM"},
               {CURLAUTH_DIGEST, "Digest"},
               {CURLAUTH_BASIC, "Basic"}};
  GString *out = g_string_new(NULL);
  long offered = 0;
  curl_easy_getinfo(easy, CURLINFO_PROXYAUTH_AVAIL, &offered);
  for (gsize i = 0; i < G_N_ELEMENTS(kinds); i++)
    if ((unsigned long)offered & kinds[i].bit)
      g_string_append_printf(out, "%s%s", out->len ? ", " : "", kinds[i].name);
  if (out->len == 0)
    g_string_append(out, "nothing known here");
  return g_string_free(out, FALSE);
}

GError *proxy_refusal(const Proxy *proxy, CURL *easy, const char *origin)
{
  long offered = 0;
  curl_easy_getinfo(easy, CURLINFO_PROXYAUTH_AVAIL, &offered);
  gulong usable =
      is_https(origin) ? CURLAUTH_BASIC | CURLAUTH_DIGEST | CURLAUTH_NTLM : CURLAUTH_BASIC;
  g_autofree char *names = offered_names(easy);
  const char *next_step = "correct proxy_user= and the password in proxy_passwd_file=";
  if (!((gulong)offered & usable))
    next_step = "ask its operator for a way in by Basic, or go by another proxy";
  else if (!proxy->user)
    next_step = "name a user with proxy= and proxy_user=, the password with proxy_passwd_file=";
  return error_new(EACCES, SCOPE_SIGN_IN, "%s: the proxy %s %s (it offers %s): %s", origin,
                   proxy_name(proxy),
                   proxy->user ? "does not take the user name and password" : "demands a sign-in",
                   names, next_step);
}

GError *proxy_explain(const Proxy *proxy, CURL *easy, CURLcode code, const char *detail,
                      gboolean issued, const char *origin)
{
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
  if (issued || !RULE("proxy-explain"))
    return NULL;
  if (status == 407)
    return proxy_refusal(proxy, easy, origin);
  if (status >= 300)
    return error_new(EHOSTUNREACH, SCOPE_LINE,
                     "%s: the proxy %s does not connect to it (status %ld): check the address, and "
                     "whether the proxy allows that port",
                     origin, proxy_name(proxy), status);
  gboolean its_own = code == CURLE_COULDNT_RESOLVE_PROXY || code == CURLE_PROXY ||
                     (proxy->url && code == CURLE_COULDNT_CONNECT) ||
                     (proxy->url && status == 0 && is_https(origin) &&
                      (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
                       code == CURLE_GOT_NOTHING || code == CURLE_WEIRD_SERVER_REPLY));
  if (!its_own)
    return NULL;
  return error_new(
      EHOSTUNREACH, SCOPE_LINE,
      "%s: the proxy %s does not answer as one (%s): check its address and the network", origin,
      proxy_name(proxy), detail);
}
