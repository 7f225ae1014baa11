// Owns START and EXEC on the launcher's side: stdio, the clone, and waiting for the child's word. The child's side is
// child.c. See launch.h.
#include "launch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "handle.h"
#include "loop.h"
#include "streams.h"

// A launch under way, from clone to exec.
struct pending {
  struct request *request;
  pid_t pid; // 0 until the usher has told it
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
  if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(sizeof master))
    return error_set(error, "internal", 0, "The terminal did not arrive");
  memcpy(&master, CMSG_DATA(c), sizeof master);
  if (!stdio_terminal(p->request->process, master, (unsigned)tlv_get_number(p->request->payload, TAG_ROWS, 0),
                      (unsigned)tlv_get_number(p->request->payload, TAG_COLUMNS, 0), error))
    return 0;
  close(master); // whose terminal it is hangs up
  return -1;
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
    if (p->request->process->ops && p->pid > 0) return finish(p, NULL); // closed by exec
    error_set(&error, "internal", 0, "The process ended before it was started");
  } else if (n == 1) {
    if (!take_terminal(p, &m, &error)) return; // the command itself is still to come
    if (p->pid > 0) kill(p->pid, SIGKILL);
  } else if (n == (ssize_t)sizeof p->pid) {
    memcpy(&p->pid, &error, sizeof p->pid);
    return;
  } else if (n != (ssize_t)sizeof error) {
    error_set(&error, "internal", 0, "The process could not be started");
  }
  error.code[sizeof error.code - 1] = error.message[sizeof error.message - 1] = 0;
  finish(p, &error);
}

// Of a container that has groups of its own below its group, which then takes no process itself (cgroups(7), "no
// internal processes"): the main process's.
static int place_of(pid_t pid, struct birthplace *place, struct error *error) {
  char path[PATH_MAX], line[PATH_MAX];
  snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
  auto_file f = fopen(path, "re");
  while (f && fgets(line, sizeof line, f)) {
    if (strncmp(line, "0::/", 4) != 0) continue;
    line[strcspn(line, "\n")] = 0;
    int n = snprintf(path, sizeof path, "/sys/fs/cgroup%s", line + 3);
    if (n > 0 && (size_t)n < sizeof path) return birthplace_add(place, path, error);
  }
  return error_set(error, "container-not-running", 0, "Could not find the container's control group");
}

static int begin(struct pending *p, struct birth *birth, struct error *error) {
  struct request *r = p->request;
  struct stdio_ends ends = {-1, -1, -1};
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets))
    return error_set(error, "internal", errno, "Could not start the process");
  auto_fd ours = sockets[0], theirs = sockets[1];
  bool detached = tlv_get_number(r->payload, TAG_FLAGS, 0) & EXEC_DETACHED;
  if (!tlv_get_number(r->payload, TAG_TERMINAL, 0) && stdio_pipes(r->process, detached, &ends, error)) return -1;
  pid_t pid = birthplace_clone(&birth->place, birth->namespaces, NULL);
  if (pid < 0 && errno == EBUSY && birth->init > 0 && !place_of(birth->init, &birth->place, NULL))
    pid = birthplace_clone(&birth->place, birth->namespaces, NULL);
  if (pid == 0) {
    struct launch l = {.plan = r->payload,
                       .socket = theirs,
                       .stdio = {ends.in, ends.out, ends.err},
                       .enter = birth->enter,
                       .user = birth->user};
    if (birth->enter) launch_child(&l);
    launch_usher(&l, birth);
  }
  int failed = errno;
  stdio_ends_close(&ends);
  if (pid < 0)
    return error_set(error,
                     failed == ESRCH || failed == ENOENT || failed == ENODEV ? "container-not-running" : "internal",
                     failed, "Could not start the process");
  if (birth->enter) p->pid = pid;
  if (loop_add(&p->watch, ours, EPOLLIN, child_speaks, error)) return -1;
  steal_fd(&ours);
  return 0;
}

int launch(struct request *r, struct birth *birth, struct error *error) {
  struct pending *p = calloc(1, sizeof *p);
  if (!p) return error_set(error, "internal", ENOMEM, "Could not start the process");
  *p = (struct pending){.request = r, .watch = {.fd = -1}};
  service_start_pending(1);
  if (!begin(p, birth, error)) return 0;
  service_start_pending(-1);
  free(p);
  return -1;
}

void launch_beside(struct request *r, pid_t init, char *const *cgroups) {
  struct error error;
  // Opened here, where the number means this process.
  struct birth birth = {.init = init, .join = (int)syscall(SYS_pidfd_open, init, 0), .place.group = -1};
  int failed = birth.join < 0 ? error_set(&error, "container-not-running", errno, "Could not join the container") : 0;
  for (char *const *c = cgroups; !failed && c && *c; c++) failed = birthplace_add(&birth.place, *c, &error);
  if (failed || launch(r, &birth, &error)) request_fail(r, &error);
  close_fd(&birth.join);
  birthplace_close(&birth.place);
}
