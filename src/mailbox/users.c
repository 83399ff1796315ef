/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Owns who is in a mount for many users: names, ranges, mailboxes that are being opened, failures
 * remembered. Leaves how a mailbox is opened to the caller, and who may ask for what to fs/.
 *
 * Locks: `ranges_lock` (the file of ranges) before `lock` (the table). Neither is held while a
 * mailbox is opened, closed or asked, nor while the host's user database is.
 */
#include "mailbox/users.h"

#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/rule.h"
#include "cache/cachedir.h"

#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define OPENING_MAX 256 /* mailboxes opened at once */
#define CLOSING_MAX 16
#define FAILED_MAX 1024u       /* users whose failure is remembered */
#define PASSWD_MAX (1u << 20)  /* bytes of one line of the user database */
#define RANGES_BYTES (1 << 16) /* the file of ranges, at most */

typedef enum { USER_AWAY, USER_OPENING, USER_OPEN } UserState;

/* A user who came, whether or not the mailbox could be opened. */
typedef struct {
  User user; /* read-only once open */
  UserState state;
  guint waiting;  /* calls that look at this */
  gint64 began;   /* OPENING: since when */
  GError *failed; /* AWAY: why */
  gint64 failed_at;
} Guest;

struct Users {
  char *dir;
  int lock_fd;
  gint64 wait_us;
  UsersOpenFunc func;
  gpointer data;
  Cancel *closing;
  GThreadPool *opening;
  GMutex ranges_lock;
  GArray *ranges; /* ranges_lock: uid_t, the one of index i + 1 */
  GMutex lock;
  GCond changed;
  GHashTable *guests;        /* lock: uid -> Guest */
  GHashTable *names;         /* lock: name -> Guest that is open */
  User *open[USERS_MAX + 1]; /* atomic: by index; set once */
};

char *users_show_name(const char *login, uid_t uid)
{
  g_autofree char *digits = g_strdup_printf("%lu", (unsigned long)uid);
  gboolean fit = login && *login && strcmp(login, ".") != 0 && strcmp(login, "..") != 0 &&
                 !strchr(login, '/') && strlen(login) <= NAME_MAX &&
                 login[strspn(login, "0123456789")];
  return fit ? g_strdup(login) : g_steal_pointer(&digits);
}

char *users_name(uid_t uid, gid_t *ret_gid)
{
  struct passwd entry, *found = NULL;
  gsize size = 1024;
  char *buffer = g_malloc(size);
  while (getpwuid_r(uid, &entry, buffer, size, &found) == ERANGE && size < PASSWD_MAX) {
    size *= 4;
    buffer = g_realloc(buffer, size);
  }
  if (ret_gid)
    *ret_gid = found ? found->pw_gid : (gid_t)uid; /* as most hosts give a user's own group */
  char *name = users_show_name(found ? found->pw_name : NULL, uid);
  g_free(buffer);
  return name;
}

static void guest_free(gpointer data)
{
  Guest *guest = data;
  g_clear_error(&guest->failed);
  g_free((char *)guest->user.name);
  g_free(guest);
}

static char *ranges_path(const Users *users)
{
  return g_build_filename(users->dir, "users", NULL);
}

static gboolean read_ranges(Users *users, GError **error)
{
  g_autofree char *path = ranges_path(users);
  g_autofree char *text = NULL;
  gsize len = 0;
  if (!g_file_test(path, G_FILE_TEST_EXISTS))
    return TRUE;
  gboolean ok = g_file_get_contents(path, &text, &len, NULL) && len <= RANGES_BYTES;
  g_auto(GStrv) lines = ok ? g_strsplit(text, "\n", -1) : NULL;
  for (guint i = 0; ok && lines[i] && (*lines[i] || lines[i + 1]); i++) {
    guint64 value = 0;
    ok = i < USERS_MAX && g_ascii_string_to_unsigned(lines[i], 10, 0, G_MAXUINT32, &value, NULL);
    uid_t uid = (uid_t)value;
    g_array_append_val(users->ranges, uid);
  }
  return ok || error_set(error, EIO, SCOPE_LOCAL,
                         "%s is damaged: remove it; inode numbers will then change", path);
}

static gboolean write_ranges(const Users *users, GError **error)
{
  g_autofree char *path = ranges_path(users);
  g_autoptr(GString) text = g_string_new(NULL);
  for (guint i = 0; i < users->ranges->len; i++)
    g_string_append_printf(text, "%lu\n", (unsigned long)g_array_index(users->ranges, uid_t, i));
  int fd = file_open_unnamed(users->dir, error);
  gboolean ok = fd >= 0 && file_pwrite_all(fd, text->str, text->len, 0, error) &&
                file_publish(fd, path, TRUE, error);
  if (fd >= 0)
    close(fd);
  return ok;
}

