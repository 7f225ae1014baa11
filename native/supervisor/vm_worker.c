// Starts the VM's worker process (named vmwp) in namespaces of its own; vm_jail.c does the rest inside.
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "handle.h"
#include "vm.h"

static int make_jail_directory(struct error *error) {
  char path[4096];
  snprintf(path, sizeof path, "%s/jail", plan.directory);
  return mkdir(path, 0700) && errno != EEXIST ? error_set(error, "internal", errno, "cannot make %s", path) : 0;
}

// All namespaces at once: the worker sees no other process, no network and no mount but its jail's.
static const uint64_t namespaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

// TARGET* of the plan: the worker's control groups.
static int find_birthplace(struct birthplace *place, struct error *error) {
  char **directories = tlv_get_strings(plan.raw, TAG_TARGET, NULL);
  int failed = 0;
  for (char **d = directories; !failed && d && *d; d++) failed = birthplace_add(place, *d, error);
  strings_free(directories);
  return failed;
}

int worker_start(struct worker *w, const struct taps *taps, struct error *error) {
  int agent[2], qmp[2], output[2];
  if (make_jail_directory(error)) return -1;
  error->code[0] = 0;
  auto_fd memory = memory_open(TAG_MEMORY, error);
  auto_fd spare = spare_open(error);
  if ((memory < 0 || spare < 0) && error->code[0]) return -1;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, agent) || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, qmp) || pipe2(output, O_CLOEXEC))
    return error_set(error, "internal", errno, "cannot make the worker's descriptors");
  struct birthplace place = {.group = -1};
  struct worker_ends ends = {agent[1], qmp[1], output[1], memory, spare, taps, &place};
  w->pid = find_birthplace(&place, error) ? -1 : birthplace_clone(&place, namespaces);
  if (w->pid == 0) worker_become(&ends);
  int failed = errno;
  birthplace_close(&place);
  close(agent[1]);
  close(qmp[1]);
  close(output[1]);
  *w = (struct worker){w->pid, agent[0], qmp[0], output[0]};
  if (w->pid < 0) return error->code[0] ? -1 : error_set(error, "sandbox-failed", failed, "cannot start the worker");
  fcntl(w->qmp, F_SETFL, O_NONBLOCK);
  fcntl(w->output, F_SETFL, O_NONBLOCK);
  return 0;
}
