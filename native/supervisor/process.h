// Owns what the parts of the process backend know of each other: a container's own things, and runs of the OCI runtime.
#pragma once
#include <limits.h>

#include "streams.h"
#include "supervisor.h"

struct host_container {
  char rootfs[PATH_MAX];
  bool mounted;
  struct log *log;
  char *oom_file; // memory.oom_control or memory.events
  int64_t oom_before;
  char *cgroup; // absolute
};

static inline struct host_container *host_container(struct container *c) { return c->user; }

// rootfs.c
int rootfs_mount(struct tlv request, const char *at, struct error *error); // LAYER* UPPER WORK
void rootfs_unmount(const char *at);

// runtime.c: the run of the runtime for START. Ends the request.
void runtime_start(struct request *r);
bool runtime_child(pid_t pid, int wait_status);
int64_t oom_kills(const char *file); // processes killed for want of memory, by memory.oom_control or memory.events

// console.c: where the runtime sends a terminal's master to.
struct console {
  char directory[64], path[96]; // as the runtime sees it
  int listener;
};
int console_listen(struct console *c, struct error *error);
int console_take(struct console *c, struct error *error); // the master, or -1
void console_close(struct console *c);
