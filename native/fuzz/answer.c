// What answers the front: whoever listens on the socket that it was given.
#include "input.h"
#include "front.h"

#include <fcntl.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static int daemon = -1;
  if (daemon < 0) daemon = dup(STDIN_FILENO);
  input_as(daemon, data, size);
  int code = answer_copy(daemon, "/run/twofold.sock");
  if (code < -1 || code > 255) abort();
  return 0;
}
