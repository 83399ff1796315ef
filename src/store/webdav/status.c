/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the meaning of an HTTP status, by operation: the only place where a status becomes an errno
 * and a sentence (protocol note WebDAV, section 13).
 */
#include "store/webdav/private.h"

#include "base/error.h"
#include "base/rule.h"
#include "wire/davdate.h"

#include <errno.h>
#include <string.h>

#define ANY 0
#define NEW (OP_CREATE | OP_MKFOLDER | OP_MOVE)
#define BODY (OP_CREATE | OP_REPLACE)
#define READING (OP_LOOK | OP_LIST | OP_READ)

/* The first row that fits counts. */
static const struct {
  int status;
  int ops; /* ANY, or a set of DavOp */
  int errnum;
  ErrorScope scope;
  const char *text;
} rows[] = {
    {400, READING, EIO, SCOPE_ITEM, "the server does not understand this address"},
    {400, ANY, EINVAL, SCOPE_ITEM, "the server does not take this name or value"},
    {401, ANY, EACCES, SCOPE_ITEM, "this user has no right to it on the server: ask its owner"},
    {403, OP_RMFOLDER, EPERM, SCOPE_ITEM, "the server does not let this folder be removed"},
    {403, ANY, EACCES, SCOPE_ITEM, "the server forbids it to this user: ask its owner"},
    {404, NEW, ENOENT, SCOPE_FOLDER, "the folder is gone from the server"},
    {404, ANY, ENOENT, SCOPE_ITEM, "it is gone from the server"},
    {410, ANY, ENOENT, SCOPE_ITEM, "it is gone from the server"},
    {405, OP_MKFOLDER, EEXIST, SCOPE_ITEM, "the name is taken"},
    {405, ANY, EOPNOTSUPP, SCOPE_ITEM, "the server cannot do that here"},
    {406, ANY, EOPNOTSUPP, SCOPE_ITEM, "the server does not take this kind of content"},
    {409, NEW | OP_REPLACE, ENOENT, SCOPE_FOLDER, "the folder is gone from the server"},
    {409, OP_SET, EINVAL, SCOPE_ITEM, "the server does not take this value"},
    {412, NEW, EEXIST, SCOPE_ITEM, "the name is taken"},
    {412, ANY, ESTALE, SCOPE_ITEM, "it was changed on the server in the meantime"},
    {413, ANY, EFBIG, SCOPE_ITEM, "the server refuses something as large as this"},
    {414, ANY, ENAMETOOLONG, SCOPE_ITEM, "the name or its path is too long for the server"},
    {415, ANY, EOPNOTSUPP, SCOPE_ITEM, "the server does not take this kind of content"},
    {422, READING, EIO, SCOPE_FOLDER, "the server cannot run this search"},
    {422, ANY, EINVAL, SCOPE_ITEM, "the server does not take this value"},
    {423, ANY, EBUSY, SCOPE_ITEM, "another program has locked it; try again later"},
    {425, ANY, ENOSPC, SCOPE_STORE, "the server has no space left"},
    {429, ANY, EIO, SCOPE_STORE, "the server asks for a pause; try again later"},
    {440, ANY, EACCES, SCOPE_ITEM,
     "the server ends the session when asked for it: this user has no right to it"},
    {501, ANY, EOPNOTSUPP, SCOPE_ITEM, "the server cannot do that"},
    {502, OP_MOVE, EXDEV, SCOPE_ITEM, "the server cannot move it there; copy it instead"},
    {503, ANY, EIO, SCOPE_STORE, "the server is not available; try again later"},
    {504, ANY, ETIMEDOUT, SCOPE_STORE, "a gateway got no answer from the server; try again later"},
    {507, ANY, ENOSPC, SCOPE_STORE, "the server has no space left"},
};

gboolean dav_is_success(int status)
{
  return status / 100 == 2;
}

static gboolean names(const char *text, const char *word)
{
  g_autofree char *lower = g_ascii_strdown(text, -1);
  return strstr(lower, word) != NULL;
}

gboolean dav_is_web_page(const DavAnswer *answer)
{
  const char *type = http_response_header(answer->http, "Content-Type");
  return answer->status == 200 && type && names(type, "html") && names(answer->text, "<html");
}

static GError *new_error(int status, DavOp op, const char *what, const char *text)
{
  gboolean full = status == 507 || status == 425;
  /* Quirk 42: Exchange says 500 when a mailbox is over its limit. */
  if ((full || (status == 500 && (op & BODY) && RULE("dav-quota-500"))) && names(text, "quota"))
    return error_new(EDQUOT, SCOPE_STORE, "%s: the mailbox is full; delete something first", what);
  for (gsize i = 0; i < G_N_ELEMENTS(rows); i++)
    if (rows[i].status == status && (rows[i].ops == ANY || (rows[i].ops & (int)op)))
      return error_new(rows[i].errnum, rows[i].scope, "%s: %s", what, rows[i].text);
  if (status / 100 == 3)
    return error_new(EIO, SCOPE_ITEM,
                     "%s: the server sends us elsewhere, which is not followed: mount that address",
                     what);
  return error_new(EIO, SCOPE_ITEM, "%s: the server failed (status %d); its log knows why", what,
                   status);
}

/* A number of seconds, or a time; bounded to a day. */
static gint64 retry_after_ms(const char *value)
{
  gint64 at;
  gint64 ms;
  char *end;
  if (!value)
    return -1;
  if (g_ascii_isdigit(*value)) {
    guint64 seconds = g_ascii_strtoull(value, &end, 10);
    ms = (gint64)MIN(seconds, 86400u) * 1000;
  } else if (davdate_parse(value, &at)) {
    ms = at / 1000000 - g_get_real_time() / 1000;
  } else {
    return -1;
  }
  return CLAMP(ms, 0, G_GINT64_CONSTANT(86400000));
}

gboolean dav_refuse_status(int status, DavOp op, const char *what, GError **error)
{
  if (error)
    *error = new_error(status, op, what, "");
  return FALSE;
}

gboolean dav_refuse(const DavAnswer *answer, DavOp op, const char *what, GError **error)
{
  if (dav_is_logon_redirect(answer->http))
    return error_set(error, EACCES, SCOPE_SIGN_IN,
                     "%s: the server wants to be signed in to by a web form: mount with user= and "
                     "a password, and with sec=forms or without sec=",
                     what);
  GError *mine = new_error(answer->status, op, what, answer->text ? answer->text : "");
  error_set_retry_after_ms(mine, retry_after_ms(http_response_header(answer->http, "Retry-After")));
  /* A server or gateway that broke down may have done it before. */
  gboolean broke = answer->status == 500 || answer->status == 502 || answer->status == 504;
  if (broke && !(op & READING) && (mine->code == EIO || mine->code == ETIMEDOUT))
    error_set_maybe_applied(mine, TRUE);
  g_propagate_error(error, mine);
  return FALSE;
}

gboolean dav_note_failure(const DavResponse *response, gpointer user, GError **error)
{
  (void)error;
  int *status = user;
  /* 424 is only the consequence of another. */
  if ((!*status || *status == 424) && response->status && !dav_is_success(response->status))
    *status = response->status;
  if ((!*status || *status == 424) && response->failed)
    *status = response->failed;
  return TRUE;
}
