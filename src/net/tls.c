/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns what TLS may be: authorities, pins, versions, the certificate we show. Leaves the watching
 * of handshakes to tls_seen.c and the words to tls_explain.c.
 */
#include "net/tls_private.h"

#include "base/error.h"
#include "base/log.h"
#include "base/rule.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PEM_FILE_MAX (4 * 1024 * 1024)
#define CHAIN_MAX 16
#define MIN_DEFAULT 12u
/* A changed file of authorities counts after so long: reading it takes as long as 20 requests. */
#define CA_CACHE_S 60L

/* What a PEM file is for, and what it is named in the sentences. */
typedef struct {
  const char *option, *what;
} PemFile;
static const PemFile ca_file = {"cacert", "the certificate of the authority"};
static const PemFile cert_file = {"cert", "our certificate"};
static const PemFile key_file = {"key", "the key of our certificate"};

static BIO *open_pem(const PemFile *file, const char *path, GError **error)
{
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); /* it may be a fifo */
  if (fd < 0 || fstat(fd, &st) < 0) {
    error_set(error, EACCES, SCOPE_LOCAL, "%s, %s=%s, cannot be read: %s: correct the path",
              file->what, file->option, path, g_strerror(errno));
  } else if (!S_ISREG(st.st_mode) || st.st_size > PEM_FILE_MAX) {
    error_set(error, EINVAL, SCOPE_LOCAL, "%s, %s=%s, is no PEM file: correct the path", file->what,
              file->option, path);
  } else {
    return BIO_new_fd(fd, BIO_CLOSE);
  }
  if (fd >= 0)
    close(fd);
  return NULL;
}

static gboolean not_pem(const PemFile *file, const char *path, GError **error)
{
  ERR_clear_error();
  return error_set(error, EINVAL, SCOPE_LOCAL,
                   "%s, %s=%s, cannot be understood: give a PEM file, which `openssl` makes of "
                   "other forms",
                   file->what, file->option, path);
}

/* A file of authorities must hold one at least; libcurl reads it again for itself. */
static gboolean check_cacert(const char *path, GError **error)
{
  BIO *bio = open_pem(&ca_file, path, error);
  if (!bio)
    return FALSE;
  X509 *first = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
  BIO_free(bio);
  if (!first)
    return not_pem(&ca_file, path, error);
  X509_free(first);
  return TRUE;
}

static gboolean check_pin(const char *pin, GError **error)
{
  static const char head[] = "sha256//";
  g_auto(GStrv) pins = g_strsplit(pin, ";", -1);
  gboolean good = pins[0] != NULL;
  for (guint i = 0; good && pins[i]; i++) {
    gsize len = 0;
    good = g_str_has_prefix(pins[i], head) && strlen(pins[i]) == strlen(head) + 44;
    g_autofree guchar *hash = good ? g_base64_decode(pins[i] + strlen(head), &len) : NULL;
    good = len == 32;
  }
  return good || error_set(error, EINVAL, SCOPE_LOCAL,
                           "pin= is not sha256//HASH, HASH being 44 characters of base64: correct "
                           "it");
}

static gboolean load_cert(TlsPolicy *policy, const char *path, GError **error)
{
  BIO *bio = open_pem(&cert_file, path, error);
  if (!bio)
    return FALSE;
  policy->cert = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL);
  policy->chain = sk_X509_new_null();
  while (policy->cert && sk_X509_num(policy->chain) < CHAIN_MAX) {
    X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (!next)
      break;
    sk_X509_push(policy->chain, next);
  }
  BIO_free(bio);
  ERR_clear_error(); /* the end of the file is one */
  return policy->cert || not_pem(&cert_file, path, error);
}

typedef struct {
  const Secret *password; /* NULL: none */
  gboolean wanted;        /* the key is encrypted */
} KeyPassword;

/* Without this OpenSSL would ask on the terminal. */
static int give_password(char *buffer, int size, int writing, void *user)
{
  KeyPassword *ask = user;
  (void)writing;
  ask->wanted = TRUE;
  const char *text = ask->password ? secret_peek(ask->password) : "";
  gsize len = strlen(text);
  if (len == 0 || len >= (gsize)size)
    return -1;
  return (int)g_strlcpy(buffer, text, (gsize)size);
}

static gboolean load_key(TlsPolicy *policy, const HttpTls *options, GError **error)
{
  const char *cert = options->cert, *path = options->key ? options->key : cert;
  const Secret *password = options->key_password;
  KeyPassword ask = {.password = password};
  BIO *bio = open_pem(&key_file, path, error);
  if (!bio)
    return FALSE;
  policy->key = PEM_read_bio_PrivateKey(bio, NULL, give_password, &ask);
  BIO_free(bio);
  ERR_clear_error();
  if (!policy->key && ask.wanted)
    return error_set(error, EACCES, SCOPE_LOCAL,
                     password ? "the key %s does not open with its password: correct what "
                                "key_passwd_file= names"
                              : "the key %s is encrypted: give its password with key_passwd_file=",
                     path);
  if (!policy->key && path == cert)
    return error_set(error, EINVAL, SCOPE_LOCAL,
                     "the file cert=%s holds no key: name the file that does with key=", cert);
  if (!policy->key)
    return not_pem(&key_file, path, error);
  gboolean fits = X509_check_private_key(policy->cert, policy->key) == 1;
  ERR_clear_error();
  return fits ||
         error_set(error, EINVAL, SCOPE_LOCAL,
                   "the key %s is not that of our certificate: give both of one pair", path);
}

