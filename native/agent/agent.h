// Owns what the agent's files share. The agent is PID 1 of the utility VM: it carries out what the host asks over the
// link (docs/protocol.md) and decides nothing. What comes from the host is checked all the same; what lies in an image
// is hostile.
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "disks.h"
#include "error.h"
#include "launch.h"
#include "service.h"
#include "target.h"
#include "wire.h"

#define RUN_ROOT "/run/twofold"
#define CGROUP_ROOT "/sys/fs/cgroup"
#define LAYER_TOOL "/bin/twofold-layer"

// What the agent keeps for a prepared container (container->user).
struct guest {
  char *directory;          // RUN_ROOT/<id>: root, scratch, layer/<n>, files/<n>
  char layer_disk[16];      // name in /dev of the disk that its partitions are on, or ""
  unsigned partitions;      // how many of ours are on it, numbered from 1
  char **files;             // paths in the container of files/<n>
  size_t file_count;
  char *cgroup;             // directory, or NULL before START
};

// init.c: file systems, modules and a root that pivot_root accepts.
int guest_init(struct error *error);
// port.c: the virtio-serial port that the host named `name`, read-write, non-blocking.
int port_open(const char *name, struct error *error);
// files.c
int file_write(const char *path, const void *data, size_t length, struct error *error);
int file_write_at(int directory, const char *name, const void *data, size_t length, struct error *error);
// The whole of a small file, terminated; NULL when it can't be read.
char *file_read(const char *path);
int sysctls_apply(struct tlv list, struct error *error);
// A word that may become part of a path: [A-Za-z0-9_.-]+, not beginning with a dot.
bool word_is_plain(const char *word);

// spare.c: the writable disk that is mounted before it is a container's.
int scratch_mount(const char *serial, const char *at, struct error *error);
int spare_mount(const char *serial, struct error *error);
int spare_drop(struct error *error);
int spare_take(const char *at, struct error *error);
int spare_give_back(const char *from, struct error *error); // empty

// cgroup.c
int cgroups_init(struct error *error);
int cgroup_make(const char *name, char **directory, struct error *error);
int cgroup_apply(const char *directory, struct tlv list, struct error *error);
int cgroup_freeze(const char *directory, bool frozen, struct error *error);
int cgroup_signal_all(const char *directory, int signal, struct error *error);
unsigned long cgroup_oom_kills(const char *directory);
void cgroup_remove(const char *directory);
// device_filter.c
int device_filter_attach(int cgroup, struct tlv plan, struct error *error);

// Requests: configure.c, prepare.c, start.c, tool.c, control.c
void on_configure(struct request *r);
void on_network(struct request *r);
void on_prepare(struct request *r);
void on_resolve_user(struct request *r);
void on_start(struct request *r);
void on_exec(struct request *r);
void on_tool(struct request *r);
void on_signal(struct request *r);
void on_pause(struct request *r);
void on_resume(struct request *r);
void on_update(struct request *r);
void on_remove(struct request *r);
void on_shutdown(struct request *r);
void on_exiting(struct process *p);
int guest_forget(struct container *c, bool keep_spare, struct error *error); // undoes PREPARE; fails only in keeping

// rootfs.c: mounts, provided files, devices, masks; leaves the caller inside (pivot_root). `l->user` is the container's
// struct guest.
int rootfs_enter(struct launch *l, struct error *error);
// masks.c
int masks_apply(int root, struct tlv plan, struct error *error);
// devices.c
int devices_make(int root, struct tlv plan, struct error *error);
