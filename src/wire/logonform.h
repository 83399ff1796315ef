/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The web page by which a person signs in to Exchange (OWA 2003 and 2007, ISA): HTML into the form
 * to send. Pure; the page is hostile input (protocol note WebDAV, sections 3.3, 3.4).
 */
#pragma once

#include <glib.h>

typedef struct {
  char *action; /* as written, to be resolved against the page's address; "" when none is said */
  GPtrArray *pairs; /* char *: name, value, name, value: all but user and password, in page order */
  char *user_name, *password_name; /* the names of the two fields */
} LogonForm;

/*
 * Finds in LEN bytes of HTML the first form that asks for a user name and a password and fills OUT:
 * hidden fields as they are, "private computer" chosen (trusted=4, flags with bit 4), an empty
 * destination filled with DESTINATION (absolute). FALSE: there is no such form, or it is larger
 * than any that can be meant: 64 KiB of HTML are looked at, 256 levels, 64 fields, 4 KiB a value.
 */
gboolean logon_form_parse(const char *html, gsize len, const char *destination, LogonForm *out);
void logon_form_clear(LogonForm *form);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(LogonForm, logon_form_clear)
