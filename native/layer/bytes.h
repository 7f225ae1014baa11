// Owns a growing string of bytes. `failed` is set when memory ran out; every later call is then a no-op.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct bytes {
  char *data; // terminated whenever it isn't NULL
  size_t length, capacity;
  int failed;
};

void bytes_add(struct bytes *bytes, const void *data, size_t length);
void bytes_text(struct bytes *bytes, const char *text);
__attribute__((format(printf, 2, 3))) void bytes_print(struct bytes *bytes, const char *format, ...);
void bytes_cut(struct bytes *bytes, size_t length);
void bytes_free(struct bytes *bytes);
#define auto_bytes __attribute__((cleanup(bytes_free))) struct bytes
