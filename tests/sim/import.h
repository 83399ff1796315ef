/* SPDX-License-Identifier: Apache-2.0 */
/* Fills a mailbox: from a directory tree, or with synthetic messages. */
#pragma once

#include "sim.h"

/* Directories become folders (a name of a usual folder, in English, is that folder), .eml files
 * messages as they would arrive (own bytes, CRLF line ends), others documents. Symbolic links are
 * not followed. */
gboolean import_tree(Sim *sim, Mailbox *mailbox, const char *path, GError **error);
/* count messages in a folder (path below the mailbox, made when missing). */
gboolean import_synthetic(Sim *sim, Mailbox *mailbox, const char *folder, guint count,
                          GError **error);
/* Names of the usual folders in a language (en, de, no), one per Role from ROLE_INBOX on; or NULL.
 */
const char *const *import_folder_names(const char *locale);
