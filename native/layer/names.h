// Owns the list of a directory's names in byte order, so that the same tree is told in the same order everywhere.
#pragma once
#include "error.h"

#include <stddef.h>

struct names {
  char **list;
  size_t count;
};

// Adds the names of a directory to those that are there, each once. `fd` is a directory open for reading; it stays the
// caller's.
int names_read(int fd, struct names *names, struct error *error);
int names_has(const struct names *names, const char *name);
void names_free(struct names *names);
#define auto_names __attribute__((cleanup(names_free))) struct names
