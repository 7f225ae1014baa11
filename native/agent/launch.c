// Owns START and EXEC on the agent's side: cgroup, stdio, the clone, and waiting for the child's word. The child's side is child.c.
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "agent.h"
#include "handle.h"
#include "loop.h"
#include "streams.h"

// A launch under way, from clone to exec.
struct pending {
  struct request *request;
  pid_t pid;
  struct watch watch;
};

static void finish(struct pending *p, const struct error *error) {
  int fd = p->watch.fd;
  loop_remove(&p->watch);
  close(fd);
  if (error) request_fail(p->request, error);
  else request_started(p->request, p->pid);
  service_start_pending(-1);
  free(p);
}

static int take_terminal(struct pending *p, struct msghdr *m, struct error *error) {
  struct cmsghdr *c = CMSG_FIRSTHDR(m);
  int master;
  if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof master)) return error_set(error, "internal", 0, "The terminal did not arrive");
  memcpy(&master, CMSG_DATA(c), sizeof master);
  return stdio_terminal(p->request->process, master, (unsigned)tlv_get_number(p->request->payload, TAG_ROWS, 0), (unsigned)tlv_get_number(p->request->payload, TAG_COLUMNS, 0), error);
}

static void child_speaks(struct watch *w, uint32_t events) {
  (void)events;
  struct pending *p = container_of(w, struct pending, watch);
  struct error error;
  char control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec v = {&error, sizeof error};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t n = recvmsg(w->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n == 0) {
    if (p->request->process->ops) {
      finish(p, NULL); // closed by exec
      return;
    }
    error_set(&error, "internal", 0, "The process ended before it had its terminal");
  } else if (n == 1) {
    if (!take_terminal(p, &m, &error)) return; // the command itself is still to come
    kill(p->pid, SIGKILL);
  } else if (n != (ssize_t)sizeof error) {
    error_set(&error, "internal", 0, "The process could not be started");
  }
  error.code[sizeof error.code - 1] = error.message[sizeof error.message - 1] = 0;
  finish(p, &error);
}

static uint64_t namespace_flags(struct tlv plan) {
  static const struct { const char *name; uint64_t flag; } known[] = {{"pid", CLONE_NEWPID}, {"mount", CLONE_NEWNS}, {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}};
  uint64_t flags = CLONE_NEWNS; // always: a container never changes the guest's own mounts
  size_t at = 0;
  int tag;
  struct tlv value;
  while (tlv_next(plan, &at, &tag, &value) == 1)
    for (size_t i = 0; tag == TAG_NAMESPACE && i < sizeof known / sizeof *known; i++)
      if (value.length == strlen(known[i].name) && !memcmp(value.data, known[i].name, value.length)) flags |= known[i].flag;
  return flags;
}

static pid_t clone_into(int cgroup, uint64_t flags) {
  struct clone_args arguments = {.flags = flags | CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)cgroup};
  return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

// A child in the process id namespace of another: the namespace is what the agent's next child gets, and is put back at once.
static pid_t clone_beside(int process, int cgroup) {
  auto_fd ours = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
  if (ours < 0 || setns(process, CLONE_NEWPID)) return -1;
  pid_t pid = clone_into(cgroup, 0);
  int failed = errno;
  if (pid != 0 && setns(ours, CLONE_NEWPID)) return -1;
  errno = failed;
  return pid;
}

static int launch(struct request *r, pid_t join, struct error *error) {
  struct guest *g = r->container->user;
  bool terminal = tlv_get_number(r->payload, TAG_TERMINAL, 0);
  struct stdio_ends ends = {-1, -1, -1};
  int sockets[2];
  // Opened here: the child would look the number up in its own process id namespace.
  auto_fd process = join ? (int)syscall(SYS_pidfd_open, join, 0) : -1;
  if (join && process < 0) return error_set(error, "container-not-running", errno, "Could not join the container");
  auto_fd cgroup = open(g->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  struct pending *p = calloc(1, sizeof *p);
  if (!p || cgroup < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets)) {
    free(p);
    return error_set(error, "internal", errno, "Could not start the process");
  }
  auto_fd ours = sockets[0], theirs = sockets[1];
  if (!join && device_filter_attach(cgroup, r->payload, error)) {
    free(p);
    return -1;
  }
  bool detached = tlv_get_number(r->payload, TAG_FLAGS, 0) & EXEC_DETACHED;
  if (!terminal && stdio_pipes(r->process, detached, &ends, error)) {
    free(p);
    return -1;
  }
  service_start_pending(1);
  pid_t pid = join ? clone_beside(process, cgroup) : clone_into(cgroup, namespace_flags(r->payload));
  if (pid == 0) {
    struct launch l = {.plan = r->payload, .guest = g, .join = process, .socket = theirs, .stdio = {ends.in, ends.out, ends.err}};
    launch_child(&l);
  }
  int failed = errno;
  stdio_ends_close(&ends);
  *p = (struct pending){.request = r, .pid = pid, .watch = {.fd = -1}};
  if (pid < 0) error_set(error, failed == ESRCH || failed == ENOENT ? "container-not-running" : "internal", failed, "Could not start the process");
  if (pid < 0 || loop_add(&p->watch, ours, EPOLLIN, child_speaks, error)) {
    service_start_pending(-1);
    free(p);
    return -1;
  }
  steal_fd(&ours);
  return 0;
}

void on_start(struct request *r) {
  struct error error;
  struct guest *g = r->container->user;
  auto_free char *name = tlv_get_string(r->payload, TAG_CGROUP);
  if (!name) {
    request_failf(r, "invalid-argument", 0, "START names no cgroup.");
    return;
  }
  if ((!g->cgroup && cgroup_make(name, &g->cgroup, &error)) || cgroup_apply(g->cgroup, r->payload, &error) || launch(r, 0, &error)) request_fail(r, &error);
}

void on_exec(struct request *r) {
  struct error error;
  struct process *init = r->container ? r->container->main : NULL;
  if (!init || init->state != PROCESS_RUNNING) request_failf(r, "container-not-running", 0, "The container is not running.");
  else if (launch(r, init->pid, &error)) request_fail(r, &error);
}
