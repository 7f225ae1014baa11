// Owns the system call filter. QEMU asks for one of its own (-sandbox), which would forbid us what a fork takes; so it
// is kept, and set in each copy.
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fork.h"

enum { MOST_INSTRUCTIONS = 4096 };
static struct sock_filter instructions[MOST_INSTRUCTIONS];
static struct sock_fprog program = {.filter = instructions};

STANDS_BEFORE int seccomp_load(void *context) {
  int (*export)(void *, int) = (int (*)(void *, int))dlsym(RTLD_NEXT, "seccomp_export_bpf");
  int file = memfd_create("filter", MFD_CLOEXEC), failed = export && file >= 0 ? export(context, file) : -ENOSYS;
  ssize_t n = failed ? 0 : pread(file, instructions, sizeof instructions, 0);
  if (file >= 0) close(file);
  if (failed) return failed;
  // One that may not have been read whole is none.
  if (n <= 0 || (size_t)n >= sizeof instructions || (size_t)n % sizeof *instructions) return -E2BIG;
  program.len = (unsigned short)((size_t)n / sizeof *instructions);
  return 0;
}

failure filter_install(void) {
  errno = EINVAL;
  return program.len && syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0
             ? NULL
             : "set its filter";
}
