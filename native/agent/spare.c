// Owns the writable disk that a VM has mounted before any container is its own: in the template, so that no clone has
// to mount it.
//
//   absent ─spare_mount▶ spare ─spare_take▶ a container's ─spare_give_back, after a rehearsal▶ spare
//                          └─spare_drop▶ absent
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent.h"
#include "disks.h"
#include "handle.h"
#include "kernel_statx.h"

#define PLACE RUN_ROOT "/spare"

enum { WALK_DESCRIPTORS = 16 };

int scratch_mount(const char *serial, const char *at, struct error *error) {
  char disk[16], device[32];
  if (disk_find(serial, disk, error)) return -1;
  snprintf(device, sizeof device, "/dev/%s", disk);
  if (mkdir(at, 0700) && errno != EEXIST)
    return error_set(error, "internal", errno, "Could not make %s in the guest", at);
  if (mount(device, at, "ext4", MS_NOATIME, "errors=remount-ro,discard,noinit_itable"))
    return error_set(error, "sandbox-failed", errno, "Could not mount the container's writable disk in the guest");
  return 0;
}

int spare_mount(const char *serial, struct error *error) {
  if (scratch_mount(serial, PLACE, error)) return -1;
  // As prepare.c would make them.
  if ((mkdir(PLACE "/upper", 0755) && errno != EEXIST) || chmod(PLACE "/upper", 0755) ||
      (mkdir(PLACE "/work", 0700) && errno != EEXIST))
    return error_set(error, "internal", errno, "Could not furnish the spare disk");
  return 0;
}

int spare_drop(struct error *error) {
  if (umount2(PLACE, 0) && errno != EINVAL && errno != ENOENT)
    return error_set(error, "internal", errno, "Could not release the spare disk");
  return 0;
}

int spare_take(const char *at, struct error *error) {
  if (mkdir(at, 0700) && errno != EEXIST)
    return error_set(error, "internal", errno, "Could not make %s in the guest", at);
  if (mount(PLACE, at, NULL, MS_MOVE, NULL))
    return error_set(error, "sandbox-failed", errno, "The guest has no spare disk");
  return 0;
}

static int remove_one(const char *path, const struct stat *s, int type, struct FTW *at) {
  (void)s, (void)type;
  return at->level == 0 ? 0 : remove(path);
}

// With the time of its making a container's `/` shows that nobody has written in it.
static int as_new(const char *path) {
  struct kernel_statx s;
  auto_fd fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || statx_of_fd(fd, STATX_BTIME, &s)) return -1;
  struct timespec birth = {s.stx_btime.tv_sec, s.stx_btime.tv_nsec}, times[2] = {birth, birth};
  return futimens(fd, times);
}

// What was written is of programs of ours.
int spare_give_back(const char *from, struct error *error) {
  // The overlay's own directory, too: the next one would have to clear it away.
  static const char *const parts[] = {"upper", "work"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s", from, parts[i]);
    if (nftw(path, remove_one, WALK_DESCRIPTORS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT))
      return error_set(error, "internal", errno, "Could not empty the spare disk");
  }
  char upper[256];
  snprintf(upper, sizeof upper, "%s/upper", from);
  if (as_new(upper)) return error_set(error, "internal", errno, "Could not give the spare disk's root its time");
  if (mount(from, PLACE, NULL, MS_MOVE, NULL))
    return error_set(error, "internal", errno, "Could not give the spare disk back");
  // Now, and not in five seconds, when it could be in the way of a container's start.
  auto_fd disk = open(PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (disk < 0 || syncfs(disk)) return error_set(error, "internal", errno, "Could not write the spare disk");
  return 0;
}
