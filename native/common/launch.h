// Owns a process's way from clone to exec: where it is born, what it is given, and the way its failure comes back. A
// new container's process gets there by the caller's `enter`; a further one joins a container that runs.
//
//   new:      launcher ─clone into namespaces and group▶ process ─enter, stdio, credentials▶ exec
//   further:  launcher ─clone into the group▶ usher ─joins everything, lets go of all else, clones▶ process (the
//   launcher's child) ─stdio, credentials▶ exec
#pragma once
#include "birthplace.h"
#include "service.h"

// The child's side: between clone and exec. Every function there reports by `error`.
struct launch {
  struct tlv plan; // the process part of a launch plan, or all of it
  int socket;      // to the launcher: a terminal's master, a process id, or the error; closed by exec
  int stdio[3];
  int (*enter)(struct launch *,
               struct error *);  // a new container: makes what is in its namespaces. NULL: the process joins one
  const void *user;                              // enter's own
};

struct birth {
  pid_t init;                            // the main process of the container that is joined; 0: a new container
  int join;                              // its pidfd; -1: a new container
  struct birthplace place;               // the container's control groups
  uint64_t namespaces;                   // CLONE_NEW*, of a new container
  int (*enter)(struct launch *, struct error *);
  const void *user;
};

// START and EXEC. 0: the request will be ended when the child has spoken; -1: nothing was started.
int launch(struct request *r, struct birth *birth, struct error *error);
// EXEC beside `init`, in the control groups whose directories are given. The same, but ends the request in any case.
void launch_beside(struct request *r, pid_t init, char *const *cgroups);

// child.c
_Noreturn void launch_child(struct launch *l);
_Noreturn void launch_usher(struct launch *l, const struct birth *birth);
// terminal.c: a terminal of the container's own devpts. On success *slave is open; the master has been sent to the
// launcher.
int terminal_open(int root, struct launch *l, int *slave, struct error *error);
int terminal_as_console(int root, int slave, struct error *error);
// credentials.c: everything from rlimits to seccomp, in the order in which each is still allowed.
int credentials_apply(struct tlv plan, struct error *error);
// command.c: returns only with an error.
int command_exec(char **argv, char **env, struct error *error);
