// Owns a growing queue of bytes: appended at the end, taken from the front.
#pragma once
#include <stddef.h>
#include <stdint.h>

struct buffer {
  uint8_t *data;
  size_t at, length, capacity; // the bytes held are data[at .. at+length)
};

// Room for `size` more bytes at buffer_tail(); NULL when memory ran out.
uint8_t *buffer_reserve(struct buffer *b, size_t size);
int buffer_append(struct buffer *b, const void *bytes, size_t size); // 0, or -1 when memory ran out
void buffer_take(struct buffer *b, size_t size);
void buffer_free(struct buffer *b);
// Gives memory back when nothing is held and the buffer has grown large.
void buffer_rest(struct buffer *b);
