/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns open files: which version a handle means, reading from a body that may still be arriving,
 * writing into a staged copy. Leaves when what was written must be sent to close.c.
 *
 * A file that was never written has no stage. The first write makes one (a private copy of the
 * body), which all handles of that version share from then on. CLEAN -write-> DIRTY -flush-> CLEAN,
 * or DIRTY -refused-> DIRTY and told.
 */
#include "base/file.h"
#include "mailbox/private.h"
#include "model/name.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

pid_t process_of(pid_t pid)
{
  g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)pid);
  g_autofree char *text = NULL;
  if (pid <= 0 || !g_file_get_contents(path, &text, NULL, NULL))
    return pid;
  const char *line = strstr(text, "\nTgid:");
  return line ? (pid_t)g_ascii_strtoll(line + 6, NULL, 10) : pid;
}

NodeId file_id(const File *file)
{
  return file->open->id;
}

static File *file_new(Mailbox *mailbox, const Caller *caller, const Node *node)
{
  File *file = g_new0(File, 1);
  file->mailbox = mailbox;
  file->open = open_node_get(mailbox, node);
  file->process = process_of(caller->pid);
  return file;
}

static gint64 now_ns(void)
{
  return g_get_real_time() * 1000;
}

static gboolean stale(GError **error)
{
  return error_set(error, ESTALE, SCOPE_ITEM, "this version of the item is outdated");
}

/* Fills NODE with the row of ID, young enough, and still that version. */
static gboolean read_current(Mailbox *mailbox, const Caller *caller, NodeId id, Node *node,
                             GError **error)
{
  GError *inner = NULL;
  if (!row_read(mailbox, id.ino, node, error))
    return FALSE;
  if (node->entry.folder)
    return error_set(error, EISDIR, SCOPE_ITEM, "a folder is not a file");
  if (!tree_refresh(mailbox, caller, node, &inner)) {
    if (error_errno(inner) == ENOENT)
      inner->code = ESTALE; /* the kernel looks up again and finds that out by name */
    g_propagate_error(error, inner);
    return FALSE;
  }
  if (node->version == id.version || !RULE("version-per-file"))
    return TRUE;
  return stale(error);
}

static gboolean may_write(const Mailbox *mailbox, const Node *node, GError **error)
{
  if (mailbox->options.read_only)
    return error_set(error, EROFS, SCOPE_STORE, "mounted read-only");
  if (node->entry.flags & ENTRY_READONLY)
    return error_set(error, EACCES, SCOPE_ITEM, "the server lets nobody change this item");
  return TRUE;
}

/*
 * Starts the body of an opened file and checks what the kernel was told about its size. TRUE in
 * *RET_BOUNCE: it was told wrong and must look up again.
 */
static gboolean begin_reading(File *file, const Caller *caller, const Node *node,
                              gboolean *ret_bounce, GError **error)
{
  Mailbox *mailbox = file->mailbox;
  gint64 size;
  *ret_bounce = FALSE;
  g_autoptr(Body) body = open_node_body(mailbox, file->open, error);
  if (!body)
    return FALSE;
  if (!body_wait_size(body, caller, &size, error)) {
    open_node_drop_body(mailbox, file->open, body);
    return FALSE;
  }
  Attr told;
  attr_from_node(mailbox, node, NULL, &told);
  if (node->entry.size_kind == SIZE_EXACT && node->entry.size == size)
    return TRUE;
  if (!index_set_size(mailbox->index, node->ino, node->version, size, error))
    return FALSE;
  attr_changed(mailbox);
  g_mutex_lock(&mailbox->lock);
  if (file->open->stage < 0)
    file->open->size = size;
  g_mutex_unlock(&mailbox->lock);
  *ret_bounce = told.size != size && RULE("size-bounce");
  if (*ret_bounce)
    size_bounce(mailbox, file->open->id, body);
  return TRUE;
}

