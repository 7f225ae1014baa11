// mount IMAGE DIR [--loop]: an EROFS image file as a read-only file system. The kernel mounts the file itself (6.12 and
// later); where it doesn't, through a loop device that vanishes with the mount. --loop asks for the latter at once.
#include "handle.h"
#include "root.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

enum { TRIES = 64 };

static int mount_erofs(const char *source, const char *directory) {
  return mount(source, directory, "erofs", MS_RDONLY | MS_NOSUID | MS_NODEV, NULL);
}

static int mount_loop(const char *image, const char *directory, struct error *error) {
  auto_fd file = open(image, O_RDONLY | O_CLOEXEC);
  if (file < 0) return fail(error, "Could not open %s", image);
  auto_fd control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
  if (control < 0)
    return error_set(error, "unsupported", errno,
                     "This kernel mounts no EROFS file directly, and there is no /dev/loop-control");
  for (int tries = 0; tries < TRIES; tries++) {
    int number = ioctl(control, LOOP_CTL_GET_FREE);
    if (number < 0) return fail(error, "Could not get a loop device");
    char name[32];
    snprintf(name, sizeof name, "/dev/loop%d", number);
    auto_fd loop = open(name, O_RDONLY | O_CLOEXEC);
    if (loop < 0) return fail(error, "Could not open %s", name);
    struct loop_config config = {
        .fd = (uint32_t)file, .block_size = 4096, .info = {.lo_flags = LO_FLAGS_READ_ONLY | LO_FLAGS_AUTOCLEAR}};
    if (ioctl(loop, LOOP_CONFIGURE, &config) < 0) {
      if (errno == EBUSY) continue; // somebody else was faster
      return fail(error, "Could not attach %s to %s", image, name);
    }
    // The device goes when its last user does: this descriptor, or the mount.
    return mount_erofs(name, directory) < 0 ? fail(error, "Could not mount %s", image) : 0;
  }
  return error_set(error, "conflict", 0, "Could not get a loop device: others were faster %d times.", TRIES);
}

int mount_verb(int count, char **words, struct error *error) {
  int loop = count == 3 && strcmp(words[2], "--loop") == 0;
  if (count != 2 + loop) return error_set(error, "invalid-argument", 0, "mount takes IMAGE and DIR.");
  if (!loop && mount_erofs(words[0], words[1]) == 0) return 0;
  // ENOTBLK: this kernel wants a block device.
  if (!loop && errno != ENOTBLK) return fail(error, "Could not mount %s", words[0]);
  return mount_loop(words[0], words[1], error);
}
