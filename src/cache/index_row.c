/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the tables and statements of the index, and how a row becomes a Node and back; leaves what a
 * row means to the files beside it.
 */
#include "cache/index_private.h"

#include "base/rule.h"
#include "model/name.h"

#include <string.h>

/* [0] makes an empty index: the root, and row ids that begin at INO_FIRST. */
static const char *const migrations[] = {
    "CREATE TABLE node("
    "  ino INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER NOT NULL, name TEXT NOT NULL,"
    "  version INTEGER NOT NULL, state INTEGER NOT NULL, fields INTEGER NOT NULL,"
    "  folder INTEGER NOT NULL, id BLOB, tag BLOB, match_key BLOB, content_tag BLOB,"
    "  server_name TEXT, class TEXT, size INTEGER NOT NULL, size_kind INTEGER NOT NULL,"
    "  received INTEGER, created INTEGER, modified INTEGER, user_mtime INTEGER,"
    "  flags INTEGER NOT NULL, flags_known INTEGER NOT NULL, changed INTEGER NOT NULL,"
    "  checked INTEGER NOT NULL, listed INTEGER NOT NULL, listing INTEGER NOT NULL);"
    "CREATE INDEX node_parent ON node(parent);"
    "CREATE UNIQUE INDEX node_name ON node(parent, name);"
    "CREATE UNIQUE INDEX node_id ON node(parent, id) WHERE id IS NOT NULL;"
    "CREATE INDEX node_key ON node(parent, match_key) WHERE match_key IS NOT NULL;"
    "CREATE INDEX node_state ON node(state) WHERE state != 0;"
    "INSERT INTO node(ino,parent,name,version,state,fields,folder,size,size_kind,flags,flags_known,"
    "  changed,checked,listed,listing) VALUES(1,0,'',1,0,0,1,0,0,0,0,"
    "  CAST(strftime('%s','now') AS INTEGER)*1000000000,0,0,0);"
    "UPDATE sqlite_sequence SET seq=15 WHERE name='node';",
};

/* A listing keeps what it saw apart from the rows, so that one that finds nothing new writes
 * nothing. The table grows on disk, not in memory. */
static const char setup[] =
    "PRAGMA temp.journal_mode=MEMORY;"
    "CREATE TEMP TABLE seen(listing INTEGER, ino INTEGER, flags INTEGER NOT NULL,"
    "  PRIMARY KEY(listing, ino)) WITHOUT ROWID;";

/* Columns by place, as row_load() reads them; the last is that of the parent. */
#define COLUMNS                                                                                    \
  "ino,parent,name,version,state,fields,folder,id,tag,match_key,content_tag,server_name,class,"    \
  "size,size_kind,received,created,modified,user_mtime,flags,flags_known,changed,checked,listed,"  \
  "listing,"
#define SELECT_NODE                                                                                \
  "SELECT " COLUMNS "(SELECT p.listed FROM node p WHERE p.ino=node.parent) FROM node "
#define SELECT_FOR_LISTING "SELECT " COLUMNS "0 FROM node "

/* Rows that start a deletion, then all below them. UNION, not UNION ALL: ends on a cycle too. */
#define DELETE_BELOW(start)                                                                        \
  "WITH RECURSIVE below(ino) AS (" start                                                           \
  " UNION SELECT n.ino FROM node n JOIN below b ON n.parent=b.ino) "                               \
  "DELETE FROM node WHERE ino IN below"

