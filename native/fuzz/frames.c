// Frames, and the lists of tag, length and value in them, as the other end may send them.
#include "input.h"
#include "wire.h"

enum { DEPTH = 4 };

// What is read of a list is written again, byte for byte.
static void walk(struct tlv list, int depth) {
  struct tlv_writer again = {0};
  size_t at = 0, count;
  int tag, more;
  struct tlv value;
  while ((more = tlv_next(list, &at, &tag, &value)) == 1) {
    if (value.data + value.length > list.data + list.length) abort();
    free(tlv_dup(value));
    tlv_get_number(list, (enum tag)tag, 0);
    free(tlv_get_string(list, (enum tag)tag));
    if (again.length < 4096) strings_free(tlv_get_strings(list, (enum tag)tag, &count));
    if (depth < DEPTH) walk(value, depth + 1);
    tlv_bytes(&again, (enum tag)tag, value.data, value.length);
  }
  if (again.length > list.length || (more == 0 && again.length != list.length)) abort();
  tlv_free(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  while (size >= WIRE_HEADER_BYTES) {
    struct frame_header header;
    if (frame_decode(data, &header)) break;
    uint8_t again[WIRE_HEADER_BYTES];
    frame_encode(again, header.length, header.channel, (enum frame_type)header.type);
    if (memcmp(data, again, sizeof again)) abort();
    data += WIRE_HEADER_BYTES;
    size -= WIRE_HEADER_BYTES;
    size_t length = header.length < size ? header.length : size;
    walk((struct tlv){data, length}, 0);
    data += length;
    size -= length;
  }
  return 0;
}
