// Owns the child's way from clone to exec: a new container's main process, and the usher and the process of a further
// one. Whatever fails is sent to the launcher; success closes the socket by exec.
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "handle.h"
#include "launch.h"
#include "loop.h"

static int take_stdio(struct launch *l, struct error *error) {
  bool terminal = tlv_get_number(l->plan, TAG_TERMINAL, 0);
  uid_t uid = (uid_t)tlv_get_number(l->plan, TAG_UID, 0);
  // High numbers first: a descriptor of ours may itself be 0, 1 or 2.
  for (int i = 0; i < 3; i++)
    if ((l->stdio[i] = fcntl(l->stdio[i], F_DUPFD_CLOEXEC, 10)) < 0)
      return error_set(error, "internal", errno, "Could not pass on the process's streams");
  for (int i = 0; i < 3; i++) {
    struct stat s;
    // So that the user can open /dev/stdout again; never a device, which others have too.
    if (!terminal && !fstat(l->stdio[i], &s) && S_ISFIFO(s.st_mode) && fchown(l->stdio[i], uid, (gid_t)-1))
      return error_set(error, "internal", errno, "Could not give the process its streams");
    if (dup2(l->stdio[i], i) < 0) return error_set(error, "internal", errno, "Could not pass on the process's streams");
  }
  if (terminal && ioctl(0, TIOCSCTTY, 0))
    return error_set(error, "internal", errno, "Could not make the terminal the controlling one");
  return 0;
}

// A directory outside of the root has no name here (CVE-2024-21626). 1: the user may get in where root may not.
static int enter_directory(const char *path, bool last_try, struct error *error) {
  char where[4096];
  if (chdir(path)) {
    if (errno == EACCES && !last_try) return 1;
    return error_set(error, errno == ENOENT ? "command-not-found" : "command-not-executable", 0,
                     "chdir to cwd (\"%s\") set in config.json failed: %s", path,
                     errno == EACCES    ? "permission denied"
                     : errno == ENOTDIR ? "not a directory"
                     : errno == ENOENT  ? "no such file or directory"
                                        : strerror(errno));
  }
  if (!getcwd(where, sizeof where) || where[0] != '/')
    return error_set(error, "forbidden", 0, "The working directory %s is outside of the container", path);
  return 0;
}

static int become_process(struct launch *l, struct error *error) {
  auto_free char *cwd = tlv_get_string(l->plan, TAG_CWD);
  char **argv = tlv_get_strings(l->plan, TAG_ARG, NULL), **env = tlv_get_strings(l->plan, TAG_ENV, NULL);
  if (!argv || !argv[0] || !env) return error_set(error, "invalid-argument", 0, "The process has no command");
  const char *directory = cwd && *cwd ? cwd : "/";
  // As root, so that a user can begin in a directory of root's; as runc does it.
  int denied = enter_directory(directory, false, error);
  if (denied < 0) return -1;
  // A session keyring of its own; without the kernel's support there is none to share either.
  syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL);
  if (credentials_apply(l->plan, error) || (denied && enter_directory(directory, true, error))) return -1;
  // No descriptor of the launcher's may reach the container (CVE-2024-21626).
  if (syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */))
    return error_set(error, "internal", errno, "Could not close the launcher's descriptors");
  return command_exec(argv, env, error);
}

// What can only be done where the launcher is.
static int set_apart(const struct launch *l, struct error *error) {
  char score[24];
  int n = snprintf(score, sizeof score, "%lld", (long long)tlv_get_number(l->plan, TAG_OOM_SCORE_ADJ, 0));
  // Not dumpable: nobody in the container looks into this process before it has become theirs (CVE-2019-5736).
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  loop_child_signals();
  auto_fd oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  return oom >= 0 && write(oom, score, (size_t)n) != n
             ? error_set(error, "invalid-argument", errno, "Could not set the process's OOM score")
             : 0;
}

static _Noreturn void tell(const struct launch *l, const struct error *error) {
  send(l->socket, error, sizeof *error, MSG_NOSIGNAL);
  _exit(127);
}

// The terminal of a process that joins: a new container's is made with its root.
static int open_terminal(struct launch *l, struct error *error) {
  auto_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  int slave = -1;
  if (root < 0 || terminal_open(root, l, &slave, error)) return -1;
  l->stdio[0] = l->stdio[1] = l->stdio[2] = slave;
  return 0;
}

static _Noreturn void run(struct launch *l, struct error *error) {
  setsid();
  bool joined = !l->enter;
  if ((joined ? tlv_get_number(l->plan, TAG_TERMINAL, 0) && open_terminal(l, error) : l->enter(l, error)) ||
      take_stdio(l, error))
    tell(l, error);
  become_process(l, error);
  tell(l, error);
}

void launch_child(struct launch *l) {
  struct error error = {.code = "internal", .message = "Could not start the process"};
  if (set_apart(l, &error)) tell(l, &error);
  run(l, &error);
}

// Of what the launcher has, what the process needs: its streams as 0, 1, 2, the socket as 3, the container to join as
// 4.
static int keep(struct launch *l, int *join, struct error *error) {
  int *wanted[] = {&l->stdio[0], &l->stdio[1], &l->stdio[2], &l->socket, join}, count = sizeof wanted / sizeof *wanted;
  for (int i = 0; i < count; i++)
    if (*wanted[i] >= 0 && (*wanted[i] = fcntl(*wanted[i], F_DUPFD_CLOEXEC, count)) < 0)
      return error_set(error, "internal", errno, "Could not pass on the process's streams");
  for (int i = 0; i < count; i++) {
    if (*wanted[i] < 0) close(i);
    else if (dup3(*wanted[i], i, O_CLOEXEC) < 0)
      return error_set(error, "internal", errno, "Could not pass on the process's streams");
    else *wanted[i] = i;
  }
  return syscall(SYS_close_range, count, ~0u, 0u)
             ? error_set(error, "internal", errno, "Could not close the launcher's descriptors")
             : 0;
}

void launch_usher(struct launch *l, const struct birth *birth) {
  struct error error = {.code = "internal", .message = "Could not join the container"};
  int join = birth->join;
  if (birthplace_enter(&birth->place))
    error_set(&error, "internal", errno, "Could not enter the container's control groups"), tell(l, &error);
  if (set_apart(l, &error) || keep(l, &join, &error)) tell(l, &error);
  // All at once, the process id namespace for whom we clone: the container sees no process that is not wholly in it.
  if (setns(join, CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET | CLONE_NEWCGROUP | CLONE_NEWPID))
    error_set(&error, "container-not-running", errno, "Could not join the container");
  else {
    close(join);
    struct clone_args arguments = {
        .flags = CLONE_PARENT};  // the launcher's child, which ends with the signal that we end with
    pid_t pid = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
    if (pid == 0) run(l, &error);
    if (pid > 0 && send(l->socket, &pid, sizeof pid, MSG_NOSIGNAL) == (ssize_t)sizeof pid) _exit(0);
    error_set(&error, "internal", errno, "Could not start the process");
  }
  tell(l, &error);
}
