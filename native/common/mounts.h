// Owns the newer mount calls by number (musl has no names for them) and how a descriptor is named to the older ones.
#pragma once
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

// The agent's own /proc is in view until the root is left, so this works in every child before that.
struct fd_path { char text[32]; };
static inline struct fd_path fd_path(int fd) {
  struct fd_path p;
  snprintf(p.text, sizeof p.text, "/proc/self/fd/%d", fd);
  return p;
}

static inline int mount_clone(int fd) {
  return (int)syscall(SYS_open_tree, fd, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);
}
static inline int mount_put(int tree, int target) {
  return (int)syscall(SYS_move_mount, tree, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}
static inline int mount_clone_at(const char *path) {
  return (int)syscall(SYS_open_tree, AT_FDCWD, path, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}
static inline int mount_set(int mount, uint64_t attributes, int flags) {
  struct mount_attr attr = {.attr_set = attributes};
  return (int)syscall(SYS_mount_setattr, mount, "", AT_EMPTY_PATH | flags, &attr, sizeof attr);
}
