// Owns the program's outside:
//
//   twofold-cell [--bind PATH]... -- PROGRAM [word...]
//
// Standard streams and descriptor 3 are the program's, too; it ends when we do, and we as it did. It begins as root,
// with the rights to become somebody else and to read its own code, whoever's that is, and without any other.
//
//   we ─clone into namespaces▶ first process: the root ─fork▶ the program      any end ends all below it
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "birthplace.h"
#include "cell.h"
#include "handle.h"

enum {
  NAMESPACES = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP,
  MAX_FILES = 256,
  FIRST_OF_OURS = 4, // descriptors
};
static const rlim_t longest_file = (rlim_t)1 << 39; // twice what a layer may hold

static _Noreturn void give_up(const char *what) {
  dprintf(2, "the cell: cannot %s: %s\n", what, strerror(errno));
  _exit(127);
}

static int code_of(int status) { return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status); }

static int wait_for(pid_t pid) {
  int status;
  while (waitpid(pid, &status, 0) != pid)
    if (errno != EINTR) give_up("wait for its process");
  return code_of(status);
}

static bool is_kept(unsigned long capability) {
  return capability == CAP_SETUID || capability == CAP_SETGID || capability == CAP_DAC_READ_SEARCH;
}

static void drop_rights(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct kept[2] = {{0}};
  const struct rlimit none = {0, 0}, files = {MAX_FILES, MAX_FILES}, file = {longest_file, longest_file};
  if (setrlimit(RLIMIT_CORE, &none) || setrlimit(RLIMIT_NOFILE, &files) || setrlimit(RLIMIT_FSIZE, &file))
    give_up("set limits");
  for (unsigned long c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++) {
    if (is_kept(c)) kept[0].permitted |= 1u << c;
    else if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0)) give_up("drop capabilities");
  }
  kept[0].effective = kept[0].permitted;
  if (syscall(SYS_capset, &header, kept) || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) give_up("give up its rights");
}

static _Noreturn void become(char **program) {
  struct error error;
  syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL); // without the kernel's support there is none
  drop_rights();
  if (filter_install(&error)) give_up(error.message);
  execv(program[0], program);
  give_up(program[0]);
}

// The first process of the namespace of process ids: with it all the others end.
static _Noreturn void be_first(int life, char *const *paths, int count, char **program) {
  struct error error;
  struct pollfd alive = {.fd = life};
  if (prctl(PR_SET_PDEATHSIG, SIGKILL)) give_up("ask for its starter's end");
  if (poll(&alive, 1, 0)) _exit(127); // it has ended already
  if (syscall(SYS_close_range, (unsigned)FIRST_OF_OURS, ~0u, 0u)) give_up("close descriptors");
  if (root_build(paths, count, &error)) give_up(error.message);
  pid_t pid = fork();
  if (pid < 0) give_up("start its process");
  if (pid == 0) become(program);
  syscall(SYS_close_range, 0u, ~0u, 0u);
  _exit(wait_for(pid));
}

int main(int argc, char **argv) {
  int words = 1, count = 0, life[2];
  for (; words + 1 < argc && strcmp(argv[words], "--bind") == 0; words += 2) argv[count++] = argv[words + 1];
  if (words + 1 >= argc || strcmp(argv[words], "--") != 0)
    return fprintf(stderr, "usage: twofold-cell [--bind PATH]... -- PROGRAM [word...]\n"), 2;
  if (pipe2(life, O_CLOEXEC)) give_up("make a pipe");
  struct birthplace nowhere = {.group = -1};
  pid_t pid = birthplace_clone(&nowhere, NAMESPACES, NULL);
  if (pid < 0) give_up("make namespaces");
  if (pid == 0) {
    close(life[1]);
    be_first(life[0], argv, count, argv + words + 1);
  }
  // What the program reads and writes is at its end when it has closed it, not when we have.
  for (int fd = 0; fd < FIRST_OF_OURS; fd++) close(fd);
  return wait_for(pid);
}
