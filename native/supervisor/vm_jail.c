// Owns the worker's way from fork to exec: control groups, a root of its own (a small read-only tmpfs with what QEMU
// needs bound in read-only), no descriptors but its own, its user, no capabilities. A hole in QEMU gives whoever comes
// through it nothing but that. MOUNT* { SOURCE PATH } of the plan names what is bound in; UID GID GROUP* who it runs
// as; LENGTH how long a file may become; ARG* the command.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "handle.h"
#include "vm.h"

enum { MAX_WORKER_FILES = 4096 };

// What goes wrong here is read by the supervisor from our stderr.
__attribute__((noreturn)) static void give_up(const char *what, const char *which) {
  dprintf(2, "the worker's jail: cannot %s %s: %s\n", what, which, strerror(errno));
  _exit(127);
}

// 0, 1, 2, then the fixed numbers; the rest is closed. High copies first, so that none is overwritten while it is
// needed.
static void take_descriptors(const struct worker_ends *ends) {
  int from[WORKER_FDS] = {open("/dev/null", O_RDWR | O_CLOEXEC),
                          ends->output,
                          ends->output,
                          ends->agent,
                          ends->qmp,
                          ends->memory,
                          ends->spare};
  from[WORKER_FORK_FD] = ends->listening;
  for (int i = WORKER_FIRST_TAP_FD; i < WORKER_FORK_FD; i++)
    from[i] = i - WORKER_FIRST_TAP_FD < ends->taps->count ? ends->taps->fds[i - WORKER_FIRST_TAP_FD] : -1;
  for (int i = 0; i < WORKER_FDS; i++) from[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD_CLOEXEC, WORKER_FDS);
  for (int i = 0; i < WORKER_FDS; i++) {
    close(i);
    if (from[i] >= 0 && dup2(from[i], i) < 0) _exit(127);
  }
  syscall(SYS_close_range, (unsigned)WORKER_FDS, ~0u, 0u);
}

static void make_place(const char *path, bool directory) {
  char copy[PATH_MAX];
  snprintf(copy, sizeof copy, "%s", path);
  for (char *slash = strchr(copy, '/'); slash; slash = strchr(slash + 1, '/')) {
    if (slash == copy) continue;
    *slash = 0;
    if (mkdir(copy, 0755) && errno != EEXIST) give_up("make", copy);
    *slash = '/';
  }
  auto_fd fd = directory ? -1 : open(copy, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (directory ? mkdir(copy, 0755) && errno != EEXIST : fd < 0) give_up("make", copy);
}

// `inside` is relative: we stand in the new root.
static void bind_in(const char *source, const char *inside) {
  struct stat s;
  auto_fd tree = (int)syscall(SYS_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  if (tree < 0 || fstat(tree, &s)) give_up("bind", source);
  make_place(inside, S_ISDIR(s.st_mode));
  struct mount_attr attr = {.attr_set =
                                MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | (S_ISCHR(s.st_mode) ? 0 : MOUNT_ATTR_NODEV)};
  if (syscall(SYS_mount_setattr, tree, "", AT_EMPTY_PATH, &attr, sizeof attr) ||
      syscall(SYS_move_mount, tree, "", AT_FDCWD, inside, MOVE_MOUNT_F_EMPTY_PATH))
    give_up("bind", source);
}

static void build_root(void) {
  char root[PATH_MAX];
  snprintf(root, sizeof root, "%s/jail", plan.directory);
  if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) give_up("make private", "/");
  if (mount("jail", root, "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=256k,nr_inodes=256,mode=0755") ||
      chdir(root))
    give_up("mount", root);
  size_t at = 0;
  int tag;
  struct tlv value;
  while (tlv_next(plan.raw, &at, &tag, &value) == 1) {
    if (tag != TAG_MOUNT) continue;
    auto_free char *source = tlv_get_string(value, TAG_SOURCE), *inside = tlv_get_string(value, TAG_PATH);
    if (!source || !inside || *inside != '/' || strstr(inside, "..")) give_up("read", "the plan");
    bind_in(source, inside + 1);
  }
  make_place("proc", true);
  // Of our own process id namespace, and of that only the processes.
  if (mount("proc", "proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, "subset=pid") &&
      mount("proc", "proc", "proc", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
    give_up("mount", "proc");
  if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/")) give_up("enter", root);
  if (mount(NULL, "/", NULL, MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL)) give_up("protect", "/");
}

// A parent keeps what its copies' namespaces and users take, which each copy gives up before it goes on; nobody's code
// but ours runs in it.
static bool takes_to_fork(unsigned long capability) {
  return capability == CAP_SYS_ADMIN || capability == CAP_SETUID || capability == CAP_SETGID ||
         capability == CAP_SETPCAP;
}

static void drop_rights(void) {
  gid_t groups[16];
  size_t count = 0, at = 0;
  int tag;
  struct tlv value;
  while (tlv_next(plan.raw, &at, &tag, &value) == 1)
    if (tag == TAG_GROUP && value.length == 8 && count < 16) memcpy(&groups[count++], value.data, sizeof *groups);
  int64_t uid = tlv_get_number(plan.raw, TAG_UID, 0), gid = tlv_get_number(plan.raw, TAG_GID, 0);
  errno = EINVAL;
  if (uid <= 0 || gid <= 0) give_up("become", "root");
  const struct rlimit none = {0, 0}, files = {MAX_WORKER_FILES, MAX_WORKER_FILES};
  // The writable disk, or the memory of a template: whoever comes out of a guest cannot fill the host's disk by them.
  rlim_t longest = (rlim_t)tlv_get_number(plan.raw, TAG_LENGTH, 0);
  const struct rlimit file = {longest, longest};
  if (!longest || setrlimit(RLIMIT_FSIZE, &file) || setrlimit(RLIMIT_CORE, &none) || setrlimit(RLIMIT_NOFILE, &files))
    give_up("set", "limits");
  bool parent = vm_has_flag(PLAN_PARENT);
  for (unsigned long c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
    if (!(parent && takes_to_fork(c)) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0)) give_up("drop", "capabilities");
  if (parent) uid = gid = 0;
  if (setgroups(count, groups) || setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) ||
      setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid))
    give_up("become", "the worker's user");
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) give_up("forbid", "new privileges");
  // After the change of user, which clears it: a supervisor that is killed takes its VM along.
  if (prctl(PR_SET_PDEATHSIG, SIGKILL)) give_up("ask for", "the parent's end");
}

void worker_become(const struct worker_ends *ends) {
  char *environment[] = {"PATH=/usr/bin", "LC_ALL=C", "MALLOC_ARENA_MAX=1",
                         vm_has_flag(PLAN_PARENT) ? "LD_PRELOAD=/vm/fork.so" : NULL, NULL};
  loop_child_signals();
  setsid();
  keyring_leave();
  umask(077);
  int failed = birthplace_enter(ends->place) ? errno : 0; // told by the descriptors that come now
  take_descriptors(ends);
  if ((errno = failed)) give_up("enter", "its control groups");
  auto_fd score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (score >= 0 && write(score, "0", 1) != 1) give_up("set", "the OOM score");
  umask(022);
  build_root();
  char **argv = tlv_get_strings(plan.raw, TAG_ARG, NULL);
  if (!argv || !argv[0]) give_up("read", "the plan");
  drop_rights();
  umask(077);
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  execve(argv[0], argv, environment);
  give_up("start", argv[0]);
}
