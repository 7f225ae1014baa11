// Owns the finding of paths in trees that are not trusted: every component by openat2, so that neither `..` nor a
// symlink nor a rename in the middle climbs out. Also the little that one may do with an O_PATH descriptor.
#pragma once
#include "error.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

// The error code of packages/contract/src/errors.ts that an errno from the file system means.
const char *code_of_errno(int errnum);
#define fail(error, ...) error_set(error, code_of_errno(errno), errno, __VA_ARGS__)

// Opens a directory that the caller names (trusted), O_PATH.
int open_root(const char *path, struct error *error);
// Opens `path` seen from `root` as `/`. `flags` are open(2)'s. -1 with errno set.
int open_in_root(int root, const char *path, int flags);
// Room for "/proc/self/fd/N": the name under which an O_PATH descriptor can be reopened and its attributes reached.
struct fd_name {
  char text[32];
};
struct fd_name name_of_fd(int fd);
// The id of the mount that `fd` lies on; -1 with errno set.
int mount_id_of_fd(int fd, uint64_t *id);
// Whether the time of the last change of the inode behind `fd` is that of its making.
int never_changed(int fd, const struct stat *stat);

// A path as Docker means it: cleaned from the root on by words alone, and whether it asked for what a last symlink
// points to.
struct wanted_path {
  char *clean;      // malloc'd: "/", "/a/b"; a trailing "/" or "/." is cut off and told below
  char *base;       // malloc'd: the name that Docker gives it: "/", ".", "b"
  int follow;       // it ended in "/" or "/.": a last symlink is followed, and it must be a directory
};
int want_path(const char *path, struct wanted_path *wanted, struct error *error);
void forget_path(struct wanted_path *wanted);
#define auto_wanted __attribute__((cleanup(forget_path))) struct wanted_path
// Opens it O_PATH; a last symlink is only followed when asked for.
int open_wanted(int root, const struct wanted_path *wanted, struct error *error);
