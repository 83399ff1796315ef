/* SPDX-License-Identifier: Apache-2.0 */
/* Messages: what their headers say, and how Exchange writes them anew. */
#pragma once

#include "model.h"

#define MIME_HEAD_MAX (64 * 1024)

/* Length of the header block with its empty line; all of it when there is none. */
gsize mime_header_end(GBytes *head);
/* Reads subject, from, date … from the body into the properties of item (a message that has a
 * body). received: take the time of arrival from Date too. Write lock held. */
void mime_describe(Model *model, Node *item, gboolean received);
/* The same message as Exchange would give it back: headers in its own order, Bcc gone, its own
 * boundary, CRLF line ends. The same input gives the same output; its own output stays as it is. */
Body *mime_rewrite(Body *body);
/* The same bytes with CRLF at each line end, as a message arrives by SMTP. */
Body *mime_line_ends(Body *body);
