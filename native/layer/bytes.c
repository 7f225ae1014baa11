#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void bytes_add(struct bytes *bytes, const void *data, size_t length) {
  if (bytes->failed) return;
  size_t need = bytes->length + length + 1;
  if (need > bytes->capacity) {
    size_t capacity = need < 128 ? 128 : need * 2;
    char *grown = realloc(bytes->data, capacity);
    if (!grown) {
      bytes->failed = 1;
      return;
    }
    bytes->data = grown;
    bytes->capacity = capacity;
  }
  if (length) memcpy(bytes->data + bytes->length, data, length);
  bytes->length += length;
  bytes->data[bytes->length] = 0;
}

void bytes_text(struct bytes *bytes, const char *text) { bytes_add(bytes, text, strlen(text)); }

void bytes_print(struct bytes *bytes, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  int n = vsnprintf(text, sizeof text, format, args);
  va_end(args);
  if (n < 0 || (size_t)n >= sizeof text) bytes->failed = 1;
  else bytes_add(bytes, text, (size_t)n);
}

void bytes_cut(struct bytes *bytes, size_t length) {
  if (!bytes->data) return;
  bytes->length = length;
  bytes->data[length] = 0;
}

void bytes_free(struct bytes *bytes) {
  free(bytes->data);
  *bytes = (struct bytes){0};
}