/* The server has another version than the row says: have the row say so. */
static void row_outdated(Mailbox *mailbox, const Caller *caller, Node *node)
{
  g_autoptr(GError) ignored = NULL;
  Row *row;
  /* Not while a change of our own is on its way, which would not be told from that of others. */
  if (!row_hold(mailbox, caller, node->ino, &row, NULL))
    return;
  row_let_go(mailbox, row);
  node->checked = 0;
  if (!tree_ask(mailbox, caller, node, &ignored))
    log_debug("mailbox", "an outdated row stays: %s", ignored->message);
}

/* The same; a property of ours (a time) that was just sent gave the same version another tag. */
static gboolean begin_current(File *file, const Caller *caller, Node *node, gboolean *ret_bounce,
                              GError **error)
{
  GError *inner = NULL;
  if (begin_reading(file, caller, node, ret_bounce, &inner))
    return TRUE;
  if (error_errno(inner) == ESTALE || error_errno(inner) == EIO)
    row_outdated(file->mailbox, caller, node);
  if (error_errno(inner) == ESTALE && node->version == file->open->id.version) {
    g_error_free(inner);
    return begin_reading(file, caller, node, ret_bounce, error);
  }
  g_propagate_error(error, inner);
  return FALSE;
}

static gboolean resize(File *file, const Caller *caller, gint64 size, GError **error)
{
  Row *row;
  if (size < 0 || size > FILE_SIZE_MAX)
    return error_set(error, EFBIG, SCOPE_ITEM, "a file can have 1 TiB here");
  if (!row_hold(file->mailbox, caller, file->open->id.ino, &row, error))
    return FALSE;
  OpenNode *open = file->open;
  gboolean ok = open_node_stage(file->mailbox, caller, open, size, error);
  if (ok && ftruncate(open->stage, size) < 0)
    ok = error_set(error, errno, SCOPE_LOCAL, "the cache cannot hold %" G_GINT64_FORMAT " bytes",
                   size);
  if (ok) {
    g_mutex_lock(&file->mailbox->lock);
    open->size = size;
    open->broken = size == 0 ? 0 : open->broken;
    open->written = now_ns();
    open->dirty = TRUE;
    open->told = open->withdrawn = FALSE;
    g_mutex_unlock(&file->mailbox->lock);
  }
  row_let_go(file->mailbox, row);
  return ok;
}

/* Forgets an opened file that is not handed out after all. */
static void file_abandon(File *file)
{
  open_node_put(file->mailbox, file->open);
  g_free(file);
}

static gboolean open_file(Mailbox *mailbox, const Caller *caller, NodeId id, int flags, File **ret,
                          gboolean *ret_size_told_wrong, GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  gboolean reads = (flags & O_ACCMODE) != O_WRONLY && !(flags & O_TRUNC);
  gboolean writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
  if (!read_current(mailbox, caller, id, &node, error) ||
      (writes && !may_write(mailbox, &node, error)))
    return FALSE;

  File *file = file_new(mailbox, caller, &node);
  g_mutex_lock(&mailbox->lock);
  gboolean staged = file->open->stage >= 0;
  g_mutex_unlock(&mailbox->lock);
  GError *inner = NULL;
  gboolean ok = TRUE, bounce = FALSE;
  if (flags & O_TRUNC)
    ok = resize(file, caller, 0, &inner);
  else if (!staged && (reads || node.entry.size_kind != SIZE_EXACT))
    ok = begin_current(file, caller, &node, &bounce, &inner);
  if (ok && !bounce) {
    *ret_size_told_wrong = size_was_told_wrong(mailbox, id);
    *ret = file;
    return TRUE;
  }
  file_abandon(file);
  if (bounce)
    return stale(error);
  if (node.version != id.version) /* that is why */
    inner->code = ESTALE;
  g_propagate_error(error, inner);
  return FALSE;
}

gboolean mailbox_open_file(Mailbox *mailbox, const Caller *caller, NodeId id, int flags, File **ret,
                           gboolean *ret_size_told_wrong, GError **error)
{
  GError *inner = NULL;
  if (open_file(mailbox, caller, id, flags, ret, ret_size_told_wrong, &inner))
    return TRUE;
  if (error_errno(inner) == ESTALE)
    size_note_refused(mailbox, caller);
  g_propagate_error(error, inner);
  return FALSE;
}

