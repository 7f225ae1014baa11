// musl has a struct statx of its own from 1.2.5 on, without stx_mnt_id: the kernel's goes by another name. First, since
// glibc's own header includes the kernel's.
#define statx kernel_statx
#define statx_timestamp kernel_statx_timestamp
#include <linux/stat.h>
#undef statx
#undef statx_timestamp

#include "root.h"
#include "kernel_statx.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

const char *code_of_errno(int errnum) {
  switch (errnum) {
    case ENOENT: case ENOTDIR: return "path-not-found";
    case ENOSPC: case EDQUOT: return "no-space";
    case EOPNOTSUPP: case ENOSYS: return "unsupported";
    case EPERM: case EACCES: case EROFS: return "forbidden";
    case ELOOP: case EXDEV: case ENAMETOOLONG: case EINVAL: return "invalid-argument";
    case EBUSY: case ENOTEMPTY: case EEXIST: return "conflict";
    default: return "internal";
  }
}

int open_root(const char *path, struct error *error) {
  int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return fd < 0 ? fail(error, "Could not open the tree %s", path) : fd;
}

int open_in_root(int root, const char *path, int flags) {
  struct open_how how = {.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
                         .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
  // EAGAIN: a rename or mount happened while `..` was resolved. It says nothing about the path.
  for (int tries = 0; tries < 128; tries++) {
    long fd = syscall(SYS_openat2, root, *path ? path : "/", &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return (int)fd;
  }
  return -1;
}

struct fd_name name_of_fd(int fd) {
  struct fd_name name;
  snprintf(name.text, sizeof name.text, "/proc/self/fd/%d", fd);
  return name;
}

int mount_id_of_fd(int fd, uint64_t *id) {
  struct kernel_statx s;
  if (statx_of_fd(fd, STATX_MNT_ID, &s) < 0) return -1;
  if (!(s.stx_mask & STATX_MNT_ID)) {
    errno = ENOSYS;
    return -1;
  }
  *id = s.stx_mnt_id;
  return 0;
}

int never_changed(int fd, const struct stat *stat) {
  struct kernel_statx s;
  if (statx_of_fd(fd, STATX_BTIME, &s) < 0) return 0;
  return (s.stx_mask & STATX_BTIME) && s.stx_btime.tv_sec == stat->st_mtim.tv_sec &&
         s.stx_btime.tv_nsec == (uint32_t)stat->st_mtim.tv_nsec;
}

int want_path(const char *path, struct wanted_path *wanted, struct error *error) {
  size_t length = strlen(path);
  *wanted = (struct wanted_path){.clean = malloc(length + 2)};
  if (!wanted->clean) return error_set(error, "internal", 0, "Out of memory.");
  char *out = wanted->clean;
  size_t used = 0;
  int dot = length && path[length - 1] == '.' && (length == 1 || path[length - 2] == '/');
  wanted->follow = dot || (length && path[length - 1] == '/');
  for (const char *p = path; *p;) {
    size_t n = strcspn(p, "/");
    if (n == 2 && p[0] == '.' && p[1] == '.') {
      while (used && out[--used] != '/') {}
    } else if (n && !(n == 1 && *p == '.')) {
      out[used++] = '/';
      memcpy(out + used, p, n);
      used += n;
    }
    p += n + (p[n] == '/');
  }
  const char *base = dot ? "." : "/";
  out[used] = 0;
  if (used && !dot) base = strrchr(out, '/') + 1;
  wanted->base = strdup(base);
  if (!used) strcpy(out, "/");
  return wanted->base ? 0 : error_set(error, "internal", 0, "Out of memory.");
}

void forget_path(struct wanted_path *wanted) {
  free(wanted->clean);
  free(wanted->base);
}

int open_wanted(int root, const struct wanted_path *wanted, struct error *error) {
  int fd = open_in_root(root, wanted->clean, O_PATH | (wanted->follow ? O_DIRECTORY : O_NOFOLLOW));
  if (fd >= 0) return fd;
  if (errno == ENOENT)
    return error_set(error, "path-not-found", 0, "Could not find the file %s in the container.", wanted->clean);
  return fail(error, "Could not open %s in the container", wanted->clean);
}
