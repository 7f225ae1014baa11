// Owns what the parts of the supervisor know of each other. One supervisor holds one sandbox: what runs in it is its
// child or its child's child, its mounts and namespaces are held by nobody else, and it writes logs and exit files.
#pragma once
#include <stdbool.h>

#include "service.h"

// sandbox.plan, read once. Strings live as long as the program.
struct plan {
  char *argument;  // the program's, as the process list shows it
  char *directory; // absolute: the program's argument
  char *sandbox;   // CONTAINER
  char *socket;    // PATH
  char *kind;      // TYPE: "process" or "hyperv"
  struct tlv raw;  // the whole list, for what only one kind knows
};

extern struct plan plan;

int plan_read(char *directory, struct error *error);
int plan_move(const char *directory, struct error *error); // it has been renamed; as long as before

// isolate.c: what sets a supervisor apart from whoever started it.
// Runs its own file anew through a view that nobody can write to: a process that it puts into a container is seen there
// (CVE-2019-5736).
int isolate_program(char **argv, struct error *error);
int isolate_process(struct error *error);    // session, descriptors, subreaper, OOM score; opens the cgroups (CGROUP*)
int isolate_namespaces(
    struct error *error);  // private mounts; NAMESPACE* "network" "ipc" "uts"; HOSTNAME DOMAINNAME SYSCTL*
// The kernel takes 5–20 ms to let a process in that is not born there (birthplace.h). So a child of ours does it, for
// us and one companion (or -1), while other things are prepared; nothing is spawned before it has been done.
int groups_enter_soon(pid_t companion, struct error *error);
int groups_entered(struct error *error); // waits for it
bool groups_child(pid_t pid, int wait_status); // true: it was the child that does it
int apply_host_settings(struct tlv list, struct error *error); // HOSTNAME DOMAINNAME SYSCTL* of a list

// keeper.c: ends what is in the sandbox when the supervisor is killed.
int keeper_start(struct error *error);
pid_t keeper_id(void);
bool keeper_child(pid_t pid); // true: it was the keeper, which has been started anew
void sandbox_kill(void);      // kills everything in the sandbox's cgroups but us and the keeper

// After SHUTDOWN: how long readers may take for what is left of the output. The daemon takes it at once, whatever its
// clients do.
enum { LAST_WORDS_MS = 4000 };

// exit_file.c: `exit.<container>`, by rename.
void exit_file_write(const struct process *p);
void exit_file_remove(const char *container);

// log.c: a container's log. LOG_PATH LOG_MAX_BYTES LOG_MAX_FILES LOG_MINIMUM_FREE; NULL without error set when there is
// no LOG_PATH.
struct log;
struct log *log_open(struct tlv request, struct error *error);
void log_write(struct log *l, int stream, const void *data, size_t length);
void log_close(struct log *l); // NULL is fine

// keyring.c: the process gets a session keyring of its own, in place of whoever's it came to be in. No failure: without
// the kernel's support there is none to share either.
void keyring_leave(void);

// spawn.c: a child of ours.
struct spawn {
  char *const *argv; // argv[0] is a path, or a name looked for in the usual places
  int in, out, err;  // -1 = /dev/null
  const char *cwd;   // NULL = /
};
pid_t spawn(const struct spawn *s, struct error *error);

// seal.c, ticks.c: other programs in the same file.
int seal_main(const char *path);
int ticks_main(void);

// A kind of sandbox: fills these two.
struct kind {
  const struct backend *backend;
  int (*setup)(struct error *error);           // after isolate_process and loop_init, before the socket listens
  bool (*child)(pid_t pid, int wait_status);  // a child ended that is no process of the service; true when it was known
};
extern const struct kind kind_process;
extern const struct kind kind_hyperv __attribute__((weak)); // vm_*.c
