// A container's root file system: its layers and its writable directory as one overlay, in the supervisor's own mount
// namespace.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "buffer.h"
#include "handle.h"
#include "process.h"

enum { OPTIONS_LIMIT = 4000 }; // mount(2) takes one page
enum { CONFIG_FLAG = 0, CONFIG_STRING = 1, CONFIG_CREATE = 6 };

// Each of these is a default that a kernel may be built or booted with otherwise; a layer diff could not carry what
// they leave behind.
static const char plain[] = "redirect_dir=off,metacopy=off,index=off";

// Old kernels: one string. Common directory and relative names keep it short.
static int mount_classic(char **layers, const char *upper, const char *work, const char *at, struct error *error) {
  char options[OPTIONS_LIMIT + 64];
  const char *slash = strrchr(layers[0], '/');
  size_t parent = slash ? (size_t)(slash - layers[0]) : 0;
  bool common = parent > 0;
  for (char **l = layers; *l; l++)
    common = common && strncmp(*l, layers[0], parent + 1) == 0 && !strchr(*l + parent + 1, '/');
  int n = snprintf(options, sizeof options, "%s,lowerdir=", plain);
  for (char **l = layers; *l && n < OPTIONS_LIMIT; l++)
    n += snprintf(options + n, sizeof options - (size_t)n, "%s%s", l == layers ? "" : ":",
                  common ? *l + parent + 1 : *l);
  if (n < OPTIONS_LIMIT && upper)
    n += snprintf(options + n, sizeof options - (size_t)n, ",upperdir=%s,workdir=%s", upper, work);
  if (n >= OPTIONS_LIMIT) {
    errno = E2BIG;
    return -1;
  }
  auto_free char *directory = strndup(layers[0], parent);
  if (common && (!directory || chdir(directory) != 0))
    return error_set(error, "internal", errno, "cannot enter %s", directory);
  int r = mount("overlay", at, "overlay", upper ? 0 : MS_RDONLY, options);
  int errnum = errno;
  if (chdir("/") != 0) return error_set(error, "internal", errno, "cannot enter /");
  errno = errnum;
  return r;
}

static int set(int fs, const char *key, const char *value) {
  return (int)syscall(SYS_fsconfig, fs, CONFIG_STRING, key, value, 0);
}

// Linux 6.5 and later: as many layers as one likes.
static int mount_modern(char **layers, const char *upper, const char *work, const char *at) {
  auto_fd fs = (int)syscall(SYS_fsopen, "overlay", 1);
  if (fs < 0) return -1;
  for (char **l = layers; *l; l++)
    if (set(fs, "lowerdir+", *l) != 0) return -1;
  if (upper && (set(fs, "upperdir", upper) != 0 || set(fs, "workdir", work) != 0)) return -1;
  if (set(fs, "redirect_dir", "off") != 0 || set(fs, "metacopy", "off") != 0 || set(fs, "index", "off") != 0) return -1;
  if (!upper) syscall(SYS_fsconfig, fs, CONFIG_FLAG, "ro", NULL, 0);
  if (syscall(SYS_fsconfig, fs, CONFIG_CREATE, NULL, NULL, 0) != 0) return -1;
  auto_fd mounted = (int)syscall(SYS_fsmount, fs, 1, 0);
  return mounted >= 0 && syscall(SYS_move_mount, mounted, "", AT_FDCWD, at, 4) == 0 ? 0 : -1;
}

static int bind_one(const char *layer, const char *at) {
  if (mount(layer, at, NULL, MS_BIND, NULL) != 0) return -1;
  return mount(NULL, at, NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL);
}

// A layer whose mount is missing would be an empty directory, silently.
static int check_mounted(char **layers, struct error *error) {
  for (char **l = layers; *l; l++) {
    char above[PATH_MAX];
    struct stat here, there;
    snprintf(above, sizeof above, "%s/..", *l);
    if (stat(*l, &here) != 0 || stat(above, &there) != 0)
      return error_set(error, "sandbox-failed", errno, "the image layer %s cannot be reached", *l);
    if (here.st_dev == there.st_dev)
      return error_set(error, "sandbox-failed", 0, "the image layer %s is not mounted", *l);
  }
  return 0;
}

int rootfs_mount(struct tlv request, const char *at, struct error *error) {
  size_t count = 0;
  char **layers = tlv_get_strings(request, TAG_LAYER, &count);
  auto_free char *upper = tlv_get_string(request, TAG_UPPER), *work = tlv_get_string(request, TAG_WORK);
  if (!layers) return error_set(error, "invalid-argument", 0, "The layers cannot be read.");
  int r = -1;
  errno = 0;
  error->code[0] = 0;
  if (count == 0 && upper) r = mount(upper, at, NULL, MS_BIND, NULL); // an image without layers: nothing to lie over
  else if (count == 0 || (upper && !work))
    error_set(error, "invalid-argument", 0,
              "A root file system needs layers, and a work directory beside its writable one.");
  else if (check_mounted(layers, error) != 0) r = -1;
  else if (count == 1 && !upper) r = bind_one(layers[0], at);
  else if ((r = mount_classic(layers, upper, work, at, error)) != 0 && errno == E2BIG)
    r = mount_modern(layers, upper, work, at);
  strings_free(layers);
  if (r != 0 && !error->code[0])
    error_set(error, errno == ENOSPC ? "no-space" : "sandbox-failed", errno,
              "cannot mount the root file system of %zu layers", count);
  return r;
}

void rootfs_unmount(const char *at) {
  umount2(at, MNT_DETACH);
  rmdir(at);
}
