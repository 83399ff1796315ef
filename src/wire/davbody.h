/* SPDX-License-Identifier: Apache-2.0 */
/* The XML bodies a WebDAV client sends, as text. Property names come from one table of the caller.
 */
#pragma once

#include <glib.h>

/* A property: its namespace and its local name; together they are its name in SQL. */
typedef struct {
  const char *ns, *name;
} DavName;

/* A property and the text it is set to. */
typedef struct {
  DavName name;
  const char *value;
} DavSetting;

/*
 * A PROPFIND body for the properties TABLE[WHICH[0]], TABLE[WHICH[1]] … up to an index of -1
 * (RFC 2518, 12.14). The caller owns the text.
 */
char *davbody_propfind(const DavName *table, const int *which);

/*
 * A SEARCH body: those properties of what is directly in the folder the request goes to (section
 * 6.1). WHERE is SQL; ORDER_BY a column name or NULL. Text values in WHERE are davbody_sql_text().
 */
char *davbody_search(const DavName *table, const int *which, const char *where,
                     const char *order_by);

/* TEXT as an SQL literal with its quotes. The caller owns it. */
char *davbody_sql_text(const char *text);

/*
 * A PROPPATCH body that sets N properties; also the body of Exchange's MKCOL (5.9). Control
 * characters in values are left out: 2007 refuses them (quirk 9). The caller owns the text.
 */
char *davbody_proppatch(const DavSetting *settings, guint n);
