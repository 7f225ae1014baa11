// Owns the asking of a parent for a copy of it (native/fork), and the hearing of that copy's end, which is the parent's
// child and not ours. A parent that has ended tells nothing more: then the copy's own descriptor says that it has, but
// not how.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fork_request.h"
#include "handle.h"
#include "unix_socket.h"
#include "vm.h"

enum { ANSWER_LIMIT_S = 10 };

static struct watch parent = {.fd = -1}, copy = {.fd = -1};
static pid_t copy_id;
static int copy_process = -1;
static void (*tell_end)(pid_t pid, int status);

int fork_listen(struct error *error) {
  if (!vm_has_flag(PLAN_PARENT)) return -1;
  auto_free char *path = tlv_get_string(plan.raw, TAG_SOURCE);
  return path ? unix_listen(path, 0, error)
              : error_set(error, "internal", errno, "cannot read where forks are asked for");
}

static int reach(int fd, struct error *error) {
  struct sockaddr_un address;
  const struct timeval limit = {ANSWER_LIMIT_S, 0};
  auto_fd directory = -1;
  auto_free char *path = tlv_get_string(plan.raw, TAG_SOURCE);
  if (path && unix_address(path, &address, &directory, error)) return -1;
  if (!path || fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) ||
      connect(fd, (struct sockaddr *)&address, sizeof address))
    return error_set(error, "sandbox-failed", errno, "cannot reach the VM that is forked");
  return 0;
}

static int ask(int fd, const struct worker_ends *ends, struct error *error) {
  struct fork_request request = {FORK_VERSION, (uint32_t)tlv_get_number(plan.raw, TAG_UID, 0),
                                 (uint32_t)tlv_get_number(plan.raw, TAG_GID, 0), ends->place->count,
                                 ends->place->group >= 0};
  int fds[FORK_MOST_FDS] = {[FORK_AGENT] = ends->agent,
                            [FORK_QMP] = ends->qmp,
                            [FORK_OUTPUT] = ends->output,
                            [FORK_SPARE] = ends->spare,
                            [FORK_TAP] = ends->taps->count ? ends->taps->fds[0] : -1};
  size_t count = FORK_FIXED;
  for (unsigned i = 0; i < ends->place->count; i++) fds[count++] = ends->place->gates[i];
  if (request.has_group) fds[count++] = ends->place->group;
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof fds)];
  } control = {
      .header = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(count * sizeof(int))}};
  memcpy(CMSG_DATA(&control.header), fds, count * sizeof(int));
  struct iovec v = {&request, sizeof request};
  struct msghdr m = {
      .msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(count * sizeof(int))};
  return sendmsg(fd, &m, MSG_NOSIGNAL) == sizeof request
             ? 0
             : error_set(error, "sandbox-failed", errno, "cannot ask for a fork of the VM");
}

// The copy's descriptor.
static int hear(int fd, struct error *error) {
  struct fork_answer answer = {0};
  union {
    struct cmsghdr header;
    char room[CMSG_SPACE(sizeof(int))];
  } control;
  struct iovec v = {&answer, sizeof answer};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  ssize_t n = recvmsg(fd, &m, MSG_CMSG_CLOEXEC | MSG_WAITALL);
  if (n != sizeof answer)
    return error_set(error, "sandbox-failed", n < 0 ? errno : 0, "the VM that is forked does not answer");
  answer.what[sizeof answer.what - 1] = 0;
  if (answer.pid <= 0)
    return error_set(error, "sandbox-failed", answer.error, "the VM cannot be forked: it cannot %s", answer.what);
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  int process = -1;
  if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
    memcpy(&process, CMSG_DATA(c), sizeof process);
  return process < 0 ? error_set(error, "sandbox-failed", 0, "the VM that is forked gave no process") : process;
}

// As it is called among our processes: the parent sees others.
static pid_t id_of(int process, struct error *error) {
  char path[64], line[128];
  int pid = -1;
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", process);
  FILE *f = fopen(path, "re");
  while (f && fgets(line, sizeof line, f) && sscanf(line, "Pid: %d", &pid) != 1) {}
  if (f) fclose(f);
  return pid < 0 ? error_set(error, "sandbox-gone", 0, "The fork of the VM has already ended.") : pid;
}

static void copy_ended(struct watch *w, uint32_t events) {
  (void)events;
  loop_remove(w);
  tell_end(copy_id, -1);
}

static void parent_speaks(struct watch *w, uint32_t events) {
  (void)events;
  int32_t status;
  ssize_t n = recv(w->fd, &status, sizeof status, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n == sizeof status && WIFCONTINUED(status)) return clock_continued(copy_id);
  int fd = w->fd;
  loop_remove(w);
  close(fd);
  if (n == sizeof status) return tell_end(copy_id, status);
  struct error error;
  if (loop_add(&copy, copy_process, EPOLLIN, copy_ended, &error)) vm_broken(error.message);
}

int worker_fork(pid_t *pid, int *process, const struct worker_ends *ends, void (*ended)(pid_t pid, int status),
                struct error *error) {
  auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (reach(fd, error)) return -1;
  if (ask(fd, ends, error) || (copy_process = hear(fd, error)) < 0 || (copy_id = id_of(copy_process, error)) < 0)
    return -1;
  *pid = copy_id;
  *process = copy_process;
  tell_end = ended;
  if (loop_add(&parent, fd, EPOLLIN, parent_speaks, error)) return -1;
  steal_fd(&fd);
  return 0;
}
