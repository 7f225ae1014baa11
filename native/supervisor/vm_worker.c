// Starts the VM's worker process (named vmwp) in namespaces of its own; vm_jail.c does the rest inside. Or has it
// forked (vm_fork.c).
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "handle.h"
#include "vm.h"

static int make_jail_directory(struct error *error) {
  char path[4096];
  snprintf(path, sizeof path, "%s/jail", plan.directory);
  return mkdir(path, 0700) && errno != EEXIST ? error_set(error, "internal", errno, "cannot make %s", path) : 0;
}

// TARGET* of the plan: the worker's control groups.
static int find_birthplace(struct birthplace *place, struct error *error) {
  char **directories = tlv_get_strings(plan.raw, TAG_TARGET, NULL);
  int failed = 0;
  for (char **d = directories; !failed && d && *d; d++) failed = birthplace_add(place, *d, error);
  strings_free(directories);
  return failed;
}

static int start(struct worker *w, struct worker_ends *ends, struct error *error) {
  if (make_jail_directory(error)) return -1;
  error->code[0] = 0;
  auto_fd memory = memory_open(TAG_MEMORY, error);
  auto_fd listening = fork_listen(error);
  if ((memory < 0 || listening < 0) && error->code[0]) return -1;
  ends->memory = memory;
  ends->listening = listening;
  // A namespace of process ids ends with its first process, and with it those within: a parent's forks shall outlive
  // it.
  w->pid = birthplace_clone(
      ends->place, vm_has_flag(PLAN_PARENT) ? WORKER_NAMESPACES & ~(uint64_t)CLONE_NEWPID : WORKER_NAMESPACES, NULL);
  if (w->pid == 0) worker_become(ends);
  return w->pid < 0 ? error_set(error, "sandbox-failed", errno, "cannot start the worker") : 0;
}

int worker_start(struct worker *w, const struct taps *taps, struct error *error) {
  int agent[2], qmp[2], output[2];
  error->code[0] = 0;
  auto_fd spare = spare_open(error);
  if (spare < 0 && error->code[0]) return -1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, agent) ||
      socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, qmp) || pipe2(output, O_CLOEXEC))
    return error_set(error, "internal", errno, "cannot make the worker's descriptors");
  struct birthplace place = {.group = -1};
  struct worker_ends ends = {.agent = agent[1],
                             .qmp = qmp[1],
                             .output = output[1],
                             .memory = -1,
                             .spare = spare,
                             .listening = -1,
                             .taps = taps,
                             .place = &place};
  *w = (struct worker){-1, -1, agent[0], qmp[0], output[0]};
  int failed = find_birthplace(&place, error);
  if (!failed)
    failed = vm_has_flag(PLAN_FORK) ? worker_fork(&w->pid, &w->process, &ends, vm_worker_ended, error)
                                    : start(w, &ends, error);
  birthplace_close(&place);
  close(agent[1]);
  close(qmp[1]);
  close(output[1]);
  fcntl(w->qmp, F_SETFL, O_NONBLOCK);
  fcntl(w->output, F_SETFL, O_NONBLOCK);
  return failed;
}

void worker_kill(const struct worker *w) {
  if (w->process >= 0) syscall(SYS_pidfd_send_signal, w->process, SIGKILL, NULL, 0);
  else if (w->pid > 0) kill(w->pid, SIGKILL);
}
