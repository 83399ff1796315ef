/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the WebDAV back-end share. An id is the server's own spelling of one path
 * segment, with a '/' at its end for a folder; on Exchange a NUL and the path of the permanent URL
 * follow. A URL is the root followed by the segments of all ids on the way.
 */
#pragma once

#include "store/backend.h"
#include "store/webdav.h"
#include "wire/davurl.h"
#include "wire/multistatus.h"

/* Indexes of dav_props: every property this back-end ever asks for or sets. */
typedef enum {
  P_RESOURCETYPE,
  P_LENGTH,
  P_ETAG,
  P_MODIFIED,
  P_CREATED,
  P_MTIME, /* our own dead property */
  P_ISFOLDER,
  P_ISHIDDEN,
  P_ISREADONLY,
  P_RECEIVED,
  P_READ,
  P_STORE_SIZE,
  P_CLASS,
  P_UID,
  P_PERMANENT,
  P_MAPI_MTIME, /* the same as P_MTIME, as a MAPI property */
  P_RESOURCETAG,
  P_CONTENTTAG,
  P_TRASH,
  P_FOLDERCLASS,
  P_QUOTA_AVAILABLE,
  P_QUOTA_USED,
  P_STORED_NAME, /* searched for only */
  P_DISPLAYNAME,
  N_PROPS
} DavProp;
extern const DavName dav_props[N_PROPS];

/* Everything but the atomics is set by open and only read afterwards: no lock. */
typedef struct {
  Store base;
  HttpClient *http;
  char *root;        /* path, ends in '/' */
  char *server_root; /* the same as the server spells it */
  char *trash;       /* path of Deleted Items below root, ends in '/'; NULL: none */
  char *description;
  gboolean exchange;
  DavSpelling spelling;
  gint no_search; /* atomic: SEARCH was refused once, list by PROPFIND (quirk 41) */
  gint no_mtime;  /* atomic: the server refused to keep a user's mtime */
} Webdav;

/* ---- request.c: sending ---- */

typedef struct {
  const char *method;
  const char *path;
  const char *depth;       /* NULL: no Depth header */
  const char *destination; /* of a MOVE: a path */
  const char *headers[5];  /* more header lines; up to the first NULL */
  const char *type;        /* Content-Type of body or source */
  const char *body;        /* text, or NULL */
  const StoreSource *source;
  gboolean changes;
} DavRequest;