static const char *const statements[SQL_N] = {
    [SQL_GET] = SELECT_NODE "WHERE ino=?1",
    [SQL_FIND] = SELECT_NODE "WHERE parent=?1 AND name=?2",
    [SQL_FIND_ID] = SELECT_NODE "WHERE parent=?1 AND id=?2",
    [SQL_MATCH_ID] = SELECT_FOR_LISTING "WHERE parent=?1 AND id=?2",
    /* Copies may share a key: a row that this listing has seen is not the one. */
    [SQL_MATCH_KEY] =
        SELECT_FOR_LISTING "WHERE parent=?1 AND match_key=?2 AND NOT EXISTS (SELECT 1 FROM seen s"
                           " WHERE s.listing=?3 AND s.ino=node.ino) LIMIT 1",
    [SQL_CHILDREN] =
        SELECT_NODE "WHERE parent=?1 AND ino>?2 AND (state & 2)=0 ORDER BY ino LIMIT ?3",
    [SQL_ANY_CHILD] = "SELECT ino FROM node WHERE parent=?1 LIMIT 1",
    [SQL_COUNT] = "SELECT (SELECT count(*) FROM node WHERE parent=?1) -"
                  " (SELECT count(*) FROM node WHERE state!=0 AND (state & 2)!=0 AND parent=?1)",
    [SQL_COUNT_UPTO] = "SELECT count(*) FROM (SELECT 1 FROM node WHERE parent=?1 LIMIT ?2)",
    [SQL_HAS_LOCAL] =
        "SELECT ino FROM node WHERE state!=0 AND (state & 1)!=0 AND parent=?1 LIMIT 1",
    [SQL_WITH_STATE] = "SELECT ino FROM node WHERE state!=0 AND (state & ?1)!=0 LIMIT ?2",
    [SQL_UP] = "SELECT parent,state,id FROM node WHERE ino=?1",
    [SQL_NAME_TAKEN] = "SELECT ino FROM node WHERE parent=?1 AND name=?2",
    [SQL_INSERT] = "INSERT INTO node VALUES(NULL,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,"
                   "?16,?17,?18,?19,?20,?21,?22,?23,?24,?25) ON CONFLICT DO NOTHING",
    [SQL_UPDATE] = "UPDATE node SET parent=?2,name=?3,version=?4,state=?5,fields=?6,folder=?7,"
                   "id=?8,tag=?9,match_key=?10,content_tag=?11,server_name=?12,class=?13,size=?14,"
                   "size_kind=?15,received=?16,created=?17,modified=?18,user_mtime=?19,flags=?20,"
                   "flags_known=?21,changed=?22,checked=?23,listed=?24,listing=?25 WHERE ino=?1",
    /* The same without what the indexes are made of. */
    [SQL_UPDATE_ATTRS] = "UPDATE node SET version=?4,fields=?6,tag=?9,content_tag=?11,"
                         "server_name=?12,class=?13,size=?14,size_kind=?15,received=?16,"
                         "created=?17,modified=?18,user_mtime=?19,flags=?20,flags_known=?21,"
                         "changed=?22,checked=?23,listed=?24,listing=?25 WHERE ino=?1",
    [SQL_DELETE] = DELETE_BELOW("SELECT ?1"),
    /* Getting to know a folder does not change it. */
    [SQL_BUMP] = "UPDATE node SET listing=listing+1,"
                 " changed=CASE WHEN listed=0 THEN changed ELSE max(?2,changed+1) END WHERE ino=?1",
    [SQL_CONFIRM] = "UPDATE node SET listed=?2,checked=?2 WHERE ino=?1",
    [SQL_FORGET] = "UPDATE node SET listed=0 WHERE ino=?1",
    [SQL_LISTED] = "UPDATE node SET listed=?2,checked=?2,content_tag=?3 WHERE ino=?1",
    [SQL_SEEN_ADD] = "INSERT INTO seen VALUES(?1,?2,?3)"
                     " ON CONFLICT DO UPDATE SET flags=flags|excluded.flags",
    [SQL_SEEN_GET] = "SELECT flags FROM seen WHERE listing=?1 AND ino=?2",
    [SQL_SEEN_CLEAR] = "DELETE FROM seen WHERE listing=?1",
    /* Rows a server cannot list are not missed in its listing. */
    [SQL_UNSEEN_DELETE] =
        DELETE_BELOW("SELECT ino FROM node WHERE parent=?1 AND (state & 3)=0 AND NOT EXISTS"
                     " (SELECT 1 FROM seen s WHERE s.listing=?2 AND s.ino=node.ino)"),
    [SQL_TWINS] = "SELECT s.ino FROM seen s WHERE s.listing=?1 AND (s.flags & 2)!=0 AND s.ino>?2"
                  " ORDER BY s.ino LIMIT 1",
};

/* Written as numbers in the SQL above. */
G_STATIC_ASSERT(INO_ROOT == 1 && INO_FIRST == 16);
G_STATIC_ASSERT((int)NODE_LOCAL == 1 && (int)NODE_HIDDEN == 2 && (int)SEEN_TWIN == 2);

const DbSchema index_schema = {.what = "index",
                               .migrations = migrations,
                               .n_migrations = G_N_ELEMENTS(migrations),
                               .setup = setup,
                               .sql = statements,
                               .n_sql = SQL_N};

void node_init(Node *node)
{
  *node = (Node){.version = 1};
  entry_init(&node->entry);
}

void node_clear(Node *node)
{
  g_free(node->name);
  entry_clear(&node->entry);
  node_init(node);
}

void node_copy(const Node *from, Node *to)
{
  *to = *from;
  to->name = g_strdup(from->name);
  entry_copy(&from->entry, &to->entry);
}

