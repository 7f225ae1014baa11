#include "output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static int write_all(const char *data, size_t length, struct error *error) {
  while (length) {
    ssize_t n = write(STDOUT_FILENO, data, length);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      return error_set(error,
                       errno == EPIPE    ? "cancelled"
                       : errno == ENOSPC ? "no-space"
                                         : "internal",
                       errno, "Could not write the output");
    data += n;
    length -= (size_t)n;
  }
  return 0;
}

int output_flush(struct output *output, struct error *error) {
  size_t used = output->used;
  output->used = 0;
  return write_all(output->buffer, used, error);
}

int output_write(struct output *output, const void *data, size_t length, struct error *error) {
  if (length > sizeof output->buffer - output->used && output_flush(output, error) < 0) return -1;
  if (length >= sizeof output->buffer) return write_all(data, length, error);
  memcpy(output->buffer + output->used, data, length);
  output->used += length;
  return 0;
}

int output_zeroes(struct output *output, size_t length, struct error *error) {
  static const char zeroes[4096];
  for (; length > sizeof zeroes; length -= sizeof zeroes)
    if (output_write(output, zeroes, sizeof zeroes, error) < 0) return -1;
  return output_write(output, zeroes, length, error);
}
