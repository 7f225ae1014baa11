#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "handle.h"
#include "mounts.h"
#include "netif.h"
#include "supervisor.h"

enum { GATES = 32 };
enum { PLAN_HYBRID_CGROUPS = 1 }; // FLAGS of the plan: crun refuses v1 beside a mounted v2

static int write_file(const char *path, const char *text) {
  auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);
  return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

static int gates[GATES]; // cgroup.procs of each of the sandbox's cgroups that is to be entered
static int gate_count;
static pid_t usher = -1;
static bool refused;

// Before the namespaces are made: some of the files are out of sight afterwards.
static int open_gates(struct error *error) {
  size_t at = 0;
  int tag;
  struct tlv value;
  while (tlv_next(plan.raw, &at, &tag, &value) == 1) {
    if (tag != TAG_CGROUP) continue;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%.*s/cgroup.procs", (int)value.length, (const char *)value.data);
    int fd = gate_count < GATES ? open(path, O_WRONLY | O_CLOEXEC) : -1;
    if (fd < 0) return error_set(error, "sandbox-failed", errno, "cannot enter the control group %s", path);
    gates[gate_count++] = fd;
  }
  return 0;
}

// 0, or the errno of the first that failed.
static int pass_gates(pid_t pid) {
  char text[16];
  int length = snprintf(text, sizeof text, "%d", pid), errnum = 0;
  for (int i = 0; i < gate_count; i++)
    if (write(gates[i], text, (size_t)length) != length && !errnum) errnum = errno;
  return errnum;
}

static void close_gates(void) {
  while (gate_count > 0) close(gates[--gate_count]);
}

int groups_enter_soon(pid_t companion, struct error *error) {
  pid_t here = getpid();
  if ((usher = fork()) < 0) return error_set(error, "internal", errno, "cannot enter the control groups");
  if (usher == 0) {
    // Without us our id may soon be somebody else's.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != here) _exit(1);
    int errnum = pass_gates(here);
    if (companion > 0) pass_gates(companion); // may have ended; whoever comes after it is our child and where we are
    _exit(errnum != 0);
  }
  close_gates();
  return 0;
}

bool groups_child(pid_t pid, int wait_status) {
  if (pid != usher) return false;
  usher = -1;
  refused = !WIFEXITED(wait_status) || WEXITSTATUS(wait_status) != 0;
  return true;
}

int groups_entered(struct error *error) {
  int status;
  while (usher > 0)
    if (waitpid(usher, &status, 0) == usher) groups_child(usher, status);
    else if (errno != EINTR) usher = -1, refused = true;
  return refused ? error_set(error, "sandbox-failed", 0, "the sandbox could not enter its control groups") : 0;
}

int isolate_program(char **argv, struct error *error) {
  struct statvfs s;
  if (statvfs("/proc/self/exe", &s) == 0 && s.f_flag & ST_RDONLY) {
    prctl(PR_SET_NAME, "twofold-supervisor"); // execveat by a descriptor has named it after that
    return 0;
  }
  auto_fd place = open("/proc/self/exe", O_PATH | O_CLOEXEC), view = place < 0 ? -1 : mount_clone(place);
  if (view < 0 || mount_set(view, MOUNT_ATTR_RDONLY, 0) != 0)
    return error_set(error, "sandbox-failed", errno, "cannot make the supervisor's program read-only");
  syscall(SYS_execveat, view, "", argv, environ, AT_EMPTY_PATH);
  return error_set(error, "sandbox-failed", errno, "cannot run the supervisor's program read-only");
}

int isolate_process(struct error *error) {
  umask(022);
  if (chdir("/") != 0) return error_set(error, "internal", errno, "cannot enter /");
  setsid(); // fails only when it leads one already
  keyring_leave();
  syscall(SYS_close_range, 3u, ~0u, 0u);
  if (open_gates(error) != 0) return -1;
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
    return error_set(error, "internal", errno, "cannot adopt orphaned processes");
  // The last to be killed when memory runs out: it alone can tell what happened. Needs CAP_SYS_RESOURCE; does without
  // it.
  write_file("/proc/self/oom_score_adj", "-999");
  return 0;
}

static int sysctl_set(struct tlv value, struct error *error) {
  auto_free char *setting = tlv_dup(value);
  char *equals = setting ? strchr(setting, '=') : NULL;
  if (!equals) return error_set(error, "invalid-argument", 0, "a sysctl is not of the form key=value");
  *equals = 0;
  char path[PATH_MAX];
  int n = snprintf(path, sizeof path, "/proc/sys/%s", setting);
  if (n < 0 || (size_t)n >= sizeof path || strstr(setting, ".."))
    return error_set(error, "invalid-argument", 0, "the sysctl %s does not exist", setting);
  for (char *p = path + strlen("/proc/sys/"); *p; p++) *p = *p == '.' ? '/' : *p;
  return write_file(path, equals + 1) == 0
             ? 0
             : error_set(error, "invalid-argument", errno, "cannot set the sysctl %s", setting);
}

int apply_host_settings(struct tlv list, struct error *error) {
  size_t at = 0;
  int tag;
  struct tlv value;
  while (tlv_next(list, &at, &tag, &value) == 1) {
    const char *text = (const char *)value.data;
    if (tag == TAG_HOSTNAME && sethostname(text, value.length) != 0)
      return error_set(error, "invalid-argument", errno, "cannot set the host name");
    if (tag == TAG_DOMAINNAME && setdomainname(text, value.length) != 0)
      return error_set(error, "invalid-argument", errno, "cannot set the domain name");
    if (tag == TAG_SYSCTL && sysctl_set(value, error) != 0) return -1;
  }
  return 0;
}

static int flag_of(const char *namespace) {
  if (strcmp(namespace, "network") == 0) return CLONE_NEWNET;
  if (strcmp(namespace, "ipc") == 0) return CLONE_NEWIPC;
  return strcmp(namespace, "uts") == 0 ? CLONE_NEWUTS : 0;
}

int isolate_namespaces(struct error *error) {
  int flags = CLONE_NEWNS;
  char **names = tlv_get_strings(plan.raw, TAG_NAMESPACE, NULL);
  for (char **n = names; n && *n; n++) flags |= flag_of(*n);
  strings_free(names);
  if (unshare(flags) != 0) return error_set(error, "sandbox-failed", errno, "cannot make the sandbox's namespaces");
  // Layers that are mounted later still come in; nothing of ours goes out.
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0)
    return error_set(error, "sandbox-failed", errno, "cannot make the sandbox's mounts private");
  if (tlv_get_number(plan.raw, TAG_FLAGS, 0) & PLAN_HYBRID_CGROUPS) umount2("/sys/fs/cgroup/unified", MNT_DETACH);
  if (flags & CLONE_NEWNET && netif_loopback_up(error) != 0) return -1;
  // Without a UTS namespace of its own these would be the host's.
  return flags & CLONE_NEWUTS ? apply_host_settings(plan.raw, error) : 0;
}