/* The errno for a name nobody may create, with its sentence. */
gboolean name_may_be_made(const char *name, GError **error)
{
  int refused = RULE("name-check") ? name_check_new(name) : 0;
  if (refused == EINVAL)
    return error_set(error, EINVAL, SCOPE_ITEM,
                     "the name holds a character the server cannot keep");
  if (refused == EILSEQ)
    return error_set(error, EILSEQ, SCOPE_ITEM, "the name is not UTF-8");
  if (refused == ENAMETOOLONG)
    return error_set(error, ENAMETOOLONG, SCOPE_ITEM, "the name has more than 255 bytes");
  if (name_is_refused(name))
    return error_set(error, EPERM, SCOPE_ITEM, "a desktop's trash has no place in a mailbox");
  return TRUE;
}

gboolean folder_may_change(Mailbox *mailbox, gint64 ino, Node *folder, GError **error)
{
  if (mailbox->options.read_only)
    return error_set(error, EROFS, SCOPE_STORE, "mounted read-only");
  return row_read(mailbox, ino, folder, error);
}

gboolean mailbox_create(Mailbox *mailbox, const Caller *caller, gint64 parent, const char *name,
                        File **ret, Attr *out, GError **error)
{
  g_auto(Node) folder;
  g_auto(Node) node;
  g_auto(Entry) entry;
  node_init(&folder);
  node_init(&node);
  entry_init(&entry);
  if (!name_may_be_made(name, error) || !folder_may_change(mailbox, parent, &folder, error))
    return FALSE;
  if (folder.state & NODE_LOCAL)
    return error_set(error, EPERM, SCOPE_FOLDER, "nothing can be made in here");
  GError *inner = NULL;
  if (index_find(mailbox->index, parent, name, &node, &inner))
    return error_set(error, EEXIST, SCOPE_ITEM, "the name is taken");
  entry.fields = FIELD_SIZE | FIELD_TIMES;
  entry.size_kind = SIZE_EXACT;
  entry.modified = now_ns();
  if (inner || !index_insert(mailbox->index, parent, name, &entry, NODE_LOCAL, &node, &inner)) {
    g_propagate_error(error, inner);
    return FALSE;
  }
  File *file = file_new(mailbox, caller, &node);
  if (!resize(file, caller, 0, error)) {
    file_abandon(file);
    index_delete(mailbox->index, node.ino, NULL);
    return FALSE;
  }
  attr_from_node(mailbox, &node, &folder, out);
  *ret = file;
  return TRUE;
}

gboolean file_read(File *file, const Caller *caller, gint64 offset, gsize len, int *ret_fd,
                   gsize *ret_len, GError **error)
{
  Mailbox *mailbox = file->mailbox;
  g_mutex_lock(&mailbox->lock);
  int fd = file->open->stage;
  gint64 have = file->open->size;
  g_mutex_unlock(&mailbox->lock);
  if (fd < 0) {
    g_autoptr(Body) body = open_node_body(mailbox, file->open, error);
    if (!body)
      return FALSE;
    GError *inner = NULL;
    if (!body_wait(body, caller, offset + (gint64)len, &have, &inner)) {
      if (error_errno(inner) != EINTR)
        open_node_drop_body(mailbox, file->open, body);
      g_propagate_error(error, inner);
      return FALSE;
    }
    fd = body_fd(body); /* file->open keeps it, dropped or not */
  }
  *ret_fd = fd;
  *ret_len = offset >= have ? 0 : (gsize)MIN((gint64)len, have - offset);
  return TRUE;
}

/* What was written is not whole: it is not sent, and every close says so until it is cut to 0. */
static void note_broken(File *file, const GError *why)
{
  g_mutex_lock(&file->mailbox->lock);
  file->open->broken = error_errno(why);
  file->open->dirty = TRUE;
  g_mutex_unlock(&file->mailbox->lock);
}