/* The range of UID, a new one when it has none; 0 with ERROR. */
static guint range_of(Users *users, uid_t uid, GError **error)
{
  guint index = 0;
  g_mutex_lock(&users->ranges_lock);
  for (guint i = 0; i < users->ranges->len && RULE("multi-range-kept"); i++)
    if (g_array_index(users->ranges, uid_t, i) == uid)
      index = i + 1;
  if (index == 0 && users->ranges->len >= USERS_MAX) {
    error_set(error, ENOSPC, SCOPE_LOCAL,
              "%u users have come, more than a mount can tell apart: mount once more, with another "
              "cache_dir",
              USERS_MAX);
  } else if (index == 0) {
    g_array_append_val(users->ranges, uid);
    if (write_ranges(users, error))
      index = users->ranges->len;
    else
      g_array_set_size(users->ranges, users->ranges->len - 1);
  }
  g_mutex_unlock(&users->ranges_lock);
  return index;
}

/* Files GUEST as open; FALSE when another uid has its name. */
static gboolean admit(Users *users, Guest *guest, Mailbox *mailbox, guint index, GError **error)
{
  User *user = &guest->user;
  g_mutex_lock(&users->lock);
  const Guest *other = g_hash_table_lookup(users->names, user->name);
  if (!other) {
    user->index = index;
    user->since = g_get_real_time() * 1000;
    user->mailbox = mailbox;
    guest->state = USER_OPEN;
    g_hash_table_insert(users->names, (char *)user->name, guest);
    g_atomic_pointer_set(&users->open[index], user);
  }
  g_mutex_unlock(&users->lock);
  if (other)
    return error_set(error, EACCES, SCOPE_LOCAL, "the directory of that name is uid %lu's",
                     (unsigned long)other->user.uid);
  log_info("mailbox", "%s (uid %lu) has come: %s", user->name, (unsigned long)user->uid,
           mailbox_description(mailbox));
  return TRUE;
}

/* On a thread of the pool: the one attempt that all who ask for GUEST wait for. */
static void open_guest(gpointer data, gpointer shared)
{
  Guest *guest = data;
  Users *users = shared;
  User *user = &guest->user;
  g_autoptr(GError) error = NULL;
  Mailbox *mailbox = users->func(user->name, user->uid, users->closing, users->data, &error);
  guint index = mailbox ? range_of(users, user->uid, &error) : 0;
  gboolean ok = index > 0 && admit(users, guest, mailbox, index, &error);
  if (!ok)
    mailbox_close(mailbox);

  g_mutex_lock(&users->lock);
  if (!ok) {
    guest->state = USER_AWAY;
    guest->failed_at = g_get_monotonic_time();
    guest->failed =
        error_new(error_errno(error), MAX(error_scope(error), SCOPE_STORE), "%s (uid %lu): %s",
                  user->name, (unsigned long)user->uid, error->message);
  }
  g_cond_broadcast(&users->changed);
  g_mutex_unlock(&users->lock);
}

Users *users_open(const char *dir, gint64 wait_ms, UsersOpenFunc func, gpointer data,
                  GError **error)
{
  Users *users = g_new0(Users, 1);
  users->dir = g_strdup(dir);
  users->wait_us = wait_ms * 1000;
  users->func = func;
  users->data = data;
  users->closing = cancel_new();
  users->opening = g_thread_pool_new(open_guest, users, OPENING_MAX, FALSE, NULL);
  users->ranges = g_array_new(FALSE, FALSE, sizeof(uid_t));
  users->guests = g_hash_table_new_full(NULL, NULL, NULL, guest_free);
  users->names = g_hash_table_new(g_str_hash, g_str_equal);
  g_mutex_init(&users->ranges_lock);
  g_mutex_init(&users->lock);
  g_cond_init(&users->changed);
  users->lock_fd = cachedir_lock(dir, error);
  if (users->lock_fd >= 0 && read_ranges(users, error))
    return users;
  users_close(users);
  return NULL;
}

static void close_one(gpointer data, gpointer shared)
{
  (void)shared;
  mailbox_close(data);
}

void users_close(Users *users)
{
  if (!users)
    return;
  cancel_trigger(users->closing);
  g_thread_pool_free(users->opening, FALSE, TRUE);
  /* Each may have something to send yet. */
  GThreadPool *pool = g_thread_pool_new(close_one, NULL, CLOSING_MAX, FALSE, NULL);
  for (guint i = 1; i <= USERS_MAX; i++)
    if (users->open[i])
      g_thread_pool_push(pool, users->open[i]->mailbox, NULL);
  g_thread_pool_free(pool, FALSE, TRUE);
  g_hash_table_unref(users->names);
  g_hash_table_unref(users->guests);
  g_array_unref(users->ranges);
  g_mutex_clear(&users->ranges_lock);
  g_mutex_clear(&users->lock);
  g_cond_clear(&users->changed);
  cancel_unref(users->closing);
  if (users->lock_fd >= 0)
    close(users->lock_fd);
  g_free(users->dir);
  g_free(users);
}

