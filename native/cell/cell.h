// Owns what the parts of the cell know of each other. A cell is where a program reads what somebody else has written,
// and may be taken over by it: it sees no file but its own code, no process, no network, and has few system calls.
#pragma once
#include "error.h"

// Both leave errno of what failed, and name in `error` what it was.
// root.c: an own root file system of the given paths, read-only, and nothing else.
int root_build(char *const *paths, int count, struct error *error);
// filter.c: no further system calls than these, for us and all that we start.
int filter_install(struct error *error);
