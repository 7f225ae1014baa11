// Owns reaching a place inside a container's root, whose every name and symlink the image or the container chose. The
// kernel resolves it as if the root were `/` (RESOLVE_IN_ROOT), so no path leads out, and no magic link of /proc is
// followed. Below /proc, /sys and /dev there is no symlink at all on the way: otherwise an image could move those file
// systems, or what covers parts of them, elsewhere (the class of CVE-2019-19921, CVE-2023-27561, CVE-2025-52565 and
// CVE-2026-41579).
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "handle.h"
#include "target.h"

static bool is_kernel_place(const char *path) {
  static const char *const places[] = {"/proc", "/sys", "/dev"};
  for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
    size_t n = strlen(places[i]);
    if (!strncmp(path, places[i], n) && (!path[n] || path[n] == '/')) return true;
  }
  return false;
}

static int open_in(int root, const char *path, uint64_t flags, mode_t mode, bool strict) {
  struct open_how how = {.flags = flags | O_CLOEXEC,
                         .mode = mode,
                         .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS | (strict ? RESOLVE_NO_SYMLINKS : 0)};
  return (int)syscall(SYS_openat2, root, path, &how, sizeof how);
}

static int refuse(struct error *error, const char *path) {
  if (errno == ELOOP)
    return error_set(error, "forbidden", 0,
                     "The image has a symbolic link on the way to %s, which must be an ordinary file or directory",
                     path);
  return error_set(error, "invalid-argument", errno, "Could not reach %s in the container", path);
}

// Makes the directories of `path` that are missing, one by one, each looked up from the root again.
static int make_directories(int root, char *path, bool strict) {
  for (char *slash = path; slash;) {
    slash = strchr(slash + 1, '/');
    if (slash) *slash = 0;
    auto_fd there = open_in(root, path, O_PATH | O_DIRECTORY, 0, strict);
    if (there < 0 && errno == ENOENT) {
      char *last = strrchr(path, '/');
      *last = 0;
      auto_fd parent = last == path ? openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)
                                    : open_in(root, path, O_PATH | O_DIRECTORY, 0, strict);
      *last = '/';
      if (parent < 0 || (mkdirat(parent, last + 1, 0755) && errno != EEXIST)) return -1;
    } else if (there < 0) {
      return -1;
    }
    if (slash) *slash = '/';
  }
  return 0;
}

int target_open(int root, const char *path, enum target_kind kind, bool make, struct error *error) {
  bool strict = is_kernel_place(path);
  if (*path != '/') return error_set(error, "invalid-argument", 0, "The path %s is not absolute", path);
  int flags = O_PATH | (kind == TARGET_DIRECTORY ? O_DIRECTORY : 0);
  int fd = open_in(root, path, (uint64_t)flags, 0, strict);
  if (fd >= 0) return fd;
  if (errno != ENOENT || !make) return refuse(error, path);
  auto_free char *copy = strdup(path);
  for (size_t n = copy ? strlen(copy) : 0; n > 1 && copy[n - 1] == '/'; n--) copy[n - 1] = 0;
  if (!copy || !copy[1]) return refuse(error, path);
  if (kind == TARGET_DIRECTORY) {
    if (make_directories(root, copy, strict)) return refuse(error, path);
  } else {
    char *last = strrchr(copy, '/');
    *last = 0;
    if (last != copy && make_directories(root, copy, strict)) return refuse(error, path);
    *last = '/';
    auto_fd made = open_in(root, copy, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY, 0644, strict);
    if (made < 0) return refuse(error, path);
  }
  fd = open_in(root, copy, (uint64_t)flags, 0, strict);
  return fd >= 0 ? fd : refuse(error, path);
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
    return error_set(error, "invalid-argument", 0, "The path %s cannot be right", path);
  *name = path + (last - copy) + 1;
  *last = 0;
  return last == copy ? openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC)
                      : target_open(root, copy, TARGET_DIRECTORY, true, error);
}
