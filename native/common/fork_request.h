// Owns what a supervisor says to a VM that can be forked (native/fork), over its stream socket: one request a
// connection, the descriptors beside it. The answer is a fork_answer; with `pid` > 0 a descriptor of the process
// (pidfd) is beside it, and when that runs on after a stop, or has ended, its wait status (int32) follows.
#pragma once
#include <stdint.h>

#include "birthplace.h"

enum { FORK_VERSION = 1 };
// In this order; those that there may be more or none of last.
enum {
  FORK_AGENT, FORK_QMP, FORK_OUTPUT, FORK_SPARE, FORK_TAP, FORK_FIXED, FORK_MOST_FDS = FORK_FIXED + MOST_GATES + 1,
};

struct fork_request {
  uint32_t version;
  uint32_t uid, gid;
  uint32_t gates;     // `tasks` of control groups of version 1 (birthplace.h), after the fixed descriptors
  uint32_t has_group; // then the directory of one of version 2
};

struct fork_answer {
  int32_t pid;   // in the namespace of the one that forked; 0: it failed
  int32_t error; // errno then
  char what[56]; // what failed, terminated
};
