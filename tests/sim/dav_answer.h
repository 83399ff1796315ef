/* SPDX-License-Identifier: Apache-2.0 */
/* Writes 207 documents in the shape of the profile (sections 4.2 to 4.4): one-letter prefixes
 * declared on the root, dt attributes, status before prop. */
#pragma once

#include "props.h"

typedef struct Answer Answer;

/* columns: every property that may occur (Column); kept by the caller until answer_finish. */
Answer *answer_new(const Sim *sim, const GArray *columns);
/* A whole response of a node: what it has of the columns, and unless brief a 404 propstat of the
 * rest. names_only: names without values. Read lock held. */
void answer_row(Answer *answer, PropContext *context, const Node *node, gboolean brief,
                gboolean names_only);

/* Piecewise responses: open, any of the middle ones, close. href: escaped URL. */
void answer_open(Answer *answer, const char *href);
/* A status line of the response itself. */
void answer_status(Answer *answer, int status);
/* <DAV:location> or another DAV: element with text. */
void answer_element(Answer *answer, const char *local, const char *text);
/* A propstat with the columns whose statuses[i] is status, without values. */
void answer_propstat(Answer *answer, const GArray *columns, const int *statuses, int status);
void answer_close(Answer *answer);

/* Ends the document; the caller owns the text. Frees answer. */
GString *answer_finish(Answer *answer);

/* "200 OK" and so on: the reason phrases a 207 carries. */
const char *answer_reason(int status);
