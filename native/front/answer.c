// Owns the daemon's answer. Nothing in it is trusted: whatever listens on the socket may have sent it.
//
//   head ─not 200, not ours▶ the CLI's        head ─ours▶ frames ─exit code▶ ended        any ─cut, not understood▶
//   told, 1
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "front.h"

enum { max_head = 64 << 10, piece = 64 << 10, frame_header = 8 };
enum { frame_stdout = 1, frame_stderr = 2, frame_exit = 4 };

static const char our_type[] = "\r\nContent-Type: application/vnd.twofold.verb-stream\r\n";

// As the CLI says it (packages/verbs/src/failure.ts).
static int tell(const char *before, const char *path, const char *after) {
  bool colours = isatty(2) && !getenv("NO_COLOR");
  dprintf(2, "%stwofold:%s %s%s%s\n", colours ? "\033[31m" : "", colours ? "\033[0m" : "", before, path, after);
  return 1;
}

static int cut(const char *path) {
  return tell("Cannot talk to the Twofold daemon at ", path, ": the connection broke.");
}
static int not_understood(const char *path) { return tell("The answer from ", path, " is not valid."); }

// More of the answer; 0 at its end and on failure.
static size_t receive(int daemon, struct buffer *held) {
  uint8_t *tail = buffer_reserve(held, piece);
  if (!tail) return 0;
  for (;;) {
    ssize_t n = read(daemon, tail, piece);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return 0;
    held->length += (size_t)n;
    return (size_t)n;
  }
}

static int write_all(int fd, const uint8_t *bytes, size_t length) {
  while (length > 0) {
    ssize_t n = write(fd, bytes, length);
    if (n >= 0) {
      bytes += n, length -= (size_t)n;
    } else if (errno == EAGAIN) { // somebody else has made our terminal or pipe non-blocking
      struct pollfd writable = {.fd = fd, .events = POLLOUT};
      poll(&writable, 1, -1);
    } else if (errno != EINTR) {
      return -1;
    }
  }
  return 0;
}

// Takes the head off `held`: 0 for our stream, -1 for anything else that answers, 1 (told) when nothing does.
static int take_head(int daemon, const char *path, struct buffer *held) {
  char *end;
  while (!(end = held->length > 0 ? memmem(held->data + held->at, held->length, "\r\n\r\n", 4) : NULL)) {
    if (held->length > max_head) return not_understood(path);
    if (receive(daemon, held) == 0) return cut(path); // it may have begun: doing it again could do it twice
  }
  char *head = (char *)held->data + held->at;
  end[3] = 0; // of the last "\r\n" only the "\r" is left, so that the last line ends as all others
  bool ours = (strncmp(head, "HTTP/1.1 200 ", 13) == 0 || strncmp(head, "HTTP/1.0 200 ", 13) == 0) &&
              strcasestr(head, our_type);
  buffer_take(held, (size_t)(end + 4 - head));
  return ours ? 0 : -1;
}

// Passes `length` bytes on; 0, or an exit code that is not 0.
static int pass(int daemon, const char *path, struct buffer *held, int fd, size_t length) {
  while (length > 0) {
    if (held->length == 0 && receive(daemon, held) == 0) return cut(path);
    size_t n = held->length < length ? held->length : length;
    if (write_all(fd, held->data + held->at, n) != 0) {
      if (errno == EPIPE && fd == 1) return 128 + SIGPIPE; // `| head` has enough: as the CLI ends then
      return fd == 1 ? tell("Standard output: ", strerror(errno), "") : 1;
    }
    buffer_take(held, n);
    length -= n;
  }
  return 0;
}

int answer_copy(int daemon, const char *path) {
  struct buffer held __attribute__((cleanup(buffer_free))) = {0};
  int failed = take_head(daemon, path, &held);
  if (failed != 0) return failed;
  signal(SIGPIPE, SIG_IGN);
  for (;;) {
    while (held.length < frame_header)
      if (receive(daemon, &held) == 0) return cut(path);
    const uint8_t *header = held.data + held.at;
    uint8_t type = header[0];
    bool zeros = !header[1] && !header[2] && !header[3];
    size_t length = (size_t)header[4] << 24 | (size_t)header[5] << 16 | (size_t)header[6] << 8 | header[7];
    buffer_take(&held, frame_header);
    if (!zeros || (type != frame_stdout && type != frame_stderr && (type != frame_exit || length != 1)))
      return not_understood(path);
    if (type == frame_exit) {
      if (held.length == 0 && receive(daemon, &held) == 0) return cut(path);
      return held.data[held.at];
    }
    if ((failed = pass(daemon, path, &held, type, length)) != 0) return failed;
  }
}
