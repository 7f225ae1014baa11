// Owns hiding and write-protecting parts of a container's /proc and /sys.
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "agent.h"
#include "handle.h"
#include "mounts.h"

static int mask(int root, const char *path, struct error *error) {
  bool absent;
  struct stat s;
  auto_fd target = target_find(root, path, &absent, error);
  if (absent) return 0;
  if (target < 0) return -1;
  if (fstat(target, &s)) return error_set(error, "internal", errno, "Could not look at %s", path);
  if (S_ISDIR(s.st_mode)) {
    if (mount("tmpfs", fd_path(target).text, "tmpfs", MS_RDONLY, "size=0k"))
      return error_set(error, "internal", errno, "Could not mask %s", path);
    return 0;
  }
  // The guest's own /dev/null, checked: never the container's, which the image could have made anything
  // (CVE-2025-31133).
  auto_fd null = open("/dev/null", O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (null < 0 || fstat(null, &s) || !S_ISCHR(s.st_mode) || s.st_rdev != makedev(1, 3))
    return error_set(error, "internal", errno, "The guest's /dev/null is not what it should be");
  auto_fd tree = mount_clone(null);
  if (tree < 0 || mount_put(tree, target)) return error_set(error, "internal", errno, "Could not mask %s", path);
  return 0;
}

static int protect(int root, const char *path, struct error *error) {
  bool absent;
  auto_fd target = target_find(root, path, &absent, error);
  if (absent) return 0;
  if (target < 0) return -1;
  auto_fd tree = mount_clone(target);
  if (tree < 0 || mount_set(tree, MOUNT_ATTR_RDONLY, AT_RECURSIVE) || mount_put(tree, target))
    return error_set(error, "internal", errno, "Could not write-protect %s", path);
  return 0;
}

int masks_apply(int root, struct tlv plan, struct error *error) {
  size_t at = 0;
  int tag, r;
  struct tlv value;
  while ((r = tlv_next(plan, &at, &tag, &value)) == 1) {
    if (tag != TAG_MASKED_PATH && tag != TAG_READONLY_PATH) continue;
    auto_free char *path = tlv_dup(value);
    if (!path || (tag == TAG_MASKED_PATH ? mask(root, path, error) : protect(root, path, error)))
      return path ? -1 : error_set(error, "invalid-argument", 0, "A path is not valid");
  }
  return r;
}
