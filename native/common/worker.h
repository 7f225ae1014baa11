// Owns what the supervisor and the library that makes a worker forkable (native/fork) both know of a VM's worker: the
// descriptors that it is given, whose numbers its command line names (drivers/hyperv/worker.ts), and the namespaces
// that it has for itself.
#pragma once
#include <sched.h>

enum { MOST_TAPS = 8 };
enum {
  WORKER_OUTPUT_FD = 1,
  WORKER_ERRORS_FD = 2,
  WORKER_AGENT_FD = 3,
  WORKER_QMP_FD = 4,
  WORKER_MEMORY_FD = 5,
  WORKER_SPARE_FD = 6,
  WORKER_FIRST_TAP_FD = 7,
  WORKER_FORK_FD = WORKER_FIRST_TAP_FD + MOST_TAPS, WORKER_FDS,
};
// All at once: it sees no other process, no network and no mount but its jail's.
#define WORKER_NAMESPACES ((uint64_t)(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS))
