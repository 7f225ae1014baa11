// Owns the child's way from clone to exec, for a container's main process (which makes the namespaces' content) and for a
// further one (which joins them). Whatever fails is sent to the agent; success closes the socket by exec.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "agent.h"
#include "handle.h"
#include "loop.h"

static int settle_names(struct launch *l, struct error *error) {
  auto_free char *host = tlv_get_string(l->plan, TAG_HOSTNAME);
  auto_free char *domain = tlv_get_string(l->plan, TAG_DOMAINNAME);
  if (host && sethostname(host, strlen(host))) return error_set(error, "invalid-argument", errno, "Could not set the host name");
  if (domain && setdomainname(domain, strlen(domain))) return error_set(error, "invalid-argument", errno, "Could not set the domain name");
  return 0;
}

// The main process: it is already in its cgroup and namespaces, all but the cgroup namespace, whose root is where one is at that time.
static int make_container(struct launch *l, struct error *error) {
  if (unshare(CLONE_NEWCGROUP) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) return error_set(error, "internal", errno, "Could not make the container's namespaces");
  return settle_names(l, error) || rootfs_enter(l, error) ? -1 : 0;
}

static int join_container(struct launch *l, struct error *error) {
  // The process id namespace was joined by the agent before the clone.
  if (setns(l->join, CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP)) return error_set(error, "container-not-running", errno, "Could not join the container");
  if (!tlv_get_number(l->plan, TAG_TERMINAL, 0)) return 0;
  auto_fd root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
  int slave = -1;
  if (root < 0 || terminal_open(root, l, &slave, error)) return -1;
  l->stdio[0] = l->stdio[1] = l->stdio[2] = slave;
  return 0;
}

static int take_stdio(struct launch *l, struct error *error) {
  bool terminal = tlv_get_number(l->plan, TAG_TERMINAL, 0);
  uid_t uid = (uid_t)tlv_get_number(l->plan, TAG_UID, 0);
  // High numbers first: a descriptor of ours may itself be 0, 1 or 2.
  for (int i = 0; i < 3; i++)
    if ((l->stdio[i] = fcntl(l->stdio[i], F_DUPFD_CLOEXEC, 10)) < 0) return error_set(error, "internal", errno, "Could not pass on the process's streams");
  for (int i = 0; i < 3; i++) {
    struct stat s;
    // So that the user can open /dev/stdout again; never a device, which others have too.
    if (!terminal && !fstat(l->stdio[i], &s) && S_ISFIFO(s.st_mode) && fchown(l->stdio[i], uid, (gid_t)-1)) return error_set(error, "internal", errno, "Could not give the process its streams");
    if (dup2(l->stdio[i], i) < 0) return error_set(error, "internal", errno, "Could not pass on the process's streams");
  }
  if (terminal && ioctl(0, TIOCSCTTY, 0)) return error_set(error, "internal", errno, "Could not make the terminal the controlling one");
  return 0;
}

// A directory outside of the root has no name here (CVE-2024-21626).
static int enter_directory(const char *path, bool last_try, struct error *error) {
  char where[4096];
  if (chdir(path)) {
    if (errno == EACCES && !last_try) return 0;
    return error_set(error, errno == ENOENT ? "command-not-found" : "command-not-executable", 0, "chdir to cwd (\"%s\") set in config.json failed: %s", path, errno == EACCES ? "permission denied" : errno == ENOTDIR ? "not a directory" : errno == ENOENT ? "no such file or directory" : strerror(errno));
  }
  if (!getcwd(where, sizeof where) || where[0] != '/') return error_set(error, "forbidden", 0, "The working directory %s is outside of the container", path);
  return 0;
}

static int become_process(struct launch *l, struct error *error) {
  auto_free char *cwd = tlv_get_string(l->plan, TAG_CWD);
  char **argv = tlv_get_strings(l->plan, TAG_ARG, NULL), **env = tlv_get_strings(l->plan, TAG_ENV, NULL);
  if (!argv || !argv[0] || !env) return error_set(error, "invalid-argument", 0, "The process has no command");
  if (enter_directory(cwd && *cwd ? cwd : "/", false, error)) return -1;
  // A session keyring of its own; without the kernel's support there is none to share either.
  syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, NULL);
  if (credentials_apply(l->plan, error) || enter_directory(cwd && *cwd ? cwd : "/", true, error)) return -1;
  // No descriptor of the agent's may reach the container (CVE-2024-21626).
  if (syscall(SYS_close_range, 3, ~0u, 4 /* CLOSE_RANGE_CLOEXEC */)) return error_set(error, "internal", errno, "Could not close the agent's descriptors");
  return command_exec(argv, env, error);
}

void launch_child(struct launch *l) {
  struct error error = {.code = "internal", .message = "Could not start the process"};
  char score[24];
  int n = snprintf(score, sizeof score, "%lld", (long long)tlv_get_number(l->plan, TAG_OOM_SCORE_ADJ, 0));
  // Not dumpable: nobody in the container looks into this process before it has become theirs (CVE-2019-5736).
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  loop_child_signals();
  setsid();
  auto_fd oom = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (oom >= 0 && write(oom, score, (size_t)n) != n) error_set(&error, "invalid-argument", errno, "Could not set the process's OOM score");
  else if ((l->join >= 0 ? join_container(l, &error) : make_container(l, &error)) || take_stdio(l, &error)) n = 0;
  else become_process(l, &error);
  send(l->socket, &error, sizeof error, MSG_NOSIGNAL);
  _exit(127);
}