static gboolean load(TlsPolicy *policy, const HttpTls *options, GError **error)
{
  if (options->key && !options->cert)
    return error_set(error, EINVAL, SCOPE_LOCAL, "key= without cert=: give its certificate too");
  return (!options->cacert || check_cacert(options->cacert, error)) &&
         (!options->pin || check_pin(options->pin, error)) &&
         (!options->cert ||
          (load_cert(policy, options->cert, error) && load_key(policy, options, error)));
}

TlsPolicy *tls_policy_new(const HttpTls *options, const char *origin, const char *proxy,
                          GError **error)
{
  gboolean https = g_ascii_strncasecmp(origin, "https:", 6) == 0;
  guint min = options->min ? options->min : MIN_DEFAULT;
  if (min < 10 || min > 13) {
    error_set(error, EINVAL, SCOPE_LOCAL, "there is no such version of TLS: give 1.0 to 1.3");
    return NULL;
  }
  if (!https && (options->pin || options->cert)) {
    error_set(error, EINVAL, SCOPE_LOCAL,
              "pin= and cert= mean nothing for %s: give an address that begins with https://",
              origin);
    return NULL;
  }
  TlsPolicy *policy = g_new0(TlsPolicy, 1);
  policy->min = min;
  policy->proxy = g_strdup(proxy);
  if (options->cacert) /* it is read again later, and a daemon leaves its directory */
    policy->cacert = g_canonicalize_filename(options->cacert, NULL);
  policy->pin = g_strdup(options->pin);
  if (!load(policy, options, error)) {
    tls_policy_free(policy);
    return NULL;
  }
  if (https && min < MIN_DEFAULT && RULE("tls-loud"))
    log_warning("net",
                "tls_min=1.%u lets %s use TLS 1.%u and the old ciphers and signatures of its time, "
                "which others on the way may be able to read: patch that server, then take the "
                "option away",
                min - 10, origin, min - 10);
  return policy;
}

void tls_policy_free(TlsPolicy *policy)
{
  if (!policy)
    return;
  g_free(policy->cacert);
  g_free(policy->pin);
  g_free(policy->proxy);
  X509_free(policy->cert);
  sk_X509_pop_free(policy->chain, X509_free);
  EVP_PKEY_free(policy->key); /* OpenSSL wipes it */
  g_free(policy);
}

/* The system's authorities are in a file, and in a directory besides; NULL: libcurl sees to it. */
static const char *system_dir(const TlsPolicy *policy)
{
  const curl_version_info_data *system = curl_version_info(CURLVERSION_NOW);
  return policy->cacert || !system->cainfo ? NULL : system->capath;
}

/* libcurl is done with CONTEXT; what it cannot do by itself comes here. */
static CURLcode on_context(CURL *easy, void *context, void *user)
{
  TlsSeen *seen = user;
  const TlsPolicy *policy = seen->policy;
  (void)easy;
  seen->contexts++;
  tls_seen_watch(seen, context);
  if (system_dir(policy)) /* looked into by need; given to libcurl, it would keep no file in mind */
    X509_STORE_load_path(SSL_CTX_get_cert_store(context), system_dir(policy));
  if (tls_seen_is_proxy(seen))
    return CURLE_OK;             /* our certificate is for the server alone */
  if (policy->min < MIN_DEFAULT) /* servers of that time do not know RFC 5746 */
    SSL_CTX_set_options(context, SSL_OP_LEGACY_SERVER_CONNECT);
  if (policy->cert && (SSL_CTX_use_certificate(context, policy->cert) != 1 ||
                       SSL_CTX_set1_chain(context, policy->chain) != 1 ||
                       SSL_CTX_use_PrivateKey(context, policy->key) != 1))
    return CURLE_SSL_CERTPROBLEM;
  return CURLE_OK;
}

static long curl_version_of(guint min)
{
  static const long versions[] = {CURL_SSLVERSION_TLSv1_0, CURL_SSLVERSION_TLSv1_1,
                                  CURL_SSLVERSION_TLSv1_2, CURL_SSLVERSION_TLSv1_3};
  return versions[min - 10];
}

void tls_apply(const TlsPolicy *policy, CURL *easy, TlsSeen *seen)
{
  long verify = RULE("tls-verify") ? 1L : 0L, verify_name = RULE("tls-name") ? 2L : 0L;
  guint min = RULE("tls-min") ? policy->min : 10;
  seen->policy = policy;
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, verify);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, verify ? verify_name : 0L);
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, curl_version_of(min));
  curl_easy_setopt(easy, CURLOPT_PROXY_SSLVERSION, curl_version_of(MAX(policy->min, MIN_DEFAULT)));
  if (policy->cacert) {
    curl_easy_setopt(easy, CURLOPT_CAINFO, policy->cacert);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, policy->cacert);
  }
  if (policy->cacert || system_dir(policy)) {
    curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
    curl_easy_setopt(easy, CURLOPT_PROXY_CAPATH, NULL);
  }
  curl_easy_setopt(easy, CURLOPT_CA_CACHE_TIMEOUT, CA_CACHE_S);
  if (policy->pin && RULE("tls-pin"))
    curl_easy_setopt(easy, CURLOPT_PINNEDPUBLICKEY, policy->pin);
  if (policy->min < MIN_DEFAULT && RULE("tls-old"))
    curl_easy_setopt(easy, CURLOPT_SSL_CIPHER_LIST, "DEFAULT@SECLEVEL=0");
  curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, seen);
  if (curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_context) != CURLE_OK)
    g_error("this libcurl does TLS without OpenSSL: install libcurl4"); /* no policy would hold */
}
