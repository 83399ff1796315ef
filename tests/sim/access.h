/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what where: a matrix of folder and user (section 3.2), and the folders that another
 * server holds (3.6). */
#pragma once

#include "dav_url.h"

typedef enum { ACCESS_NONE, ACCESS_READ, ACCESS_ALL } AccessLevel;

Access *access_new(void);
void access_free(Access *access); /* NULL is fine */

/* "alice/work/secret=bob:read": none, read or all for a folder and what is below it; user '*': for
 * everybody. The longest folder counts, then the last word. FALSE: it says something else. */
gboolean access_add(Access *access, const char *text);
/* "/public/Sales=http://127.0.0.1:4000": requests for it and below are sent there. */
gboolean access_add_elsewhere(Access *access, const char *text);

/* What the user (NULL: everybody is let in) may do with a node. The model is locked. */
AccessLevel access_level(const Sim *sim, const Node *node, const char *user);
/* Whether the user may do this at target, by the method. The model is locked. */
gboolean access_allowed(const Sim *sim, const Request *request, const Target *target);
/* TRUE with a 302 when another server holds the folder. */
gboolean access_elsewhere(const Sim *sim, const Request *request, Reply *reply);
