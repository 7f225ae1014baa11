#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "cell.h"
#include "handle.h"
#include "mounts.h"

enum { MAX_PATHS = 32 };

// What is put at a place of that kind, and the directories above it. `path` is relative: we stand in the new root.
static int make_place(const char *path, bool directory, struct error *error) {
  char copy[PATH_MAX];
  if ((size_t)snprintf(copy, sizeof copy, "%s", path) >= sizeof copy) errno = ENAMETOOLONG;
  else {
    for (char *slash = copy; (slash = strchr(slash, '/')); *slash++ = '/') {
      *slash = 0;
      if (mkdir(copy, 0755) && errno != EEXIST) return error_set(error, "internal", 0, "make %s", copy);
    }
    if (directory && (mkdir(copy, 0755) == 0 || errno == EEXIST)) return 0;
    auto_fd fd = directory ? -1 : open(copy, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd >= 0) return 0;
  }
  return error_set(error, "internal", 0, "make %s", path);
}

static int put(int tree, const char *path, struct error *error) {
  struct stat s;
  if (fstat(tree, &s)) return error_set(error, "internal", 0, "look at %s", path);
  if (make_place(path, S_ISDIR(s.st_mode), error)) return -1;
  auto_fd target = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
  return target < 0 || mount_set(tree, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, AT_RECURSIVE) ||
                 mount_put(tree, target)
             ? error_set(error, "internal", 0, "bind %s", path)
             : 0;
}

int root_build(char *const *paths, int count, struct error *error) {
  int trees[MAX_PATHS];
  if (count > MAX_PATHS) return error_set(error, "internal", 0, "bind %d paths", count);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) return error_set(error, "internal", 0, "be private");
  // Before anything is mounted over them.
  for (int i = 0; i < count; i++)
    if (paths[i][0] != '/' || (trees[i] = mount_clone_at(paths[i])) < 0)
      return error_set(error, "internal", 0, "bind %s", paths[i]);
  // Any directory will do to stand upon: it is left behind.
  if (mount("cell", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=256k,nr_inodes=1024,mode=0755") ||
      chdir("/proc"))
    return error_set(error, "internal", 0, "make a root");
  for (int i = 0; i < count; i++) {
    int failed = put(trees[i], paths[i] + 1, error);
    close(trees[i]);
    if (failed) return -1;
  }
  if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/") ||
      mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
    return error_set(error, "internal", 0, "enter its root");
  return 0;
}
