// Owns waiting: one epoll loop per program, with descriptors, timers and ended children. Knows nothing of frames or
// processes.
//
// Everything is embedded in its owner and found back by container_of. Callbacks run one after the other; it is legal to
// remove or free any watch or timer from within any callback, also the one that is running (events already fetched for
// a removed watch are dropped).
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

#define container_of(pointer, type, member) ((type *)((char *)(pointer) - offsetof(type, member)))

struct watch {
  int fd;          // -1 while it is not in the loop
  uint32_t events; // EPOLL*, as last asked for; 0 keeps it in the loop for EPOLLHUP and EPOLLERR only
  void (*ready)(struct watch *, uint32_t events);
};

struct timer {
  int64_t deadline; // CLOCK_MONOTONIC, ms
  struct timer *next;
  int armed;
  void (*due)(struct timer *);
};

// Makes the loop, blocks SIGCHLD and takes it by signalfd, ignores SIGPIPE. `child` is called for every child reaped.
// Other children of the program must be reaped by nobody else.
int loop_init(void (*child)(pid_t pid, int wait_status), struct error *error);
// Further called for every child that runs on after it was stopped (SIGSTOP). One for the program.
void loop_on_continued(void (*continued)(pid_t pid));
// Undoes in a forked child what loop_init did to signals (mask, SIGPIPE). Async-signal-safe.
void loop_child_signals(void);

// The watch must stay where it is until loop_remove. `events` may be 0.
int loop_add(struct watch *w, int fd, uint32_t events, void (*ready)(struct watch *, uint32_t), struct error *error);
void loop_modify(struct watch *w, uint32_t events);
// Idempotent; does not close the descriptor.
void loop_remove(struct watch *w);

// (Re)arms; the callback runs once.
void timer_start(struct timer *t, int64_t after_ms, void (*due)(struct timer *));
void timer_stop(struct timer *t); // idempotent
int64_t monotonic_ms(void);
int64_t realtime_ns(void);

// Runs until loop_stop; returns the code given to it.
int loop_run(void);
void loop_stop(int code);
