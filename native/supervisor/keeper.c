// A supervisor may be killed at any moment (kill -9, out of memory), and what runs in its sandbox must then end. The
// parent-death signal cannot do it: the runtime that starts a container is not its parent in the end. So a small child
// waits for the end of a pipe whose other end only the supervisor has, and kills what is in the sandbox's cgroups.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include "handle.h"
#include "supervisor.h"

enum { KILL_ROUNDS = 500, ROUND_PAUSE_MS = 10 };

static pid_t keeper = -1;
static int life = -1; // closed by our end, whatever ends us

static void write_at(int dir, const char *name, const char *text) {
  auto_fd fd = openat(dir, name, O_WRONLY | O_CLOEXEC);
  if (fd >= 0 && write(fd, text, strlen(text)) < 0) {} // tried again in the next round
}

// Kills every process of a cgroup and those below it; how many it found.
static int kill_tree(int parent, const char *name, pid_t spare) {
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = 0;
  DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
  if (!dir) return close_fd(&fd), 0;
  int procs = openat(fd, "cgroup.procs", O_RDONLY | O_CLOEXEC);
  FILE *f = procs >= 0 ? fdopen(procs, "r") : NULL;
  for (int pid; f && fscanf(f, "%d", &pid) == 1;) {
    if (pid <= 0 || pid == getpid() || pid == spare) continue;
    found++;
    kill(pid, SIGKILL);
  }
  if (f) fclose(f);
  // A frozen process only dies once it is thawed.
  if (found) {
    write_at(fd, "freezer.state", "THAWED");
    write_at(fd, "cgroup.freeze", "0");
  }
  for (struct dirent *e; (e = readdir(dir));)
    if (e->d_type == DT_DIR && e->d_name[0] != '.') found += kill_tree(fd, e->d_name, spare);
  closedir(dir);
  return found;
}

// The sandbox's cgroups are the parents of our own.
static int kill_all(pid_t spare) {
  size_t at = 0;
  int tag, found = 0;
  struct tlv value;
  while (tlv_next(plan.raw, &at, &tag, &value) == 1) {
    if (tag != TAG_CGROUP) continue;
    auto_free char *path = tlv_dup(value);
    if (path) found += kill_tree(AT_FDCWD, dirname(path), spare);
  }
  return found;
}

static void kill_until_gone(pid_t spare) {
  for (int round = 0; round < KILL_ROUNDS && kill_all(spare) > 0; round++)
    nanosleep(&(struct timespec){0, ROUND_PAUSE_MS * 1000000L}, NULL);
}

void sandbox_kill(void) { kill_all(keeper); }

static _Noreturn void keep(int pipe_end) {
  loop_child_signals();
  prctl(PR_SET_NAME, "twofold-keeper");
  for (int i = 0; i < 3; i++) dup2(open("/dev/null", O_RDWR), i);
  dup2(pipe_end, 3);
  syscall(SYS_close_range, 4u, ~0u, 0u);
  char byte;
  while (read(3, &byte, 1) < 0 && errno == EINTR) {}
  kill_until_gone(-1);
  _exit(0);
}

int keeper_start(struct error *error) {
  int ends[2];
  close_fd(&life);
  if (pipe2(ends, O_CLOEXEC) != 0) return error_set(error, "internal", errno, "cannot make the keeper's pipe");
  keeper = fork();
  if (keeper < 0) return error_set(error, "internal", errno, "cannot start the keeper");
  if (keeper == 0) {
    close(ends[1]);
    keep(ends[0]);
  }
  close(ends[0]);
  life = ends[1];
  return 0;
}

pid_t keeper_id(void) { return keeper; }

bool keeper_child(pid_t pid) {
  if (pid != keeper) return false;
  keeper_start(NULL);
  return true;
}
