// Owns the guest's first moments: file systems, kernel modules, and a root that is a real mount. The kernel's initial
// root cannot be left by pivot_root, so a tmpfs is put over it and becomes the root.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "agent.h"
#include "handle.h"

static int mount_at(const char *type, const char *path, unsigned long flags, const char *data, struct error *error) {
  if (mkdir(path, 0755) && errno != EEXIST)
    return error_set(error, "internal", errno, "Could not make %s in the guest", path);
  if (mount(type, path, type, flags, data))
    return error_set(error, "internal", errno, "Could not mount %s in the guest", path);
  return 0;
}

static int load_modules(struct error *error) {
  auto_free char *order = file_read("/lib/modules/order");
  char *rest = order;
  for (char *name; rest && (name = strsep(&rest, "\n"));) {
    if (!*name) continue;
    char path[256];
    snprintf(path, sizeof path, "/lib/modules/%s.ko", name);
    auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST))
      return error_set(error, "sandbox-failed", errno, "Could not load the guest's module %s", name);
  }
  return 0;
}

static int copy_tool(const char *from, const char *to, struct error *error) {
  auto_fd in = open(from, O_RDONLY | O_CLOEXEC);
  auto_fd out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
  struct stat s;
  if (in < 0 || out < 0 || fstat(in, &s)) return error_set(error, "internal", errno, "Could not copy %s", from);
  for (off_t at = 0; at < s.st_size;)
    if (sendfile(out, in, &at, (size_t)(s.st_size - at)) <= 0)
      return error_set(error, "internal", errno, "Could not copy %s", from);
  return 0;
}

static int move_root(struct error *error) {
  static const char *const moved[] = {"proc", "sys", "dev"};
  if (mount_at("tmpfs", "/root", MS_NODEV | MS_NOSUID, "mode=0755", error)) return -1;
  for (size_t i = 0; i < sizeof moved / sizeof *moved; i++) {
    char from[16], to[32];
    snprintf(from, sizeof from, "/%s", moved[i]);
    snprintf(to, sizeof to, "/root/%s", moved[i]);
    if (mkdir(to, 0755) || mount(from, to, NULL, MS_MOVE, NULL))
      return error_set(error, "internal", errno, "Could not move %s", from);
  }
  if (mkdir("/root/bin", 0755) || mkdir("/root/run", 0755) || mkdir("/root" RUN_ROOT, 0700))
    return error_set(error, "internal", errno, "Could not furnish the guest's root");
  if (copy_tool(LAYER_TOOL, "/root" LAYER_TOOL, error)) return -1;
  if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
    return error_set(error, "internal", errno, "Could not enter the guest's root");
  return 0;
}

int guest_init(struct error *error) {
  umask(022);
  if (mount_at("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, error)) return -1;
  if (mount_at("sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, error)) return -1;
  if (mount_at("devtmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=0755", error)) return -1;
  if (load_modules(error) || move_root(error)) return -1;
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
    return error_set(error, "internal", errno, "Could not make the guest's mounts private");
  // The last to be killed when memory runs out; what it starts gets its own value.
  return file_write("/proc/self/oom_score_adj", "-1000", 5, error) || cgroups_init(error) ? -1 : 0;
}
