// Owns the service of a VM that is forked: the first connection brings it to rest for good, each request makes one
// copy. A copy enters its control groups, takes descriptors and a user, gives up all rights, and goes on where the
// original stood still. The original hears when its copies end or run on, and tells it.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fork.h"
#include "fork_request.h"
#include "worker.h"

enum { MOST_COPIES = 1024, LATEST_MS = 5000 };
static struct {
  pid_t pid; // 0: the entry is free
  int asker;
} copies[MOST_COPIES];

// The first connection is what brings us to rest: the kernel sends the signal.
__attribute__((constructor)) static void await(void) {
  struct f_owner_ex owner = {F_OWNER_TID, getpid()};
  if (fcntl(WORKER_FORK_FD, F_SETOWN_EX, &owner) || fcntl(WORKER_FORK_FD, F_SETSIG, FORK_SIGNAL) ||
      fcntl(WORKER_FORK_FD, F_SETFL, O_ASYNC | O_NONBLOCK)) {
    dprintf(2, "cannot wait to be forked: %s\n", strerror(errno));
    _exit(127);
  }
  // Nothing that QEMU starts shall be loaded with this.
  unsetenv("LD_PRELOAD");
}

static void answer(int asker, pid_t pid, int process, failure failed) {
  struct fork_answer a = {.pid = pid, .error = failed ? errno : 0};
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec v = {&a, sizeof a};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  if (failed) {
    strncpy(a.what, failed, sizeof a.what - 1);
    m.msg_control = NULL, m.msg_controllen = 0;
  } else {
    *c = (struct cmsghdr){.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
    memcpy(CMSG_DATA(c), &process, sizeof(int));
  }
  sendmsg(asker, &m, MSG_NOSIGNAL); // who is gone needs no answer
}

static void reap(void) {
  int status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG | WCONTINUED)) > 0;)
    for (int i = 0; i < MOST_COPIES; i++) {
      if (copies[i].pid != pid) continue;
      int32_t told = status;
      send(copies[i].asker, &told, sizeof told, MSG_NOSIGNAL);
      if (WIFCONTINUED(status)) continue;
      close(copies[i].asker);
      copies[i].pid = 0;
    }
}

static failure give_up_rights(const struct fork_request *request) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct none[2] = {{0}};
  // By the kernel's own calls: glibc's would tell every thread, and there is one.
  if (syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, request->gid, request->gid, request->gid) ||
      syscall(SYS_setresuid, request->uid, request->uid, request->uid))
    return "become its user";
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) || syscall(SYS_capset, &header, none))
    return "give up its rights";
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? "forbid new privileges" : NULL;
}

static failure copy_lives(const struct fork_request *request, const struct birthplace *place, const int *fds) {
  if (dup3(fds[FORK_OUTPUT], 2, O_CLOEXEC) < 0) return "take its descriptors";
  // Its own bounding set, too: nothing below gives it anything anew.
  for (unsigned long c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
    if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0)) return "drop capabilities";
  if (birthplace_enter(place)) return "enter its control groups";
  setsid();
  syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL); // without the kernel's support there is none
  prctl(PR_SET_NAME, "vmwp");
  // It shows the others; QEMU needed it to open what it was given.
  if (umount2("/proc", MNT_DETACH)) return "leave /proc";
  failure failed = descriptors_replace(fds);
  if (!failed) failed = give_up_rights(request);
  if (!failed) failed = threads_revive();
  return failed ? failed : filter_install();
}

static failure receive(int asker, struct fork_request *request, int *fds, size_t *count) {
  union {
    struct cmsghdr align;
    char room[CMSG_SPACE(sizeof(int) * FORK_MOST_FDS)];
  } control;
  struct iovec v = {request, sizeof *request};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct pollfd soon = {asker, POLLIN, 0};
  *count = 0;
  errno = ETIMEDOUT;
  if (poll(&soon, 1, LATEST_MS) != 1) return "hear the request";
  ssize_t n = recvmsg(asker, &m, MSG_CMSG_CLOEXEC);
  for (struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) continue;
    *count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    memcpy(fds, CMSG_DATA(c), *count * sizeof(int));
  }
  if (n == 0) errno = ENODATA; // somebody who only wanted us to be at rest
  if (n <= 0) return "hear the request";
  errno = EPROTO;
  if (n != sizeof *request || request->version != FORK_VERSION || request->gates > MOST_GATES || !request->uid ||
      !request->gid)
    return "understand the request";
  return *count == FORK_FIXED + request->gates + (request->has_group ? 1 : 0) ? NULL : "understand the request";
}

// True in the copy.
static bool fork_for(int asker) {
  struct fork_request request;
  int fds[FORK_MOST_FDS], process = -1, entry = 0;
  size_t count;
  failure failed = receive(asker, &request, fds, &count);
  while (entry < MOST_COPIES && copies[entry].pid) entry++;
  if (!failed && entry == MOST_COPIES) errno = EAGAIN, failed = "make another copy";
  pid_t pid = -1;
  struct birthplace place = {.group = -1};
  if (!failed) {
    place.count = request.gates;
    memcpy(place.gates, fds + FORK_FIXED, request.gates * sizeof(int));
    if (request.has_group) place.group = fds[FORK_FIXED + request.gates];
    pid = birthplace_clone(&place, WORKER_NAMESPACES, &process);
    if (pid < 0) failed = "make a copy";
  }
  if (pid == 0) {
    if ((failed = copy_lives(&request, &place, fds))) {
      dprintf(2, "a copy of the VM cannot %s: %s\n", failed, strerror(errno));
      _exit(127);
    }
    return true;
  }
  answer(asker, pid, process, failed);
  if (process >= 0) close(process);
  for (size_t i = 0; i < count; i++) close(fds[i]);
  if (pid > 0) copies[entry].pid = pid, copies[entry].asker = asker;
  else close(asker);
  return false;
}

void serve(void) {
  fcntl(WORKER_FORK_FD, F_SETFL, 0);
  prctl(PR_SET_NAME, "vmwp-parent"); // whoever looks for workers finds those that run
  failure failed = threads_park();
  if (!failed) failed = descriptors_survey();
  if (failed) {
    dprintf(2, "the VM cannot be forked: cannot %s: %s\n", failed, strerror(errno));
    _exit(127);
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGCHLD);
  struct pollfd wanted[] = {{WORKER_FORK_FD, POLLIN, 0}, {signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK), POLLIN, 0}};
  for (;;) {
    struct signalfd_siginfo end;
    poll(wanted, 2, -1);
    if (read(wanted[1].fd, &end, sizeof end) > 0) reap();
    int asker = wanted[0].revents ? accept4(WORKER_FORK_FD, NULL, NULL, SOCK_CLOEXEC) : -1;
    if (asker >= 0 && fork_for(asker)) break;
  }
  threads_release();
}
