/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to transfer.c (the ring and the two threads) and attempt.c (libcurl's handle: making it,
 * feeding it, judging its end): the attempt they share. Who may touch a member stands beside it.
 */
#pragma once

#include "net/engine.h"

struct Transfer {
  gatomicrefcount refs;

  /* constant */
  const NetConfig *config;
  const HttpRequest *request; /* the net thread may use it until transfer_announce() */
  const Route *route;         /* the same */
  Engine *engine;
  gboolean has_fd; /* the body comes from request->body_fd */
  goffset upload_size;

  /* the net thread's own */
  TransferState state;
  CURL *easy;
  struct curl_slist *headers;
  char curl_text[CURL_ERROR_SIZE];
  TlsSeen *seen;
  goffset upload_at;     /* of the body, so far handed to libcurl */
  goffset upload_seen;   /* of the body, sent when last looked */
  guint issued;          /* so often put on the wire */
  gboolean answered;     /* a byte of an answer has come since it was last issued */
  gboolean fed;          /* some of the body was taken since it was last issued */
  gboolean asked;        /* NTLM: the server's part of the sign-in has come */
  gboolean halfway;      /* the last head was held back, libcurl goes on by itself */
  gboolean head_done;    /* the response's head is whole and no longer this thread's */
  gint64 length;         /* of the answer's body, -1 unknown */
  gint64 progress_at;    /* when a byte last moved (monotonic microseconds) */
  guint64 filled;        /* bytes ever written to the ring */
  guint64 filled_before; /* `filled` a round ago */
  guint64 taken_seen;    /* `taken` when last looked: at most as large */

  /* made by the net thread before `shown` first moves, then constant */
  guint8 *ring;
  gsize ring_size; /* a power of two */

  /* written by the net thread before `done`, read by the caller after it */
  AttemptEnd end;
  GError *error;
  HttpResponse *response; /* the net thread's until head_shown, then the caller's */

  GMutex lock;
  GCond news;
  gboolean asleep;     /* lock: the caller waits on `news` */
  gboolean stopped;    /* lock */
  gboolean paused;     /* lock; written by the net thread: libcurl does not read */
  gboolean head_shown; /* lock; written by the net thread */
  gboolean done;       /* lock; written by the net thread, last of all */
  guint64 shown;       /* lock; written by the net thread: bytes ever shown to the caller */
  guint64 taken;       /* lock; written by the caller: bytes ever given back */
  gsize lent;          /* the caller's own */
  gboolean head_given; /* the caller's own */
};

/* libcurl's write callback. */
size_t transfer_on_bytes(char *bytes, size_t size, size_t count, void *user);
