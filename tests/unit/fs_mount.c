/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel makes of what fs/ shows: attributes, sizes, versions, listings, and the errno of
 * what a mailbox cannot do.
 */
#include "fs_mounted.h"

#include <dirent.h>
#include <sys/sendfile.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>

static void attributes_are_the_mailboxs(void **state)
{
  (void)state;
  struct stat st;
  assert_int_equal(stat(in_mount("plain"), &st), 0);
  assert_int_equal(st.st_mode, S_IFREG | 0600);
  assert_int_equal(st.st_ino, PLAIN);
  assert_int_equal(st.st_nlink, 1);
  assert_int_equal(st.st_size, TRUE_SIZE);
  assert_int_equal(st.st_blocks, 10);
  assert_int_equal(st.st_mtim.tv_sec, 1000000000);
  assert_int_equal(st.st_mtim.tv_nsec, 5);
  assert_int_equal(st.st_atim.tv_sec, 1000000000);
  assert_int_equal(st.st_ctim.tv_sec, 1000000001);
  assert_int_equal(stat(in_mount("read-only"), &st), 0);
  assert_int_equal(st.st_mode, S_IFREG | 0400);
  assert_int_equal(stat(in_mount("folder"), &st), 0);
  assert_int_equal(st.st_mode, S_IFDIR | 0700);
  assert_int_equal(do_stat("absent"), ENOENT);
  struct statvfs vfs;
  assert_int_equal(statvfs(dir, &vfs), 0);
  assert_int_equal(vfs.f_blocks * vfs.f_frsize, 1 << 30);
  assert_int_equal(vfs.f_namemax, 255);
}

/* An inner ENOSYS must not switch lookups off for ever. */
static void odd_errors_become_eio(void **state)
{
  (void)state;
  assert_int_equal(do_stat("strange"), EIO);
  assert_int_equal(do_stat("plain"), 0);
}

static void estimate_is_replaced_before_the_open_returns(void **state)
{
  (void)state;
  struct stat st;
  assert_int_equal(stat(in_mount("sized"), &st), 0);
  assert_int_equal(st.st_size, ESTIMATE);
  int fd = open(in_mount("sized"), O_RDONLY);
  assert_true(fd >= 0);
  assert_int_equal(g_atomic_int_get(&shared->opens), 2); /* ESTALE, then the kernel came again */
  assert_int_equal(fstat(fd, &st), 0);
  assert_int_equal(st.st_size, TRUE_SIZE);
  int out = memfd_create("out", MFD_CLOEXEC);
  assert_int_equal(sendfile(out, fd, NULL, 2 * ESTIMATE), TRUE_SIZE);
  close(out);
  close(fd);
}

static void size_told_wrong_is_taken_back(void **state)
{
  (void)state;
  struct stat st;
  int fd = open(in_mount("told-wrong"), O_PATH);
  assert_true(fd >= 0);
  assert_int_equal(fstat(fd, &st), 0);
  assert_int_equal(st.st_size, ESTIMATE);
  g_autofree char *self = g_strdup_printf("/proc/self/fd/%d", fd);
  int again = open(self, O_RDONLY);
  assert_true(again >= 0);
  assert_int_equal(fstat(again, &st), 0);
  assert_int_equal(st.st_size, TRUE_SIZE);
  close(again);
  close(fd);
}

static void open_file_keeps_its_version(void **state)
{
  (void)state;
  char byte = 0;
  struct stat before, after;
  int old = open(in_mount("versioned"), O_RDONLY);
  assert_int_equal(pread(old, &byte, 1, 0), 1);
  assert_int_equal(byte, '1');
  char *map = mmap(NULL, TRUE_SIZE, PROT_READ, MAP_SHARED, old, 0);
  assert_ptr_not_equal(map, MAP_FAILED);
  assert_int_equal(fstat(old, &before), 0);

  g_atomic_int_set(&shared->version, 2);
  int fresh = open(in_mount("versioned"), O_RDONLY);
  assert_int_equal(fstat(fresh, &after), 0);
  assert_int_equal(pread(fresh, &byte, 1, 100), 1);
  assert_int_equal(byte, '2');
  assert_int_equal(pread(old, &byte, 1, TRUE_SIZE - 1), 1);
  assert_int_equal(byte, '1');
  assert_int_equal(map[4500], '1');
  assert_int_equal(before.st_ino, after.st_ino);
  munmap(map, TRUE_SIZE);
  close(old);
  close(fresh);
}

static void listing_survives_a_deletion(void **state)
{
  (void)state;
  DIR *open_dir = opendir(in_mount("folder"));
  assert_non_null(open_dir);
  int seen = 0;
  struct dirent *entry;
  while ((entry = readdir(open_dir))) {
    if (seen == 0)
      g_atomic_int_set(&shared->gone, 2990);
    assert_int_not_equal(entry->d_ino, 0);
    if (g_str_has_prefix(entry->d_name, "many-")) {
      assert_int_equal(entry->d_ino, MANY_INO + atoi(entry->d_name + 5));
      assert_int_not_equal(atoi(entry->d_name + 5), 2990);
    }
    seen++;
  }
  closedir(open_dir);
  assert_int_equal(seen, MANY - 1 + 2);
}

