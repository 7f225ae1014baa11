// Owns reaching a place inside a container's root, whose every name and symlink the image or the container chose. The
// kernel resolves it as if the root were `/` (RESOLVE_IN_ROOT), so no path leads out, and no magic link of /proc is
// followed. Below /proc, /sys and /dev there is no symlink at all on the way: otherwise an image could move those file
// systems, or what covers parts of them, elsewhere (the class of CVE-2019-19921, CVE-2023-27561, CVE-2025-52565 and
// CVE-2026-41579; crun before 1.28 makes its nodes wherever an image's /dev leads, CVE-2026-47766). No symlink
// elsewhere leads into those places either.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>

#include "handle.h"
#include "mounts.h"
#include "target.h"

static const char *const kernel_places[] = {"/proc", "/sys", "/dev"};
enum { KERNEL_PLACES = sizeof kernel_places / sizeof *kernel_places, LINK_HOPS = 8 };

static bool is_kernel_place(const char *path) {
  for (size_t i = 0; i < KERNEL_PLACES; i++) {
    size_t n = strlen(kernel_places[i]);
    if (!strncmp(path, kernel_places[i], n) && (!path[n] || path[n] == '/')) return true;
  }
  return false;
}

static int open_in(int root, const char *path, uint64_t flags, mode_t mode, bool strict) {
  struct open_how how = {.flags = flags | O_CLOEXEC,
                         .mode = mode,
                         .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (strict ? RESOLVE_NO_SYMLINKS : 0)};
  return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

// Whether `fd` is in one of the kernel's places. Its name is seen from where the root is seen.
static bool is_in_kernel_place(int root, int fd) {
  char top[PATH_MAX], name[PATH_MAX];
  ssize_t length = readlink(fd_path(root).text, top, sizeof top - 1),
          n = readlink(fd_path(fd).text, name, sizeof name - 1);
  if (length < 0 || n < 0) return true;
  top[length] = name[n] = 0;
  size_t skip = length == 1 ? 0 : (size_t)length; // the root is `/` itself where a process has joined
  return !strncmp(name, top, skip) && is_kernel_place(name + skip);
}

// Opens what is there. Where `path` is not one of the kernel's own places (`strict`), its symlinks lead to none either.
static int open_place(int root, const char *path, uint64_t flags, bool strict) {
  int fd = open_in(root, path, flags, 0, true);
  if (fd >= 0 || strict || errno != ELOOP) return fd;
  fd = open_in(root, path, flags, 0, false);
  if (fd < 0 || !is_in_kernel_place(root, fd)) return fd;
  close(fd);
  errno = ELOOP;
  return -1;
}

static int refuse(struct error *error, const char *path) {
  if (errno == ELOOP)
    return error_set(error, "forbidden", 0,
                     "The image has a symbolic link on the way to %s, which must be an ordinary file or directory",
                     path);
  return error_set(error, "invalid-argument", errno, "Could not reach %s in the container", path);
}

// Makes `name` in the directory `parent`. A mark that the file system has no room for is left out: what was made then
// counts as a change.
static int make_one(int parent, const char *name, enum target_kind kind, enum target_making making) {
  struct stat before;
  if (fstat(parent, &before)) return -1;
  if (kind == TARGET_DIRECTORY) {
    if (mkdirat(parent, name, 0755)) return errno == EEXIST ? 0 : -1;
  } else {
    auto_fd made = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (made < 0) return errno == EEXIST ? 0 : -1;
  }
  if (making != TARGET_MOUNT_POINT) return 0;
  auto_fd made = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (made >= 0) setxattr(fd_path(made).text, TARGET_MARK, "", 0, 0);
  struct timespec times[2] = {before.st_atim, before.st_mtim};
  utimensat(AT_FDCWD, fd_path(parent).text, times, 0);
  return 0;
}

// Makes the directories of `path` that are missing, one by one, each looked up from the root again.
static int make_directories(int root, char *path, bool strict, enum target_making making) {
  for (char *slash = path; slash;) {
    slash = strchr(slash + 1, '/');
    if (slash) *slash = 0;
    auto_fd there = open_place(root, path, O_PATH | O_DIRECTORY, strict);
    if (there < 0 && errno == ENOENT) {
      char *last = strrchr(path, '/');
      *last = 0;
      auto_fd parent = last == path ? openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)
                                    : open_place(root, path, O_PATH | O_DIRECTORY, strict);
      *last = '/';
      if (parent < 0 || make_one(parent, last + 1, TARGET_DIRECTORY, making)) return -1;
    } else if (there < 0) {
      return -1;
    }
    if (slash) *slash = '/';
  }
  return 0;
}