static gint64 column_time(sqlite3_stmt *stmt, int at)
{
  return sqlite3_column_type(stmt, at) == SQLITE_NULL ? TIME_UNKNOWN
                                                      : sqlite3_column_int64(stmt, at);
}

static void bind_time(sqlite3_stmt *stmt, int at, gint64 time)
{
  if (time != TIME_UNKNOWN)
    sqlite3_bind_int64(stmt, at, time);
}

void row_load(sqlite3_stmt *stmt, Node *out)
{
  Entry *entry = &out->entry;
  node_clear(out);
  out->ino = sqlite3_column_int64(stmt, 0);
  out->parent = sqlite3_column_int64(stmt, 1);
  out->name = db_column_text(stmt, 2);
  out->version = (guint32)sqlite3_column_int64(stmt, 3);
  out->state = (guint32)sqlite3_column_int64(stmt, 4);
  entry->fields = (guint32)sqlite3_column_int64(stmt, 5);
  entry->folder = sqlite3_column_int(stmt, 6) != 0;
  entry->id = db_column_bytes(stmt, 7);
  entry->tag = db_column_bytes(stmt, 8);
  entry->match_key = db_column_bytes(stmt, 9);
  entry->content_tag = db_column_bytes(stmt, 10);
  entry->name = db_column_text(stmt, 11);
  if (!entry->name && (entry->fields & FIELD_NAME))
    entry->name = g_strdup(out->name);
  entry->message_class = db_column_text(stmt, 12);
  entry->size = sqlite3_column_int64(stmt, 13);
  entry->size_kind = (SizeKind)sqlite3_column_int(stmt, 14);
  entry->received = column_time(stmt, 15);
  entry->created = column_time(stmt, 16);
  entry->modified = column_time(stmt, 17);
  entry->user_mtime = column_time(stmt, 18);
  entry->flags = (guint32)sqlite3_column_int64(stmt, 19);
  entry->flags_known = (guint32)sqlite3_column_int64(stmt, 20);
  out->changed = sqlite3_column_int64(stmt, 21);
  out->checked = sqlite3_column_int64(stmt, 22);
  out->listed = sqlite3_column_int64(stmt, 23);
  out->listing = sqlite3_column_int64(stmt, 24);
  /* A complete listing confirms every row it can hold, without a write for each. */
  if ((out->state & (NODE_HIDDEN | NODE_LOCAL)) == 0)
    out->checked = MAX(out->checked, sqlite3_column_int64(stmt, 25));
}

static void row_bind(sqlite3_stmt *stmt, const Node *node)
{
  const Entry *entry = &node->entry;
  sqlite3_bind_int64(stmt, 4, node->version);
  sqlite3_bind_int64(stmt, 6, entry->fields);
  db_bind_bytes(stmt, 9, entry->tag);
  db_bind_bytes(stmt, 11, entry->content_tag);
  /* Most are shown as they are: those are not stored twice. */
  if (g_strcmp0(entry->name, node->name) != 0)
    db_bind_text(stmt, 12, entry->name);
  db_bind_text(stmt, 13, entry->message_class);
  sqlite3_bind_int64(stmt, 14, entry->size);
  sqlite3_bind_int(stmt, 15, (int)entry->size_kind);
  bind_time(stmt, 16, entry->received);
  bind_time(stmt, 17, entry->created);
  bind_time(stmt, 18, entry->modified);
  bind_time(stmt, 19, entry->user_mtime);
  sqlite3_bind_int64(stmt, 20, entry->flags);
  sqlite3_bind_int64(stmt, 21, entry->flags_known);
  sqlite3_bind_int64(stmt, 22, node->changed);
  sqlite3_bind_int64(stmt, 23, node->checked);
  sqlite3_bind_int64(stmt, 24, node->listed);
  sqlite3_bind_int64(stmt, 25, node->listing);
}

/* What the indexes are made of. */
static void row_bind_keys(sqlite3_stmt *stmt, const Node *node)
{
  sqlite3_bind_int64(stmt, 2, node->parent);
  db_bind_text(stmt, 3, node->name);
  sqlite3_bind_int64(stmt, 5, node->state);
  sqlite3_bind_int(stmt, 7, node->entry.folder);
  db_bind_bytes(stmt, 8, node->entry.id);
  db_bind_bytes(stmt, 10, node->entry.match_key);
}

RowResult row_one(Index *index, sqlite3_stmt *stmt, Node *out, GError **error)
{
  RowResult row = db_row(index->db, stmt, error);
  if (row == ROW_FOUND) {
    row_load(stmt, out);
    sqlite3_reset(stmt);
  }
  return row;
}

