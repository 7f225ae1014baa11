// Owns standard output as a stream of large writes.
#pragma once
#include "error.h"

#include <stddef.h>

struct output {
  size_t used;
  char buffer[256 << 10];
};

int output_write(struct output *output, const void *data, size_t length, struct error *error);
int output_zeroes(struct output *output, size_t length, struct error *error);
int output_flush(struct output *output, struct error *error);
