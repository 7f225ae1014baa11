// Owns how a process of ours comes into control groups without waiting. A migration by cgroup.procs waits for the
// kernel (a grace period of RCU, 5–20 ms); a process that is born in a group of version 2, or a thread that moves
// itself by `tasks` of version 1, does not (measured).
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

enum { MOST_GATES = 16 };
struct birthplace {
  int group;     // a directory of version 2; -1: none
  int gates[MOST_GATES]; // `tasks` of groups of version 1
  unsigned count;
};

// Begins as {.group = -1}. Opens one more group, by its directory.
int birthplace_add(struct birthplace *b, const char *directory, struct error *error);
void birthplace_close(struct birthplace *b);
// clone3 with CLONE_* `flags` and SIGCHLD, in the group of version 2; `process` gets the child's descriptor (pidfd),
// unless it is NULL. The child calls birthplace_enter before anything else of it is to be counted.
pid_t birthplace_clone(const struct birthplace *b, uint64_t flags, int *process);
// In the child, which has one thread: 0 or -1 with errno.
int birthplace_enter(const struct birthplace *b);
