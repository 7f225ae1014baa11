#include "wire.h"

#include <stdlib.h>
#include <string.h>

static void put16(uint8_t *p, uint16_t v) { p[0] = (uint8_t)v; p[1] = (uint8_t)(v >> 8); }
static void put32(uint8_t *p, uint32_t v) { put16(p, (uint16_t)v); put16(p + 2, (uint16_t)(v >> 16)); }
static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t get32(const uint8_t *p) { return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16; }

void tlv_bytes(struct tlv_writer *w, enum tag tag, const void *value, size_t length) {
  if (w->failed) return;
  size_t need = w->length + 8 + length;
  if (need > w->capacity) {
    size_t capacity = need < 256 ? 256 : need * 2;
    uint8_t *data = realloc(w->data, capacity);
    if (!data) {
      w->failed = 1;
      return;
    }
    w->data = data;
    w->capacity = capacity;
  }
  uint8_t *p = w->data + w->length;
  put16(p, (uint16_t)tag);
  put16(p + 2, 0);
  put32(p + 4, (uint32_t)length);
  if (length) memcpy(p + 8, value, length);
  w->length = need;
}

void tlv_string(struct tlv_writer *w, enum tag tag, const char *value) { tlv_bytes(w, tag, value, strlen(value)); }

void tlv_number(struct tlv_writer *w, enum tag tag, int64_t value) {
  uint8_t raw[8];
  put32(raw, (uint32_t)(uint64_t)value);
  put32(raw + 4, (uint32_t)((uint64_t)value >> 32));
  tlv_bytes(w, tag, raw, sizeof raw);
}

void tlv_free(struct tlv_writer *w) {
  free(w->data);
  *w = (struct tlv_writer){0};
}

int tlv_next(struct tlv list, size_t *at, int *tag, struct tlv *value) {
  if (*at == list.length) return 0;
  if (list.length - *at < 8) return -1;
  const uint8_t *p = list.data + *at;
  size_t length = get32(p + 4);
  if (length > list.length - *at - 8) return -1;
  *tag = get16(p);
  *value = (struct tlv){p + 8, length};
  *at += 8 + length;
  return 1;
}

int tlv_find(struct tlv list, enum tag wanted, struct tlv *value) {
  size_t at = 0;
  int tag, r;
  while ((r = tlv_next(list, &at, &tag, value)) == 1)
    if (tag == (int)wanted) return 1;
  return r;
}

int64_t tlv_get_number(struct tlv list, enum tag tag, int64_t fallback) {
  struct tlv value;
  if (tlv_find(list, tag, &value) != 1 || value.length != 8) return fallback;
  return (int64_t)((uint64_t)get32(value.data) | (uint64_t)get32(value.data + 4) << 32);
}

char *tlv_dup(struct tlv value) {
  if (memchr(value.data, 0, value.length)) return NULL;
  char *s = malloc(value.length + 1);
  if (!s) return NULL;
  memcpy(s, value.data, value.length);
  s[value.length] = 0;
  return s;
}

char *tlv_get_string(struct tlv list, enum tag tag) {
  struct tlv value;
  return tlv_find(list, tag, &value) == 1 ? tlv_dup(value) : NULL;
}

char **tlv_get_strings(struct tlv list, enum tag wanted, size_t *count) {
  size_t at = 0, n = 0;
  int tag;
  struct tlv value;
  while (tlv_next(list, &at, &tag, &value) == 1) n += tag == (int)wanted;
  char **strings = calloc(n + 1, sizeof *strings);
  if (!strings) return NULL;
  at = 0;
  for (size_t i = 0; i < n && tlv_next(list, &at, &tag, &value) == 1;) {
    if (tag != (int)wanted) continue;
    if (!(strings[i++] = tlv_dup(value))) {
      strings_free(strings);
      return NULL;
    }
  }
  if (count) *count = n;
  return strings;
}

void strings_free(char **strings) {
  if (!strings) return;
  for (char **s = strings; *s; s++) free(*s);
  free(strings);
}

void frame_encode(uint8_t out[WIRE_HEADER_BYTES], uint32_t length, uint32_t channel, enum frame_type type) {
  put32(out, length);
  put32(out + 4, channel);
  put16(out + 8, (uint16_t)type);
  put16(out + 10, 0);
}

int frame_decode(const uint8_t in[WIRE_HEADER_BYTES], struct frame_header *header) {
  *header = (struct frame_header){get32(in), get32(in + 4), get16(in + 8)};
  return header->length > WIRE_MAX_PAYLOAD || get16(in + 10) != 0 ? -1 : 0;
}