RowResult row_get(Index *index, gint64 ino, Node *out, GError **error)
{
  sqlite3_stmt *stmt = db_use(index->db, SQL_GET);
  sqlite3_bind_int64(stmt, 1, ino);
  return row_one(index, stmt, out, error);
}

RowResult row_find(Index *index, gint64 parent, const char *name, Node *out, GError **error)
{
  sqlite3_stmt *stmt = db_use(index->db, SQL_FIND);
  sqlite3_bind_int64(stmt, 1, parent);
  db_bind_text(stmt, 2, name);
  return row_one(index, stmt, out, error);
}

RowResult row_find_id(Index *index, gint64 parent, GBytes *id, Node *out, GError **error)
{
  sqlite3_stmt *stmt = db_use(index->db, SQL_FIND_ID);
  sqlite3_bind_int64(stmt, 1, parent);
  db_bind_bytes(stmt, 2, id);
  return row_one(index, stmt, out, error);
}

gboolean row_insert(Index *index, Node *node, gboolean *ret_taken, GError **error)
{
  sqlite3_stmt *stmt = db_use(index->db, SQL_INSERT);
  row_bind(stmt, node);
  row_bind_keys(stmt, node);
  if (!db_run(index->db, stmt, error))
    return FALSE;
  *ret_taken = sqlite3_changes(index->db->handle) == 0;
  if (!*ret_taken)
    node->ino = sqlite3_last_insert_rowid(index->db->handle);
  return TRUE;
}

gboolean row_update(Index *index, const Node *node, gboolean attrs_only, GError **error)
{
  sqlite3_stmt *stmt = db_use(index->db, attrs_only ? SQL_UPDATE_ATTRS : SQL_UPDATE);
  sqlite3_bind_int64(stmt, 1, node->ino);
  row_bind(stmt, node);
  if (!attrs_only)
    row_bind_keys(stmt, node);
  return db_run(index->db, stmt, error);
}

gboolean row_delete(Index *index, gint64 ino, GError **error)
{
  sqlite3_stmt *stmt = db_use(index->db, SQL_DELETE);
  sqlite3_bind_int64(stmt, 1, ino);
  return db_run(index->db, stmt, error);
}

gboolean row_name_taken(Index *index, gint64 parent, const char *name, gint64 *ret, GError **error)
{
  sqlite3_stmt *stmt = db_use(index->db, SQL_NAME_TAKEN);
  sqlite3_bind_int64(stmt, 1, parent);
  db_bind_text(stmt, 2, name);
  return db_int(index->db, stmt, ret, error);
}

static gboolean twin_taken(Index *index, gint64 parent, const char *visible, guint n,
                           gint64 *ret_taken, GError **error)
{
  g_autofree char *twin = name_twin(visible, n);
  return row_name_taken(index, parent, twin, ret_taken, error);
}

char *row_free_twin(Index *index, gint64 parent, const char *visible, GError **error)
{
  /* Doubling, then halving: a server that gives 100,000 items one name costs us 17 looks each. */
  guint taken = 1, unused = 2;
  gint64 other = 0;
  for (;; taken = unused, unused *= 2) {
    if (!twin_taken(index, parent, visible, unused, &other, error))
      return NULL;
    if (!other)
      break;
  }
  while (unused - taken > 1) {
    guint middle = taken + (unused - taken) / 2;
    if (!twin_taken(index, parent, visible, middle, &other, error))
      return NULL;
    *(other ? &taken : &unused) = middle;
  }
  return name_twin(visible, unused);
}

gboolean row_take_name(Index *index, Node *node, const Entry *told, gboolean *ret_changed,
                       gboolean *ret_twin, GError **error)
{
  Entry *held = &node->entry;
  *ret_changed = *ret_twin = FALSE;
  if (!(told->fields & FIELD_NAME) || !told->name || node->ino == INO_ROOT)
    return TRUE;
  if (!g_strcmp0(held->name, told->name) && RULE("index-twin-stable"))
    return TRUE;
  g_autofree char *visible = name_to_visible(told->name, strlen(told->name));
  if (!visible)
    return TRUE;
  gint64 other = 0;
  if (strcmp(node->name, visible) != 0) {
    if (!row_name_taken(index, node->parent, visible, &other, error))
      return FALSE;
    char *name = other ? row_free_twin(index, node->parent, visible, error) : g_strdup(visible);
    if (!name)
      return FALSE;
    g_free(node->name);
    node->name = name;
  }
  g_free(held->name);
  held->name = g_strdup(told->name);
  *ret_changed = TRUE;
  *ret_twin = other != 0;
  return TRUE;
}