static int list_with_attributes(void)
{
  DIR *open_dir = opendir(in_mount("folder"));
  int seen = 0;
  struct dirent *entry;
  struct stat st;
  while ((entry = readdir(open_dir)))
    seen += fstatat(dirfd(open_dir), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0;
  closedir(open_dir);
  return seen;
}

static void listing_brings_attributes_and_is_kept(void **state)
{
  (void)state;
  g_atomic_int_set(&shared->dir_same, 1);
  assert_int_equal(list_with_attributes(), MANY + 2);
  gint lookups = g_atomic_int_get(&shared->lookups);
  assert_true(lookups <= 1); /* of the folder itself */
  gint readdirs = g_atomic_int_get(&shared->readdirs);
  assert_int_equal(list_with_attributes(), MANY + 2);
  assert_int_equal(g_atomic_int_get(&shared->readdirs), readdirs);
  g_atomic_int_set(&shared->dir_same, 0);
  assert_int_equal(list_with_attributes(), MANY + 2);
  assert_true(g_atomic_int_get(&shared->readdirs) > readdirs);
  assert_int_equal(g_atomic_int_get(&shared->lookups), lookups);
}

static void what_a_mailbox_cannot_hold_is_refused(void **state)
{
  (void)state;
  g_autofree char *plain = g_strdup(in_mount("plain"));
  assert_int_equal(chmod(plain, 0600), 0);
  assert_int_equal(chown(plain, getuid(), getgid()), 0);
  assert_int_equal(chmod(plain, 0644), 0); /* the umask takes the difference off */
  assert_int_equal(chmod(plain, 0400), -1);
  assert_int_equal(errno, EPERM);
  assert_int_equal(chmod(plain, 04600), -1);
  assert_int_equal(errno, EPERM);
  assert_int_equal(link(plain, in_mount("other")), -1);
  assert_int_equal(errno, EPERM);
  assert_int_equal(symlink("plain", in_mount("other")), -1);
  assert_int_equal(errno, EPERM);
  assert_int_equal(mkfifo(in_mount("other"), 0600), -1);
  assert_int_equal(errno, EPERM);
  char value[10];
  assert_int_equal(getxattr(plain, "security.selinux", value, sizeof value), -1);
  assert_int_equal(errno, EOPNOTSUPP);
  assert_int_equal(setxattr(plain, "user.a", "b", 1, 0), -1);
  assert_int_equal(errno, EOPNOTSUPP);
  assert_int_equal(truncate(plain, (off_t)1 << 50), -1);
  assert_int_equal(errno, EFBIG);
  int fd = open(plain, O_RDWR);
  assert_int_equal(fallocate(fd, 0, 0, 10000), -1);
  assert_int_equal(errno, EOPNOTSUPP);
  assert_int_equal(lseek(fd, 0, SEEK_END), TRUE_SIZE);
  close(fd);
}

static void mtime_is_set_and_atime_ignored(void **state)
{
  (void)state;
  struct stat st;
  struct timespec times[2] = {{.tv_sec = 77}, {.tv_sec = 1234, .tv_nsec = 567}};
  assert_int_equal(utimensat(AT_FDCWD, in_mount("written"), times, 0), 0);
  assert_int_equal(stat(in_mount("written"), &st), 0);
  assert_int_equal(st.st_mtim.tv_sec, 1234);
  assert_int_equal(st.st_mtim.tv_nsec, 567);
  times[1].tv_nsec = UTIME_OMIT;
  assert_int_equal(utimensat(AT_FDCWD, in_mount("written"), times, 0), 0);
  assert_int_equal(stat(in_mount("written"), &st), 0);
  assert_int_equal(st.st_mtim.tv_sec, 1234);
  assert_int_equal(utimensat(AT_FDCWD, in_mount("written"), NULL, 0), 0);
  assert_int_equal(stat(in_mount("written"), &st), 0);
  assert_true(llabs(st.st_mtim.tv_sec - time(NULL)) < 5);
}

static void renames_pass_their_flags(void **state)
{
  (void)state;
  g_autofree char *from = g_strdup(in_mount("plain"));
  assert_int_equal(renameat2(AT_FDCWD, from, AT_FDCWD, in_mount("free"), RENAME_NOREPLACE), -1);
  assert_int_equal(errno, EEXIST);
  assert_int_equal(renameat2(AT_FDCWD, from, AT_FDCWD, in_mount("written"), RENAME_EXCHANGE), -1);
  assert_int_equal(errno, EINVAL);
  assert_int_equal(rename(from, in_mount("free")), 0);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      MOUNTED(attributes_are_the_mailboxs),
      MOUNTED(odd_errors_become_eio),
      MOUNTED(estimate_is_replaced_before_the_open_returns),
      MOUNTED(size_told_wrong_is_taken_back),
      MOUNTED(open_file_keeps_its_version),
      MOUNTED(listing_survives_a_deletion),
      MOUNTED(listing_brings_attributes_and_is_kept),
      MOUNTED(what_a_mailbox_cannot_hold_is_refused),
      MOUNTED(mtime_is_set_and_atime_ignored),
      MOUNTED(renames_pass_their_flags),
  };
  share();
  return cmocka_run_group_tests(tests, NULL, NULL);
}
