/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private to net/: how an HttpResponse is filled. The net thread does so line by line and lets go
 * of it when the head is whole; from then on it belongs to the caller's thread.
 */
#pragma once

#include "net/http.h"

/* What one header line meant. */
typedef enum {
  HEAD_MORE,    /* go on */
  HEAD_DONE,    /* the final status and all its headers are there */
  HEAD_TOO_BIG, /* more than HEAD_LINES_MAX lines or HEAD_BYTES_MAX bytes */
} HeadState;

#define HEAD_LINES_MAX 200u
#define HEAD_BYTES_MAX ((gsize)256 * 1024)
#define RESPONSE_TEXT_MAX ((gsize)64 * 1024)

HttpResponse *response_new(void);

/*
 * Takes one line of LEN bytes with its line end. A status line starts over, so that interim answers
 * (1xx) leave no trace but their size.
 */
HeadState response_add_line(HttpResponse *response, const char *line, gsize len);

/* How RESPONSE came to a request that NTLM was begun with: normally, without having been asked for
 * NTLM, or so and to a request whose body was still missing. */
typedef enum { NTLM_ASKED, NTLM_UNASKED, NTLM_UNASKED_HOLLOW } NtlmTurn;
void response_set_ntlm(HttpResponse *response, NtlmTurn turn);
NtlmTurn response_ntlm(const HttpResponse *response);

/* Keeps the first RESPONSE_TEXT_MAX bytes of what is added, drops the rest. */
void response_add_text(HttpResponse *response, const void *bytes, gsize len);