typedef struct {
  HttpResponse *http;
  int status;
  char *text; /* the beginning of a body that was no multistatus; never NULL after success */
} DavAnswer;
void dav_answer_clear(DavAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(DavAnswer, dav_answer_clear)

/*
 * Sends REQUEST; any status is a success. FUNC gets each response of a 207 (NULL: they are not
 * looked at, but a 207 must still be whole). FALSE: the line, or a 207 that cannot be read.
 */
gboolean dav_send(Webdav *w, const StoreCall *call, const DavRequest *request, MultistatusFunc func,
                  gpointer user, DavAnswer *answer, GError **error);

/* As dav_send() for an answer that is here already: RESPONSE, which it takes over, and its body. */
gboolean dav_replay(HttpResponse *response, const void *bytes, gsize len, MultistatusFunc func,
                    gpointer user, DavAnswer *answer, GError **error);

/* As http_perform() with the headers every request carries; for bodies. */
gboolean dav_perform(Webdav *w, const StoreCall *call, const DavRequest *request,
                     HttpHeadFunc on_head, HttpDataFunc on_data, gpointer user, HttpResponse **ret,
                     GError **error);

/*
 * Sends REQUEST to REF: to its URL, and when that is 404 to its permanent URL (quirk 6); a change
 * only if the item has not got another name meanwhile. request->path is filled in here.
 */
gboolean dav_send_ref(Webdav *w, const StoreCall *call, const StoreRef *ref, DavRequest *request,
                      MultistatusFunc func, gpointer user, DavAnswer *answer, GError **error);

/* ---- status.c: what a status means ---- */

typedef enum {
  OP_LOOK = 1 << 0,
  OP_LIST = 1 << 1,
  OP_READ = 1 << 2,
  OP_CREATE = 1 << 3,
  OP_REPLACE = 1 << 4,
  OP_SET = 1 << 5,
  OP_MOVE = 1 << 6,
  OP_REMOVE = 1 << 7,
  OP_MKFOLDER = 1 << 8,
  OP_RMFOLDER = 1 << 9,
} DavOp;

/* Sets ERROR to what the answer's status (not 2xx) means for OP on WHAT; answers FALSE. */
gboolean dav_refuse(const DavAnswer *answer, DavOp op, const char *what, GError **error);
/* The same for a STATUS inside a multistatus. */
gboolean dav_refuse_status(int status, DavOp op, const char *what, GError **error);
gboolean dav_is_success(int status);
/* A 200 with a page for people where nothing was asked for that could be one. */
gboolean dav_is_web_page(const DavAnswer *answer);
/* A 207 of a changing request: FALSE with ERROR when a part of it failed. */
gboolean dav_note_failure(const DavResponse *response, gpointer user, GError **error);

/* ---- logon.c: the sign-in by a web form ---- */

extern const HttpForms dav_forms;
/* A redirect that asks for such a sign-in. */
gboolean dav_is_logon_redirect(const HttpResponse *response);

/* ---- release.c ---- */

/* "Exchange 2003 SP1" for BUILD ("6.5.7226", "08.01.10240"); NULL: not known. Static. */
const char *dav_release(const char *build);

/* ---- record.c: names, ids, tags, entries ---- */

/* The path of REF, NULL with ERROR for ids that are none; AS_FOLDER: ends in '/'. */
char *dav_path(const Webdav *w, const StoreRef *ref, gboolean as_folder, GError **error);
/* The path of the last id's permanent URL, or NULL. */
char *dav_permanent(const StoreRef *ref);
gboolean dav_is_folder_ref(const StoreRef *ref);
/* What to call REF, or NAME in it, in a sentence. */
char *dav_what(const Webdav *w, const StoreRef *ref, const char *name);
/* ASKED without its last segment. */
char *dav_parent_path(const char *path);

/*
 * The segment of the member of the folder ASKED (SERVER: the server's spelling of it, or NULL) that
 * HREF names, "" for the folder itself, NULL when it is no member of it.
 */
char *dav_member(const Webdav *w, const char *asked, const char *server, const char *href);

/* Fills OUT from RESPONSE; SEGMENT is the member's. */
gboolean dav_entry(const Webdav *w, const char *segment, const DavResponse *response, Entry *out,
                   GError **error);

/*
 * An entity tag as it is compared: quoted, without the W/ of a weak one (mod_dav's tags are weak
 * for a second, then strong, and mean the same bytes). NULL for what is none.
 */
char *dav_tag(const char *text);
/* The tag of an answer: GetETag or ETag; NULL when it says none. */
char *dav_answer_tag(const HttpResponse *response);

/* ---- stat.c ---- */

/* One PROPFIND 0 for PROPS (ends in -1) on PATH; FUNC is called once. ENOENT etc. with WHAT. */
gboolean dav_look(Webdav *w, const StoreCall *call, const char *path, const int *props,
                  MultistatusFunc func, gpointer user, const char *what, GError **error);
/*
 * Fills OUT for what is at PATH; RET_RESOURCETAG may be NULL. What Exchange hides behind an odd
 * name is found by its stored name.
 */
gboolean dav_stat_path(Webdav *w, const StoreCall *call, const char *path, const char *what,
                       Entry *out, char **ret_resourcetag, GError **error);
/* The same by the name the store keeps, in one SEARCH: for what has a URL that does not work. */
gboolean dav_stat_stored(Webdav *w, const StoreCall *call, const char *path, const char *what,
                         Entry *out, GError **error);
/* NAME has a character for which IIS may answer 404. */
gboolean dav_is_odd_name(const Webdav *w, const char *name);
extern const int dav_item_props[], dav_generic_props[];
const int *dav_props_for(const Webdav *w);

gboolean dav_stat(Store *, const StoreCall *, const StoreRef *, Entry *, GError **);
gboolean dav_find(Store *, const StoreCall *, const StoreRef *, const char *, Entry *, GError **);
gboolean dav_probe(Store *, const StoreCall *, const StoreRef *, GBytes **, GError **);
gboolean dav_quota(Store *, const StoreCall *, StoreQuota *, GError **);

/* ---- open.c, list.c, search.c, body.c ---- */

gboolean dav_open(Store *, const StoreCall *, GError **);

typedef struct {
  Webdav *w;
  const StoreCall *call;
  const char *what;
  const char *url;      /* where to send: asked, or the folder's permanent URL */
  char *asked, *server; /* the folder's path as asked, and as the server spells it or NULL */
  StoreChangeFunc func;
  gpointer user;
  GHashTable *seen;    /* repl-uids or segments, so that nothing is told twice */
  gsize seen_bytes;    /* of their texts */
  gboolean begun;      /* CHANGE_RESET was sent */
  guint rows, fresh;   /* of the page under way */
  gboolean first_seen; /* its first row was known from an earlier page */
  guint64 repeated;    /* rows of all pages that had been told before */
} DavListing;
gboolean dav_list(Store *, const StoreCall *, const StoreRef *, StoreChangeFunc, gpointer,
                  GError **);
/* Sends CHANGE_RESET once. */
gboolean dav_listing_begin(DavListing *listing, GError **error);
/* A MultistatusFunc; USER is the DavListing. */
gboolean dav_listing_take(const DavResponse *response, gpointer user, GError **error);
/* ahead.c: the page after the one that is being read, fetched by a thread of its own. */
typedef struct DavAhead DavAhead;
/* Starts SEARCH of COUNT rows from FROM on; BODY and URL are borrowed until dav_ahead_free(). */
DavAhead *dav_ahead_new(Webdav *w, const StoreCall *call, const char *url, const char *body,
                        guint64 from, guint count);
gboolean dav_ahead_is(const DavAhead *ahead, guint64 from, guint count);
void dav_ahead_wait(DavAhead *ahead);
/* Waits for the page and reads it as dav_send() would. Once only. */
gboolean dav_ahead_take(DavAhead *ahead, MultistatusFunc func, gpointer user, DavAnswer *answer,
                        GError **error);
/* Stops what is under way. NULL is fine. */
void dav_ahead_free(DavAhead *ahead);
/* One page, here and now. */
gboolean dav_search(Webdav *w, const StoreCall *call, const char *url, const char *body,
                    guint64 from, guint count, MultistatusFunc func, gpointer user,
                    DavAnswer *answer, GError **error);

/* All pages of a SEARCH. *RET_UNABLE: the server has no SEARCH here, nothing was told. */
gboolean dav_search_list(DavListing *listing, gboolean *ret_unable, GError **error);
/* The first row that WHERE finds in the folder PATH; ENOENT. */
gboolean dav_search_one(Webdav *w, const StoreCall *call, const char *path, const char *where,
                        const char *what, Entry *out, GError **error);
/* *RET: nothing visible is in the folder PATH. */
gboolean dav_is_empty(Webdav *w, const StoreCall *call, const char *path, const char *what,
                      gboolean *ret, GError **error);

gboolean dav_read_body(Store *, const StoreCall *, const StoreRef *, gint64, const StoreSink *,
                       GError **);

/* ---- write.c, tree.c ---- */

extern const StoreWriteOps dav_write_ops;
gboolean dav_move(Store *, const StoreCall *, const StoreRef *, const StoreRef *, const char *,
                  gboolean, Entry *, GError **);
gboolean dav_mkfolder(Store *, const StoreCall *, const StoreRef *, const char *, Entry *,
                      GError **);
gboolean dav_rmfolder(Store *, const StoreCall *, const StoreRef *, GError **);
/*
 * Fills OUT after a change that ANSWER confirmed, with what is at PATH (or REF, if not NULL) now;
 * the tag is that of our own change or unknown, never another writer's. SIZE: of the body sent, -1
 * none. Cannot fail: what could not be asked stays unknown.
 */
void dav_after_change(Webdav *w, const StoreCall *call, const char *path, const StoreRef *ref,
                      gboolean folder, const DavAnswer *answer, gint64 size, Entry *out);
