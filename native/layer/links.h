// Owns which inodes with several names have been seen, and under which path first.
#pragma once
#include "error.h"

#include <stddef.h>
#include <sys/stat.h>

struct links {
  struct link *table;
  size_t used, room; // room is a power of two
};

// The path under which this inode was first seen; NULL when this is the first time, and then `path` is remembered.
// -1 when memory ran out.
int links_find(struct links *links, const struct stat *stat, const char *path, const char **first, struct error *error);
void links_free(struct links *links);
