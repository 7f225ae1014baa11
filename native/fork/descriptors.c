// Owns the descriptors of a copy. What is a VM's own is exchanged under the same number: its sockets, its interface,
// its writable disk, and every eventfd and signalfd, since what two processes share one can use against the other. What
// all may share (the template's memory, /dev/null) stays; what is not known here cannot be copied, and then nothing is.
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fork.h"
#include "fork_request.h"
#include "worker.h"

enum { MOST_DESCRIPTORS = 256 };
enum kind { CLOSED, SHARED, EVENT, SIGNALS, REPLACED };
static struct {
  unsigned char kind;
  unsigned char by;    // of REPLACED: FORK_*
  int flags;           // of EVENT and SIGNALS
  unsigned long value; // the events that wait, the mask of signals
} table[MOST_DESCRIPTORS];
static struct stat spare;
static unsigned long offload; // what QEMU set last at its interface, which cannot be asked for
static int header_bytes, send_bytes;

__attribute__((constructor)) static void know_spare(void) {
  if (fstat(WORKER_SPARE_FD, &spare)) spare = (struct stat){0};
}

STANDS_BEFORE int ioctl(int fd, unsigned long request, ...) {
  va_list list;
  va_start(list, request);
  unsigned long argument = va_arg(list, unsigned long);
  va_end(list);
  long result = syscall(SYS_ioctl, fd, request, argument);
  if (request == TUNSETOFFLOAD && result == 0) offload = argument;
  return (int)result;
}

// Guest memory has to be copied, and QEMU asks that it isn't.
STANDS_BEFORE int madvise(void *start, size_t length, int advice) {
  return advice == MADV_DONTFORK ? 0 : (int)syscall(SYS_madvise, start, length, advice);
}

// The number behind `name` in /proc's description of a descriptor.
static bool described(int fd, const char *name, int base, unsigned long *value) {
  char path[64], text[512];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = file < 0 ? -1 : read(file, text, sizeof text - 1);
  if (file >= 0) close(file);
  if (n < 0) return false;
  text[n] = 0;
  const char *at = strstr(text, name);
  if (at) *value = strtoul(at + strlen(name), NULL, base);
  return at != NULL;
}

static failure become(int fd, enum kind kind, unsigned by) {
  table[fd].kind = (unsigned char)kind;
  table[fd].by = (unsigned char)by;
  return NULL;
}

static failure look_at(int fd) {
  static char what[320];
  char path[64], target[256];
  struct stat s;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(path, target, sizeof target - 1);
  if (n < 0 || fstat(fd, &s)) return "look at its descriptors";
  target[n] = 0;
  if (fd == WORKER_OUTPUT_FD || fd == WORKER_ERRORS_FD) return become(fd, REPLACED, FORK_OUTPUT);
  if (fd == WORKER_AGENT_FD) return become(fd, REPLACED, FORK_AGENT);
  if (fd == WORKER_QMP_FD) return become(fd, REPLACED, FORK_QMP);
  if (fd == WORKER_FIRST_TAP_FD && ioctl(fd, TUNGETVNETHDRSZ, &header_bytes) == 0 &&
      ioctl(fd, TUNGETSNDBUF, &send_bytes) == 0)
    return become(fd, REPLACED, FORK_TAP);
  if (S_ISREG(s.st_mode) && s.st_dev == spare.st_dev && s.st_ino == spare.st_ino)
    return become(fd, REPLACED, FORK_SPARE);
  table[fd].flags = fcntl(fd, F_GETFL) & O_NONBLOCK; // EFD_NONBLOCK and SFD_NONBLOCK are that
  if (strcmp(target, "anon_inode:[eventfd]") == 0 && described(fd, "eventfd-count:", 16, &table[fd].value))
    return become(fd, EVENT, 0);
  if (strcmp(target, "anon_inode:[signalfd]") == 0 && described(fd, "sigmask:", 16, &table[fd].value))
    return become(fd, SIGNALS, 0);
  // What has major number 1 is null and random; sealed memory is nobody's to write.
  if ((S_ISCHR(s.st_mode) && major(s.st_rdev) == 1) || strncmp(target, "/memfd:", 7) == 0) return become(fd, SHARED, 0);
  snprintf(what, sizeof what, "copy %s", target);
  errno = ENOTSUP;
  return what;
}

failure descriptors_survey(void) {
  for (int fd = 0; fd < MOST_DESCRIPTORS; fd++) {
    failure failed = fd == WORKER_FORK_FD || fcntl(fd, F_GETFD) < 0 ? NULL : look_at(fd);
    if (failed) return failed;
  }
  return NULL;
}

static failure equip_tap(int fd) {
  if (ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) || ioctl(fd, TUNSETSNDBUF, &send_bytes) ||
      ioctl(fd, TUNSETOFFLOAD, offload))
    return "set up its interface";
  return NULL;
}

failure descriptors_replace(const int *fds) {
  failure failed = equip_tap(fds[FORK_TAP]);
  for (int fd = 0; !failed && fd < MOST_DESCRIPTORS; fd++) {
    if (table[fd].kind == REPLACED && dup3(fds[table[fd].by], fd, O_CLOEXEC) < 0) return "take its descriptors";
    if (table[fd].kind != EVENT && table[fd].kind != SIGNALS) continue;
    int flags = O_CLOEXEC | table[fd].flags; // *_CLOEXEC are that
    int own = table[fd].kind == EVENT
                  ? eventfd((unsigned)table[fd].value, flags)
                  : (int)syscall(SYS_signalfd4, -1, &table[fd].value, sizeof table[fd].value, flags);
    if (own < 0 || dup3(own, fd, O_CLOEXEC) < 0) return "make its events";
    close(own);
  }
  // What came beside the request, and is its own now; the other copies' connections.
  for (int fd = 0; !failed && fd < MOST_DESCRIPTORS; fd++)
    if (table[fd].kind == CLOSED) close(fd);
  if (!failed) syscall(SYS_close_range, (unsigned)MOST_DESCRIPTORS, ~0u, 0u);
  return failed;
}
