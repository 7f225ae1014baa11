// Owns what the parts of this library know of each other. It is loaded into QEMU before anything else (LD_PRELOAD) and
// makes one that has a VM standing still forkable: the copy has all of its threads, descriptors of its own, a user of
// its own, and no rights (docs/decisions/0017-vms-that-are-forked.md). Everything from the park on runs in a signal
// handler with every other thread at rest, so nothing here allocates or takes a lock of anybody's.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { FORK_SIGNAL = 40 };
// Of a function that QEMU and its libraries shall find here first; all others are ours alone (-fvisibility=hidden).
#define STANDS_BEFORE __attribute__((visibility("default")))

// What failed, for whoever asked; errno says why.
typedef const char *failure; // NULL: nothing

// threads.c
failure threads_park(void);   // all but the calling one, for good; once
failure threads_revive(void); // in the copy, by the one that parked them: as they were, but not yet running
void threads_release(void);
// descriptors.c
failure descriptors_survey(void); // once, after the park
failure descriptors_replace(const int *fds); // FORK_* of the request; all others of it are closed
// filter.c: the system call filter that QEMU wanted for itself.
failure filter_install(void);
// serve.c
void serve(void); // comes back in a copy
