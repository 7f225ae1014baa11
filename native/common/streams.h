// Owns the stdio of a local process: pipes or a terminal's master, as stdio_ops of the service. All descriptors are
// made CLOEXEC and non-blocking here; a process holds only its own ends.
#pragma once
#include "service.h"

struct stdio_ends {
  int in, out, err; // what the process gets as 0, 1, 2; -1 after stdio_ends_close
};

// Makes pipes (stdin: /dev/null unless p->stdin_open) and gives `p` the outer ends. `ends` are to be closed by
// stdio_ends_close once the process has them. `discard`: output to /dev/null as well (a detached exec).
int stdio_pipes(struct process *p, bool discard, struct stdio_ends *ends, struct error *error);
// Takes a terminal's master instead (on success the descriptor is ours); rows 0 = leave the size.
int stdio_terminal(struct process *p, int master, unsigned rows, unsigned columns, struct error *error);
void stdio_ends_close(struct stdio_ends *ends);