// Makes the file `path`, whose directory is there, or what it names if it is a symlink to nothing (Ubuntu's
// /etc/resolv.conf).
static int make_file(int root, char *path, bool strict, enum target_making making, unsigned hops) {
  char *last = strrchr(path, '/');
  *last = 0;
  if (last != path && make_directories(root, path, strict, making)) return -1;
  auto_fd parent = last == path ? openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)
                                : open_place(root, path, O_PATH | O_DIRECTORY, strict);
  *last = '/';
  if (parent < 0) return -1;
  char link[PATH_MAX];
  ssize_t n = strict ? -1 : readlinkat(parent, last + 1, link, sizeof link - 1);
  if (n < 0) return make_one(parent, last + 1, TARGET_FILE, making);
  link[n] = 0;
  errno = ELOOP;
  if (!n || hops == LINK_HOPS) return -1;
  *last = 0;
  auto_free char *next = NULL;
  int length = *link == '/' ? asprintf(&next, "%s", link) : asprintf(&next, "%s/%s", path, link);
  *last = '/';
  if (length >= 0 && is_kernel_place(next)) return -1; // errno is ELOOP still
  return length < 0 ? -1 : make_file(root, next, strict, making, hops + 1);
}

int target_open(int root, const char *path, enum target_kind kind, enum target_making making, struct error *error) {
  bool strict = is_kernel_place(path);
  if (*path != '/') return error_set(error, "invalid-argument", 0, "The path %s is not absolute", path);
  int flags = O_PATH | (kind == TARGET_DIRECTORY ? O_DIRECTORY : 0);
  int fd = open_place(root, path, (uint64_t)flags, strict);
  if (fd >= 0) return fd;
  if (errno != ENOENT) return refuse(error, path);
  auto_free char *copy = strdup(path);
  for (size_t n = copy ? strlen(copy) : 0; n > 1 && copy[n - 1] == '/'; n--) copy[n - 1] = 0;
  if (!copy || !copy[1]) return refuse(error, path);
  if (kind == TARGET_DIRECTORY ? make_directories(root, copy, strict, making)
                               : make_file(root, copy, strict, making, 0))
    return refuse(error, path);
  fd = open_place(root, copy, (uint64_t)flags, strict);
  return fd >= 0 ? fd : refuse(error, path);
}

int target_make_kernel_places(int root, struct error *error) {
  for (size_t i = 0; i < KERNEL_PLACES; i++) {
    auto_fd fd = target_open(root, kernel_places[i], TARGET_DIRECTORY, TARGET_MOUNT_POINT, error);
    if (fd < 0) return -1;
  }
  return 0;
}

int target_make_working_directory(int root, const char *path, struct error *error) {
  struct error why = {0};
  auto_fd made = target_open(root, path, TARGET_DIRECTORY, TARGET_MADE, &why);
  return made < 0 && why.errnum == ENOTDIR
             ? error_set(error, "invalid-argument", 0, "Cannot mkdir: %s is not a directory", path)
             : 0;
}

int target_find(int root, const char *path, bool *absent, struct error *error) {
  int fd = open_in(root, path, O_PATH, 0, true);
  *absent = fd < 0 && (errno == ENOENT || errno == ENOTDIR);
  return fd >= 0 || *absent ? fd : refuse(error, path);
}

int target_parent(int root, const char *path, const char **name, struct error *error) {
  auto_free char *copy = strdup(path);
  char *last = copy ? strrchr(copy, '/') : NULL;
  if (!last || *path != '/' || !last[1] || !strcmp(last + 1, "..") || !strcmp(last + 1, "."))
    return error_set(error, "invalid-argument", 0, "The path %s is not valid", path);
  *name = path + (last - copy) + 1;
  *last = 0;
  return last == copy ? openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)
                      : target_open(root, copy, TARGET_DIRECTORY, TARGET_MADE, error);
}
