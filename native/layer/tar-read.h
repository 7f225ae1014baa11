// Owns the reading of an archive on standard input: ustar, GNU long names, pax. The archive is hostile: every length is
// bounded before memory is taken for it. Sparse entries are refused.
#pragma once
#include "entry.h"
#include "error.h"

struct tar_reader {
  uint64_t left;    // of the present entry's stored content
  unsigned padding; // behind it
  struct entry entry;
  char *path, *link;
  size_t used, filled;
  char buffer[256 << 10];
};

// 1: reader->entry is the next one (valid until the next call), 0: the end. Path and link are bytes as they came.
int tar_next(struct tar_reader *reader, struct error *error);
// Reads at most `size` bytes of the present entry's content; 0 at its end.
ssize_t tar_read(struct tar_reader *reader, void *data, size_t size, struct error *error);
// Reads what is behind the end, so that the writer sees no broken pipe.
void tar_drain(struct tar_reader *reader);
void tar_free(struct tar_reader *reader);
