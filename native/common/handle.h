// Owns the cleanup attributes: a handle that goes out of scope is closed. Set it to -1 or NULL (or use steal_fd) to
// keep it.
#pragma once
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void close_fd(int *fd) { if (*fd >= 0) close(*fd); }
static inline void free_pointer(void *p) { free(*(void **)p); }
static inline void close_file(FILE **f) { if (*f) fclose(*f); }
static inline void close_dir(DIR **d) { if (*d) closedir(*d); }
static inline int steal_fd(int *fd) { int f = *fd; *fd = -1; return f; }

#define auto_fd __attribute__((cleanup(close_fd))) int
#define auto_free __attribute__((cleanup(free_pointer)))
#define auto_file __attribute__((cleanup(close_file))) FILE *
#define auto_dir __attribute__((cleanup(close_dir))) DIR *
