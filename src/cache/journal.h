/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal: uploads that are under way or owed, durable before they count (DIR/journal.db,
 * SQLite, synchronous FULL; apart from the index, which may be rebuilt). The staged bytes of entry
 * N are DIR/staged/N. At start every entry left is an upload whose end is not known.
 *
 * Safe from any thread; blocks for disk only.
 */
#pragma once

#include <glib.h>

typedef struct Journal Journal;

typedef struct {
  gint64 id;       /* 0 before journal_add() */
  gint64 ino;      /* the row the bytes belong to */
  gint64 parent;   /* its folder then */
  char *name;      /* its visible name then */
  gboolean create; /* it must not exist on the server; else it replaces BASE_TAG */
  GBytes *base_tag;
  gint64 size;
  gint64 time; /* us since 1970 when it was added */
} JournalEntry;

void journal_entry_clear(JournalEntry *entry);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(JournalEntry, journal_entry_clear)

/* EPROTONOSUPPORT when a newer version made it; a corrupt one is put aside and the staged files
 * are kept: *RET_STRAYS lists staged files without an entry (GArray of gint64 id). */
Journal *journal_open(const char *dir, GArray **ret_strays, GError **error);
void journal_close(Journal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Journal, journal_close)

/*
 * Adds ENTRY (its id is set) with the bytes of FD, an unnamed file in the same filesystem, which
 * gets the name staged/ID. DURABLE: bytes and entry have reached the disk when this returns; else
 * they survive the death of the process, not of the machine.
 */
gboolean journal_add(Journal *journal, JournalEntry *entry, int fd, gboolean durable,
                     GError **error);

/* A descriptor for the staged bytes; -1 with ERROR. */
int journal_open_staged(Journal *journal, gint64 id, GError **error);

/* The end is known: removes the entry and its staged file. */
gboolean journal_remove(Journal *journal, gint64 id, GError **error);

/* Calls FUNC for every entry, oldest first, until it answers FALSE. */
typedef gboolean (*JournalFunc)(const JournalEntry *entry, gpointer user);
gboolean journal_foreach(Journal *journal, JournalFunc func, gpointer user, GError **error);