static gboolean stage_write(File *file, const void *bytes, gsize len, gint64 offset, GError **error)
{
  GError *inner = NULL;
  if (file_pwrite_all(file->open->stage, bytes, len, offset, &inner))
    return TRUE;
  if (error_errno(inner) == ENOSPC && bodies_make_room(file->mailbox->bodies, (gint64)len)) {
    g_error_free(inner);
    return file_pwrite_all(file->open->stage, bytes, len, offset, error);
  }
  g_propagate_error(error, inner);
  return FALSE;
}

gboolean file_write(File *file, const Caller *caller, const void *bytes, gsize len, gint64 offset,
                    GError **error)
{
  OpenNode *open = file->open;
  Row *row;
  if (offset < 0 || offset > FILE_SIZE_MAX - (gint64)len)
    return error_set(error, EFBIG, SCOPE_ITEM, "a file can have 1 TiB here");
  if (!row_hold(file->mailbox, caller, open->id.ino, &row, error))
    return FALSE;
  gboolean ok = open_node_stage(file->mailbox, caller, open, -1, error);
  GError *inner = NULL;
  if (ok && !stage_write(file, bytes, len, offset, &inner)) {
    note_broken(file, inner);
    g_propagate_error(error, inner);
    ok = FALSE;
  }
  if (ok) {
    g_mutex_lock(&file->mailbox->lock);
    open->size = MAX(open->size, offset + (gint64)len);
    open->written = now_ns();
    open->mtime = TIME_UNKNOWN;
    open->dirty = TRUE;
    open->told = open->withdrawn = FALSE;
    g_mutex_unlock(&file->mailbox->lock);
  }
  row_let_go(file->mailbox, row);
  return ok;
}

gboolean mailbox_truncate(Mailbox *mailbox, const Caller *caller, NodeId id, File *file,
                          gint64 size, Attr *out, GError **error)
{
  if (file)
    return resize(file, caller, size, error) &&
           mailbox_getattr(mailbox, caller, id, file, out, error);
  if (size < 0 || size > FILE_SIZE_MAX)
    return error_set(error, EFBIG, SCOPE_ITEM, "a file can have 1 TiB here");
  g_auto(Node) node;
  node_init(&node);
  if (!read_current(mailbox, caller, id, &node, error) || !may_write(mailbox, &node, error))
    return FALSE;
  File *own = file_new(mailbox, caller, &node);
  gboolean ok = resize(own, caller, size, error) && file_fsync(own, caller, error) &&
                mailbox_getattr(mailbox, caller, id, own, out, error);
  file_release(own);
  return ok;
}

gboolean mailbox_set_mtime(Mailbox *mailbox, const Caller *caller, NodeId id, File *file,
                           gint64 mtime, Attr *out, GError **error)
{
  g_auto(Node) node;
  node_init(&node);
  if (mailbox->options.read_only)
    return error_set(error, EROFS, SCOPE_STORE, "mounted read-only");
  if (file)
    id = file_id(file);
  g_mutex_lock(&mailbox->lock);
  OpenNode *open = open_node_find(mailbox, id);
  gboolean later = open && open->dirty;
  if (open)
    open->mtime = mtime;
  g_mutex_unlock(&mailbox->lock);
  GError *inner = NULL;
  if (!index_get(mailbox->index, id.ino, &node, &inner)) {
    if (!inner)
      return later ? mailbox_getattr(mailbox, caller, id, file, out, error) : stale(error);
    g_propagate_error(error, inner);
    return FALSE;
  }
  /* With bytes still to be sent, the time goes after them: a PUT would set it anew. */
  gboolean owed = !later && !node.entry.folder && !(node.state & NODE_LOCAL) &&
                  store_caps(mailbox->store)->keeps_mtime;
  if (!index_set_mtime(mailbox->index, id.ino, mtime, owed, error))
    return FALSE;
  if (owed)
    mailbox_wake(mailbox);
  return mailbox_getattr(mailbox, caller, id, file, out, error);
}
