// Owns what the parts of the hyperv kind know of each other. The supervisor boots one VM, speaks to its agent over one
// link, and passes on what the daemon asks. Small contract of the VMM: worker_start (boot), a descriptor for the agent,
// one for QMP, worker_kill.
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "birthplace.h"
#include "link.h"
#include "supervisor.h"
#include "worker.h"

// vm_worker.c: the jailed process, which inherits what worker.h names.
// FLAGS of the plan. A template boots into the file MEMORY, which its clones share, and is saved into SAVED by whoever
// asks for it over QMP. A parent is a clone that is forked at the socket SOURCE once it stands still; a fork asks there
// for its worker, and is told to go on over QMP.
enum {
  PLAN_TEMPLATE = 2,
  PLAN_CLONE = 4,
  PLAN_PARENT = 8,
  PLAN_FORK = 16,
  PLAN_UP = PLAN_CLONE | PLAN_PARENT | PLAN_FORK
};                           // UP: the guest has booted long ago
bool vm_has_flag(int flags); // any of them
struct worker {
  pid_t pid;
  int process;            // of a fork, which is no child of ours: its descriptor (pidfd); otherwise -1
  int agent, qmp, output; // our ends; `output` is what it writes to its stdout and stderr, and the guest's console
};
struct taps { int count, fds[MOST_TAPS]; };
struct worker_ends {
  int agent, qmp, output, memory, spare, listening;
  const struct taps *taps;
  const struct birthplace *place;
};
int worker_start(struct worker *w, const struct taps *taps, struct error *error);
void worker_kill(const struct worker *w);
// vm_fork.c: the process is another's copy. `ended` is called once, with the process's id and its wait status; -1 where
// nobody can tell that.
int worker_fork(pid_t *pid, int *process, const struct worker_ends *ends, void (*ended)(pid_t pid, int status),
                struct error *error);
int fork_listen(struct error *error); // where a parent is asked; -1 without an error when it is none
// vm_jail.c: in the new process. Never returns.
__attribute__((noreturn)) void worker_become(const struct worker_ends *ends);

// vm_tap.c: the interfaces HOST_NAME* of the plan in the host's network; each vanishes with its last descriptor.
int taps_open(struct taps *taps, struct error *error);
int tap_rename(int tap, const char *name, struct error *error);
// vm_memory.c: MEMORY, SAVED and DISK (the spare writable disk) of the plan, -1 without an error when there are none.
int memory_open(enum tag tag, struct error *error);
int spare_open(struct error *error);

// vm_console.c: the last of what the worker wrote, for the message that says why it died.
int console_watch(int fd, struct error *error); // what was kept stays kept
void console_leave(void);
void console_tail(char *text, size_t size); // printable, one line
void console_save(void);                    // worker.log in the sandbox's directory

// vm_qmp.c: QEMU's monitor.
int qmp_open(int fd, struct error *error); // of a clone: loads what has been saved, too
void qmp_request(struct request *r);
void qmp_fail(void); // the VM is gone
void qmp_close(void); // another one will be opened

// vm_relay.c: requests over the link. `done` (may be NULL) is called with the answer before the client is told.
typedef void relay_done(struct request *r, bool good);
void relay_request(struct request *r, relay_done *done);
void relay_ready(struct link *l); // the agent is up: what waited goes out. NULL: it is no more, what comes waits
void relay_gone(const char *why); // the VM is gone: what waited fails

// vm_process.c: streams of a process in the guest.
struct relay;
void relay_process_frame(struct relay *relay, int type, struct tlv payload);
void relay_process_start(struct relay *relay, struct request *r, pid_t pid);
void relay_exit_known(const char *container, const char *exec);
struct relay {
  struct request *request;      // not yet answered
  relay_done *done;
  struct process *process;      // whose streams these are, once it has started
  struct conversation *channel; // NULL: not yet opened, or gone
  struct held *held, **held_tail; // output that nobody takes yet, at most a window
  bool flowing, opened, exit_known;
  size_t ahead; // bytes that may still be passed on to a client that doesn't take them
  unsigned ends; // streams whose end has come: it takes no window, so each is held once
  struct relay *next; // all of them
};
extern struct relay *relays;
void relay_free(struct relay *relay);
// vm_own.c: requests of the supervisor's own.
void own_requests_begin(struct link *l);
void own_requests_end(void);
void relay_send_alone(int type, struct tlv_writer *list); // frees the list
// vm_clock.c: keeps the guest's clock right.
int clock_watch(struct error *error); // once
void clock_continued(pid_t worker);    // it was stopped, and runs on
void clock_guest(struct link *l);     // whom to tell; NULL: nobody
// vm.c
void vm_cloned(void);   // QEMU has begun to load what has been saved, or to go on as a copy
void vm_worker_ended(pid_t pid, int status);
void vm_answered(void); // the agent has answered for the first time
void vm_agent_shut_down(void);
// A guest that breaks the protocol loses its VM.
void vm_broken(const char *why);
