// Owns the program's outside: requests as frames on standard input, one after the other, each answered on standard
// output under the channel that it came with. A NETWORK frame holds TYPE (the verb) and what it asks for. Ends with its
// input, that is, with the daemon.
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "handle.h"
#include "links.h"

static int read_all(void *into, size_t length) {
  for (uint8_t *at = into; length > 0;) {
    ssize_t n = read(0, at, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    at += n, length -= (size_t)n;
  }
  return 0;
}

static int write_all(const void *from, size_t length) {
  for (const uint8_t *at = from; length > 0;) {
    ssize_t n = write(1, at, length);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return -1;
    at += n, length -= (size_t)n;
  }
  return 0;
}

static int carry_out(struct tlv list, struct error *error) {
  auto_free char *verb = tlv_get_string(list, TAG_TYPE);
  if (!verb) return error_set(error, "invalid-argument", 0, "no verb was given");
  if (strcmp(verb, "veth") == 0) return link_add_veth(list, error);
  if (strcmp(verb, "port") == 0) return link_add_port(list, error);
  if (strcmp(verb, "delete") == 0) return link_delete(list, error);
  if (strcmp(verb, "admit") == 0) return elements_change(list, 1, error);
  if (strcmp(verb, "expel") == 0) return elements_change(list, 0, error);
  return error_set(error, "invalid-argument", 0, "the verb %s does not exist", verb);
}

static int answer(uint32_t channel, int result, const struct error *error) {
  struct tlv_writer w = {0};
  uint8_t header[WIRE_HEADER_BYTES];
  if (result != 0) {
    tlv_string(&w, TAG_CODE, error->code);
    tlv_string(&w, TAG_MESSAGE, error->message);
    tlv_number(&w, TAG_ERRNO, error->errnum);
  }
  frame_encode(header, (uint32_t)w.length, channel, result == 0 ? FRAME_REPLY : FRAME_ERROR);
  int sent = w.failed ? -1 : write_all(header, sizeof header);
  if (sent == 0) sent = write_all(w.data, w.length);
  tlv_free(&w);
  return sent;
}

int main(void) {
  signal(SIGPIPE, SIG_IGN);
  // A terminal's Ctrl+C is for the daemon, which may still need us.
  signal(SIGINT, SIG_IGN);
  for (;;) {
    uint8_t bytes[WIRE_HEADER_BYTES];
    struct frame_header header;
    if (read_all(bytes, sizeof bytes) != 0) return 0;
    if (frame_decode(bytes, &header) != 0 || header.type != FRAME_NETWORK) return 1;
    auto_free uint8_t *payload = malloc(header.length + 1);
    if (!payload || read_all(payload, header.length) != 0) return 1;
    struct error error = {0};
    if (answer(header.channel, carry_out((struct tlv){payload, header.length}, &error), &error) != 0) return 1;
  }
}
