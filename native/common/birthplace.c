#include "birthplace.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/statfs.h>
#include <sys/syscall.h>

#include "handle.h"

enum { CGROUP2_MAGIC = 0x63677270 };

int birthplace_add(struct birthplace *b, const char *directory, struct error *error) {
  struct statfs s;
  auto_fd fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0 || fstatfs(fd, &s))
    return error_set(error, errno == ENOENT ? "container-not-running" : "internal", errno,
                     "cannot open the control group %s", directory);
  if (s.f_type == CGROUP2_MAGIC) {
    close_fd(&b->group);
    b->group = steal_fd(&fd);
    return 0;
  }
  int gate = b->count < MOST_GATES ? openat(fd, "tasks", O_WRONLY | O_CLOEXEC) : -1;
  if (gate < 0) return error_set(error, "internal", errno, "cannot open the control group %s", directory);
  b->gates[b->count++] = gate;
  return 0;
}

void birthplace_close(struct birthplace *b) {
  close_fd(&b->group);
  b->group = -1;
  while (b->count > 0) close(b->gates[--b->count]);
}

pid_t birthplace_clone(const struct birthplace *b, uint64_t flags, int *process) {
  struct clone_args arguments = {.flags = flags, .exit_signal = SIGCHLD};
  if (process) arguments.flags |= CLONE_PIDFD, arguments.pidfd = (uint64_t)(uintptr_t)process;
  if (b->group >= 0) arguments.flags |= CLONE_INTO_CGROUP, arguments.cgroup = (uint64_t)b->group;
  return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

int birthplace_enter(const struct birthplace *b) {
  for (unsigned i = 0; i < b->count; i++)
    if (write(b->gates[i], "0", 1) != 1) return -1;
  return 0;
}
