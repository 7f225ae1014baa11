#include "buffer.h"

#include <stdlib.h>
#include <string.h>

uint8_t *buffer_reserve(struct buffer *b, size_t size) {
  if (b->at + b->length + size > b->capacity && b->at > 0) {
    memmove(b->data, b->data + b->at, b->length);
    b->at = 0;
  }
  if (b->length + size > b->capacity) {
    size_t capacity = b->capacity ? b->capacity : 1024;
    while (capacity < b->length + size) capacity *= 2;
    uint8_t *data = realloc(b->data, capacity);
    if (!data) return NULL;
    b->data = data;
    b->capacity = capacity;
  }
  return b->data + b->at + b->length;
}

int buffer_append(struct buffer *b, const void *bytes, size_t size) {
  if (size == 0) return 0; // an empty queue has no memory, which is no failure
  uint8_t *tail = buffer_reserve(b, size);
  if (!tail) return -1;
  memcpy(tail, bytes, size);
  b->length += size;
  return 0;
}

void buffer_take(struct buffer *b, size_t size) {
  b->at += size;
  b->length -= size;
  if (b->length == 0) b->at = 0;
}

void buffer_free(struct buffer *b) {
  free(b->data);
  *b = (struct buffer){0};
}

void buffer_rest(struct buffer *b) {
  if (b->length == 0 && b->capacity > 4096) buffer_free(b);
}
