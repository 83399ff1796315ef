/* SPDX-License-Identifier: Apache-2.0 */
/* Directory trees and synthetic folders into the model. */
#include "import.h"

#include "dav_url.h"
#include "mime.h"
#include "synth.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEPTH_MAX 64

const char *const *import_folder_names(const char *locale)
{
  static const char *const en[] = {"Inbox",  "Outbox",   "Sent Items", "Deleted Items",
                                   "Drafts", "Calendar", "Contacts",   "Tasks",
                                   "Notes",  "Journal",  "Junk E-mail"};
  static const char *const de[] = {"Posteingang",       "Postausgang", "Gesendete Objekte",
                                   "Gelöschte Objekte", "Entwürfe",    "Kalender",
                                   "Kontakte",          "Aufgaben",    "Notizen",
                                   "Journal",           "Junk-E-Mail"};
  static const char *const no[] = {"Innboks", "Utboks",   "Sendte elementer", "Slettede elementer",
                                   "Kladd",   "Kalender", "Kontakter",        "Oppgaver",
                                   "Notater", "Logg",     "Søppelpost"};
  return strcmp(locale, "en") == 0   ? en
         : strcmp(locale, "de") == 0 ? de
         : strcmp(locale, "no") == 0 ? no
                                     : NULL;
}

/* The folder a directory stands for: a usual one by its English name, one that is there, or a new
 * one. */
static Node *folder_for(Sim *sim, Node *parent, const char *name)
{
  const char *const *usual = import_folder_names("en");
  Mailbox *mailbox = model_mailbox_of(parent);
  for (int role = ROLE_INBOX; !parent->parent && role < ROLE_COUNT; role++) {
    if (mailbox->known[role] && g_ascii_strcasecmp(usual[role - ROLE_INBOX], name) == 0) {
      return mailbox->known[role];
    }
  }
  Node *child = model_child(sim->model, parent, name);
  if (!child) {
    const char *parent_class = parent->parent ? parent->message_class : "IPF.Note";
    child = model_make_folder(sim->model, parent, name, parent_class);
  }
  return child->folder ? child : NULL;
}

static const char *type_of(const char *name)
{
  static const char *const types[][2] = {{".eml", "message/rfc822"}, {".vcf", "text/vcard"},
                                         {".ics", "text/calendar"},  {".txt", "text/plain"},
                                         {".html", "text/html"},     {".pdf", "application/pdf"},
                                         {".jpg", "image/jpeg"},     {".png", "image/png"}};
  gsize len = strlen(name);
  for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
    gsize n = strlen(types[i][0]);
    if (len > n && g_ascii_strcasecmp(name + len - n, types[i][0]) == 0) {
      return types[i][1];
    }
  }
  return "application/octet-stream";
}

static Body *read_file(const char *path, GError **error)
{
  int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s: %s", path,
                g_strerror(errno));
    return NULL;
  }
  Spool *spool = spool_new();
  g_autofree char *buffer = g_malloc(65536);
  gssize got;
  gboolean good = TRUE;
  while (good && (got = read(fd, buffer, 65536)) > 0) {
    good = spool_append(spool, buffer, (gsize)got);
  }
  close(fd);
  if (!good || got < 0) {
    spool_free(spool);
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_IO, "%s: cannot be read", path);
    return NULL;
  }
  return spool_finish(spool);
}

static gboolean import_file(Sim *sim, Node *folder, const char *name, const char *path,
                            const struct stat *stat, GError **error)
{
  g_autoptr(Body) file = read_file(path, error);
  if (!file) {
    return FALSE;
  }
  const char *type = type_of(name);
  gboolean message = sim_exchange(sim) && strcmp(type, "message/rfc822") == 0;
  g_autoptr(Body) body = message ? mime_line_ends(file) : body_ref(file);
  g_autofree char *unique = model_free_name(sim->model, folder, name);
  Node *item = model_make_item(sim->model, folder, unique);
  item->document = !message;
  if (item->document) {
    item->message_class = g_intern_static_string("IPM.Document");
    item->content_class = g_intern_static_string("urn:content-classes:document");
    model_set_read(sim->model, item, TRUE);
  }
  model_put(sim->model, item, body, type);
  item->received = (gint64)stat->st_mtime * 1000;
  if (!item->document) {
    mime_describe(sim->model, item, TRUE);
  } else {
    item->modified = item->received;
  }
  return TRUE;
}

static gint by_name(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static gboolean import_directory(Sim *sim, Node *folder, const char *path, guint depth,
                                 GError **error)
{
  g_autoptr(GDir) dir = g_dir_open(path, 0, error);
  if (!dir) {
    return FALSE;
  }
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  for (const char *name; (name = g_dir_read_name(dir));) {
    g_ptr_array_add(names, g_strdup(name));
  }
  g_ptr_array_sort(names, by_name); /* the same ids in every run */
  for (guint i = 0; i < names->len; i++) {
    const char *file = names->pdata[i];
    g_autofree char *child = g_build_filename(path, file, NULL);
    g_autofree char *name = url_segment_name(sim, file);
    struct stat stat;
    if (!name || lstat(child, &stat) != 0) {
      continue;
    }
    if (S_ISDIR(stat.st_mode) && depth < DEPTH_MAX) {
      Node *node = folder_for(sim, folder, name);
      if (node && !import_directory(sim, node, child, depth + 1, error)) {
        return FALSE;
      }
    } else if (S_ISREG(stat.st_mode) && !import_file(sim, folder, name, child, &stat, error)) {
      return FALSE;
    }
  }
  return TRUE;
}

gboolean import_tree(Sim *sim, Mailbox *mailbox, const char *path, GError **error)
{
  return import_directory(sim, mailbox->root, path, 0, error);
}

gboolean import_synthetic(Sim *sim, Mailbox *mailbox, const char *folder, guint count,
                          GError **error)
{
  g_auto(GStrv) parts = g_strsplit(folder, "/", -1);
  Node *node = mailbox->root;
  for (guint i = 0; node && parts[i]; i++) {
    node = parts[i][0] ? folder_for(sim, node, parts[i]) : node;
  }
  if (!node) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOTDIR, "%s is no folder", folder);
    return FALSE;
  }
  for (guint i = 0; i < count; i++) {
    g_autofree char *name = synth_name(i);
    Node *item = model_make_item(sim->model, node, name);
    g_autoptr(Body) body = body_new_synthetic(i);
    item->document = !sim_exchange(sim);
    model_put(sim->model, item, body, "message/rfc822");
    item->received = item->modified = item->created = synth_received(i);
    model_set_read(sim->model, item, i % 3 != 0);
  }
  return TRUE;
}
