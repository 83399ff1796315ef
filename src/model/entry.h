/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a store tells about one folder or item: a plain record, filled by a back-end, merged into
 * the index by cache/. Ids, tags and keys are opaque bytes: only the back-end that made them reads
 * them, everybody else compares them (protocol note EWS, section 19.1).
 */
#pragma once

#include <glib.h>

/* How far Entry.size can be trusted. An estimate is an upper bound and never 0. */
typedef enum { SIZE_UNKNOWN, SIZE_ESTIMATE, SIZE_EXACT } SizeKind;

/* Entry.flags and Entry.flags_known. */
typedef enum {
  ENTRY_READ = 1 << 0,
  ENTRY_DRAFT = 1 << 1,
  ENTRY_READONLY = 1 << 2, /* the caller may not change it: no w bit */
} EntryFlags;

/* Entry.fields: which members are filled; partial records are the rule. */
typedef enum {
  FIELD_ID = 1 << 0, /* id, tag, match_key, folder */
  FIELD_NAME = 1 << 1,
  FIELD_SIZE = 1 << 2,
  FIELD_TIMES = 1 << 3,
  FIELD_FLAGS = 1 << 4,
  FIELD_CLASS = 1 << 5,
  FIELD_ALL = (1 << 6) - 1,
} EntryFields;

#define TIME_UNKNOWN G_MININT64

typedef struct {
  guint32 fields;      /* EntryFields */
  gboolean folder;     /* a directory */
  GBytes *id;          /* names it below its parent; may change when it moves or is replaced */
  GBytes *tag;         /* changes when its bytes or properties change; NULL: unknown */
  GBytes *match_key;   /* survives a rename or move made by others; NULL: the server has none */
  GBytes *content_tag; /* folder: changes when something inside changes; NULL: none */
  char *name;          /* the server's own name, decoded; UTF-8 is not guaranteed */
  char *message_class; /* verbatim, or NULL */
  gint64 size;         /* bytes; meaning by size_kind */
  SizeKind size_kind;
  gint64 received, created, modified, user_mtime; /* ns since 1970, TIME_UNKNOWN */
  guint32 flags, flags_known;
} Entry;

/* Sets every member to "unknown". */
void entry_init(Entry *entry);

/* Frees what ENTRY holds and initialises it again. */
void entry_clear(Entry *entry);

/* Makes TO (initialised or cleared) a copy of FROM. */
void entry_copy(const Entry *from, Entry *to);

/*
 * The mtime a user sees: the one a user set, else the time received (mail), else last modified,
 * else created, else 0 (design section 4, "Times").
 */
gint64 entry_mtime(const Entry *entry);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Entry, entry_clear)

/* TRUE when both are NULL or hold the same bytes. */
gboolean bytes_same(GBytes *a, GBytes *b);