static gboolean failed_lately(const Guest *guest)
{
  return guest->failed && g_get_monotonic_time() - guest->failed_at < USERS_MEMORY_US &&
         RULE("multi-failure-kept");
}

static gboolean is_forgotten(gpointer uid, gpointer value, gpointer user)
{
  (void)uid;
  (void)user;
  const Guest *guest = value;
  return guest->state == USER_AWAY && guest->waiting == 0 && !failed_lately(guest);
}

/* With the lock held: UID's guest, NULL when too many strangers knock. Takes NAME over. */
static Guest *guest_get(Users *users, uid_t uid, char *name, gid_t gid)
{
  Guest *guest = g_hash_table_lookup(users->guests, GUINT_TO_POINTER(uid));
  if (!guest && g_hash_table_size(users->guests) >= FAILED_MAX)
    g_hash_table_foreach_remove(users->guests, is_forgotten, NULL);
  if (!guest && g_hash_table_size(users->guests) < USERS_MAX + FAILED_MAX) {
    guest = g_new0(Guest, 1);
    guest->user = (User){.uid = uid, .gid = gid, .name = g_steal_pointer(&name)};
    g_hash_table_insert(users->guests, GUINT_TO_POINTER(uid), guest);
  }
  g_free(name);
  return guest;
}

/*
 * With the lock held: waits until GUEST is open, beginning with the opening when it must. The time
 * is that of the opening, not of each call: the kernel sends lookups of one name one by one, and
 * whoever waits there cannot even be killed.
 */
static const User *guest_wait(Users *users, const Caller *caller, Guest *guest, GError **error)
{
  int failed = 0;
  if (guest->state == USER_AWAY && !failed_lately(guest)) {
    g_clear_error(&guest->failed);
    guest->state = USER_OPENING;
    guest->began = g_get_monotonic_time();
    g_thread_pool_push(users->opening, guest, NULL);
  }
  while (guest->state == USER_OPENING && !failed)
    failed =
        cancel_wait(caller->cancel, &users->changed, &users->lock, guest->began + users->wait_us);
  if (guest->state == USER_OPEN)
    return &guest->user;
  if (guest->state == USER_AWAY)
    g_propagate_error(error, g_error_copy(guest->failed));
  else if (failed == EINTR)
    error_set(error, EINTR, SCOPE_ITEM, "interrupted");
  else
    error_set(error, ETIMEDOUT, SCOPE_LINE,
              "%s (uid %lu): the mailbox is not open yet: try again, or raise timeo_meta",
              guest->user.name, (unsigned long)guest->user.uid);
  return NULL;
}

static const User *come(Users *users, const Caller *caller, uid_t uid, char *name, gid_t gid,
                        GError **error)
{
  const User *user = NULL;
  g_mutex_lock(&users->lock);
  Guest *guest = guest_get(users, uid, name, gid);
  if (guest) {
    guest->waiting++;
    user = guest_wait(users, caller, guest, error);
    guest->waiting--;
  } else {
    error_set(error, ENOSPC, SCOPE_LOCAL, "too many users come at once: uid %lu has to wait",
              (unsigned long)uid);
  }
  g_mutex_unlock(&users->lock);
  return user;
}

const User *users_lookup(Users *users, const Caller *caller, uid_t uid, const char *name,
                         GError **error)
{
  const User *own = users_find_uid(users, uid);
  if (own && strcmp(own->name, name) == 0)
    return own;
  if (!own) {
    gid_t gid;
    g_autofree char *mine = users_name(uid, &gid);
    if (strcmp(mine, name) == 0)
      return come(users, caller, uid, g_steal_pointer(&mine), gid, error);
  }
  g_mutex_lock(&users->lock);
  const Guest *guest = g_hash_table_lookup(users->names, name);
  g_mutex_unlock(&users->lock);
  if (!guest)
    error_set(error, ENOENT, SCOPE_ITEM, "no user of that name has come");
  return guest ? &guest->user : NULL;
}

const User *users_find(Users *users, guint index)
{
  return index <= USERS_MAX ? g_atomic_pointer_get(&users->open[index]) : NULL;
}

const User *users_find_uid(Users *users, uid_t uid)
{
  g_mutex_lock(&users->lock);
  const Guest *guest = g_hash_table_lookup(users->guests, GUINT_TO_POINTER(uid));
  const User *user = guest && guest->state == USER_OPEN ? &guest->user : NULL;
  g_mutex_unlock(&users->lock);
  return user;
}
