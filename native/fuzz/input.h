// Owns what the fuzzers share: the input as a descriptor, for what is read from one, and as words that are taken off
// it.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

// A fuzzer that cannot work must not look like one that finds nothing.
static inline void must(int good, const char *what) {
  if (good) return;
  perror(what);
  abort();
}

// The input as file `fd`, from its start.
static inline void input_as(int fd, const uint8_t *data, size_t size) {
  static int file = -1;
  if (file < 0) must((file = memfd_create("input", MFD_CLOEXEC)) >= 0, "memfd_create");
  must(ftruncate(file, 0) == 0 && pwrite(file, data, size, 0) == (ssize_t)size && lseek(file, 0, SEEK_SET) == 0 &&
           dup2(file, fd) == fd,
       "the input");
}

// Cuts a terminated copy (malloc) of what comes before the next zero byte off the input.
static inline char *take_word(const uint8_t **data, size_t *size) {
  size_t length = strnlen((const char *)*data, *size);
  char *word = strndup((const char *)*data, length);
  must(word != NULL, "strndup");
  length += length < *size;
  *data += length;
  *size -= length;
  return word;
}
