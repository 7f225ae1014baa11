// Owns how a container's root comes to be the child's root: its mounts, provided files, devices, masks, then
// pivot_root. Everything is placed while the guest's own /proc and /dev are still in view, by descriptors reached
// through target.c.
#include <errno.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "agent.h"
#include "handle.h"
#include "mounts.h"

static int mount_one(int root, struct tlv m, struct error *error) {
  auto_free char *path = tlv_get_string(m, TAG_PATH);
  auto_free char *type = tlv_get_string(m, TAG_TYPE);
  auto_free char *source = tlv_get_string(m, TAG_SOURCE);
  auto_free char *data = tlv_get_string(m, TAG_OPTIONS);
  unsigned long flags = (unsigned long)tlv_get_number(m, TAG_FLAGS, 0);
  if (!path || !type) return error_set(error, "invalid-argument", 0, "A mount is not valid");
  // Only file systems that the kernel makes itself: nothing of the guest's own tree gets into a container by a mount.
  static const char *const allowed[] = {"proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup2"};
  bool known = false;
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) known |= !strcmp(type, allowed[i]);
  if (!known || flags & (MS_BIND | MS_MOVE))
    return error_set(error, "unsupported", 0, "A mount of type %s is not possible in the guest", type);
  auto_fd target = target_open(root, path, TARGET_DIRECTORY, TARGET_MOUNT_POINT, error);
  if (target < 0) return -1;
  // A tmpfs has the mode of the directory that it lies over; on one that was made for it, that of /tmp.
  char with_mode[512];
  struct stat s;
  if (!strcmp(type, "tmpfs") && !(data && strstr(data, "mode=")) && !fstat(target, &s) &&
      getxattr(fd_path(target).text, TARGET_MARK, NULL, 0) < 0) {
    int n = snprintf(with_mode, sizeof with_mode, "mode=%o%s%s", (unsigned)s.st_mode & 07777, data && *data ? "," : "",
                     data && *data ? data : "");
    if (n >= (int)sizeof with_mode) return error_set(error, "invalid-argument", 0, "A mount has too many options");
    free(data);
    data = strdup(with_mode);
  }
  if (mount(source ? source : type, fd_path(target).text, type, flags, data && *data ? data : NULL))
    return error_set(error, "invalid-argument", errno, "Could not mount %s at %s", type, path);
  return 0;
}

static int mount_all(int root, struct tlv plan, struct error *error) {
  size_t at = 0;
  int tag, r;
  struct tlv value;
  while ((r = tlv_next(plan, &at, &tag, &value)) == 1)
    if (tag == TAG_MOUNT && mount_one(root, value, error)) return -1;
  return r;
}

// A read-only root does not reach what lies over it.
static int place_files(int root, const struct guest *g, bool read_only, struct error *error) {
  for (size_t i = 0; i < g->file_count; i++) {
    char path[256];
    snprintf(path, sizeof path, "%s/files/%zu", g->directory, i);
    auto_fd source = open(path, O_PATH | O_CLOEXEC | O_NOFOLLOW);
    auto_fd target = target_open(root, g->files[i], TARGET_FILE, TARGET_MOUNT_POINT, error);
    if (target < 0) return -1;
    auto_fd tree = source < 0 ? -1 : mount_clone(source);
    if (tree < 0 || (read_only && mount_set(tree, MOUNT_ATTR_RDONLY, 0)) || mount_put(tree, target))
      return error_set(error, "internal", errno, "Could not place %s in the container", g->files[i]);
  }
  return 0;
}

static int make_working_directory(int root, struct tlv plan, struct error *error) {
  auto_free char *cwd = tlv_get_string(plan, TAG_CWD);
  return cwd && *cwd == '/' ? target_make_working_directory(root, cwd, error) : 0;
}

int rootfs_enter(struct launch *l, struct error *error) {
  // By path: a descriptor from before the clone would be of the old mount namespace.
  char path[256];
  const struct guest *g = l->user;
  snprintf(path, sizeof path, "%s/root", g->directory);
  auto_fd here = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (here < 0) return error_set(error, "internal", errno, "Could not open the container's file system");
  bool read_only = tlv_get_number(l->plan, TAG_ROOT_READONLY, 0);
  if (target_make_kernel_places(here, error) || mount_all(here, l->plan, error) ||
      place_files(here, g, read_only, error) || devices_make(here, l->plan, error))
    return -1;
  if (tlv_get_number(l->plan, TAG_TERMINAL, 0)) {
    int slave = -1;
    if (terminal_open(here, l, &slave, error) || terminal_as_console(here, slave, error)) return -1;
    l->stdio[0] = l->stdio[1] = l->stdio[2] = slave;
  }
  if (make_working_directory(here, l->plan, error) || sysctls_apply(l->plan, error) ||
      masks_apply(here, l->plan, error))
    return -1;
  if (read_only && mount_set(here, MOUNT_ATTR_RDONLY, 0))
    return error_set(error, "internal", errno, "Could not make the container's root read-only");
  if (fchdir(here) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
    return error_set(error, "internal", errno, "Could not enter the container's file system");
  return 0;
}
