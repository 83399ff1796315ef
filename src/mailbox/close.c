/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns the ends of open files: which close sends what was written, what a killed writer takes back,
 * and what becomes of bytes that no close covered. Leaves the sending to change/.
 */
#include "mailbox/private.h"
#include "model/name.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* TRUE when PID is on its way out because of a signal: its descriptors are closed for it. */
static gboolean is_killed(pid_t pid)
{
  const unsigned long signaled = 0x400; /* PF_SIGNALED of the kernel's linux/sched.h */
  g_autofree char *path = g_strdup_printf("/proc/%d/stat", (int)pid);
  g_autofree char *text = NULL;
  if (pid <= 0 || !g_file_get_contents(path, &text, NULL, NULL))
    return FALSE;
  const char *fields = strrchr(text, ')'); /* the name before it may hold anything */
  unsigned long flags = 0;
  return fields && sscanf(fields, ") %*c %*d %*d %*d %*d %*d %lu", &flags) == 1 &&
         (flags & signaled) != 0;
}

/* Sends what FILE's node owes, with the row held for as long as it takes. */
static gboolean send_dirty(File *file, const Caller *caller, GError **error)
{
  OpenNode *open = file->open;
  Row *row;
  if (!row_hold(file->mailbox, caller, open->id.ino, &row, error))
    return FALSE;
  GError *inner = NULL;
  gboolean ok = !open->dirty;
  if (!ok && open->broken && RULE("write-broken"))
    error_set(&inner, open->broken, SCOPE_LOCAL,
              "a write failed before: nothing of it is sent, write the file again");
  else if (!ok)
    ok = put_upload(file->mailbox, caller, open, &inner);
  if (!ok) {
    g_mutex_lock(&file->mailbox->lock);
    open->told = TRUE;
    open->withdrawn = error_errno(inner) == EINTR && RULE("flush-withdrawn");
    g_mutex_unlock(&file->mailbox->lock);
    g_propagate_error(error, inner);
  }
  row_let_go(file->mailbox, row);
  return ok;
}

gboolean file_flush(File *file, const Caller *caller, GError **error)
{
  OpenNode *open = file->open;
  g_mutex_lock(&file->mailbox->lock);
  gboolean nothing = !open->dirty || open->unlinked || open->withdrawn;
  gboolean empty = open->size == 0;
  g_mutex_unlock(&file->mailbox->lock);
  if (nothing)
    return TRUE;
  /* A shell opens for its child, and every echo closes a copy: only the opener's close counts. */
  if (RULE("flush-opener") && caller->pid != file->process &&
      process_of(caller->pid) != file->process)
    return TRUE;
  /* `> f` and touch close an empty file first: what follows is worth waiting for. */
  if (empty && !file->flushed_empty && RULE("flush-empty-later")) {
    gboolean killed = is_killed(caller->pid) && RULE("flush-withdrawn");
    g_mutex_lock(&file->mailbox->lock);
    file->flushed_empty = TRUE;
    open->withdrawn = killed;
    g_mutex_unlock(&file->mailbox->lock);
    return TRUE;
  }
  return send_dirty(file, caller, error);
}

gboolean file_fsync(File *file, const Caller *caller, GError **error)
{
  return send_dirty(file, caller, error);
}

/*
 * The staged bytes are what the server holds: worth keeping for the next reader. From here on they
 * are the cache's: nobody who opens the file gets to write into them.
 */
static void keep_stage(Mailbox *mailbox, OpenNode *open)
{
  g_auto(Node) node;
  node_init(&node);
  if (!open_node_detach(mailbox, open) || open->stage < 0 || open->kept || open->unlinked ||
      open->base != open->id.version || !index_get(mailbox->index, open->id.ino, &node, NULL) ||
      node.version != open->base || (node.state & NODE_LOCAL) ||
      node.entry.size_kind != SIZE_EXACT || node.entry.size != open->size)
    return;
  g_autoptr(GError) ignored = NULL;
  if (!bodies_publish(mailbox->bodies, open->id.ino, open->base, open->stage, open->size, &ignored))
    log_debug("mailbox", "written bytes are not kept: %s", ignored->message);
}

/* Drops bytes that nobody wants sent any more; a new file goes with them. */
static void discard(Mailbox *mailbox, OpenNode *open)
{
  g_auto(Node) node;
  node_init(&node);
  if (index_get(mailbox->index, open->id.ino, &node, NULL) && (node.state & NODE_LOCAL) &&
      !name_is_local(node.name))
    index_delete(mailbox->index, open->id.ino, NULL);
}

/* The server has the bytes, but there was no room to note it: with the stage gone there is. */
static void forget_unnoted(Mailbox *mailbox, OpenNode *open)
{
  g_auto(Node) node;
  node_init(&node);
  if (ftruncate(open->stage, 0) < 0)
    log_debug("mailbox", "a stage cannot be cut: %s", g_strerror(errno));
  if (!index_get(mailbox->index, open->id.ino, &node, NULL))
    return;
  index_delete(mailbox->index, open->id.ino, NULL);
  index_forget_listing(mailbox->index, node.parent, NULL);
}

void file_release(File *file)
{
  Mailbox *mailbox = file->mailbox;
  OpenNode *open = file->open;
  Row *row;
  if (row_hold(mailbox, NULL, open->id.ino, &row, NULL)) {
    g_mutex_lock(&mailbox->lock);
    gboolean last = open->handles == 1;
    gboolean dirty = open->dirty && !open->unlinked;
    gboolean unwanted = open->withdrawn || open->told || open->broken;
    g_mutex_unlock(&mailbox->lock);
    if (last && dirty && unwanted)
      discard(mailbox, open);
    else if (last && dirty)
      put_last(mailbox, open);
    /* Bytes that were refused are in the kernel's pages: nobody else shall read them there. */
    if (last && open->stage >= 0 && (open->dirty || open->base == VERSION_NONE) &&
        RULE("refused-not-shown"))
      index_renew(mailbox->index, open->id.ino, open->id.version);
    if (last && open->unnoted)
      forget_unnoted(mailbox, open);
    else if (last && !open->dirty)
      keep_stage(mailbox, open);
    row_let_go(mailbox, row);
  }
  open_node_put(mailbox, open);
  g_free(file);
}
