// Owns the request: the words, and what of the two terminals the output depends on, as JSON (docs/api-extensions.md).
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "front.h"

// The daemon reads 4 MiB. Sent while nobody reads the answer, so it also has to be less than what a daemon takes before
// it refuses.
enum { max_body = 1 << 20 };

static int append(struct buffer *b, const char *text) { return buffer_append(b, text, strlen(text)); }

// Bytes of the UTF-8 sequence at `s`; 0 when there is none: cut, overlong, a surrogate, or beyond Unicode.
static size_t sequence(const unsigned char *s) {
  size_t length = s[0] < 0x80                   ? 1
                  : s[0] >= 0xc2 && s[0] < 0xe0 ? 2
                  : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                  : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                                : 0;
  for (size_t i = 1; i < length; i++)
    if ((s[i] & 0xc0) != 0x80) return 0; // the 0 at the end of the word is none either
  if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
      (s[0] == 0xf4 && s[1] > 0x8f))
    return 0;
  return length;
}

static int append_word(struct buffer *b, const char *word) {
  int failed = append(b, "\"");
  for (const unsigned char *s = (const unsigned char *)word; *s && !failed && b->length <= max_body;) {
    size_t length = sequence(s);
    if (length == 0) return -1;
    char escaped[8];
    if (*s < 0x20) snprintf(escaped, sizeof escaped, "\\u%04x", *s);
    else if (*s == '"' || *s == '\\') snprintf(escaped, sizeof escaped, "\\%c", *s);
    else snprintf(escaped, sizeof escaped, "%.*s", (int)length, (const char *)s);
    failed = append(b, escaped);
    s += length;
  }
  return failed || append(b, "\"") ? -1 : 0;
}

// What Node tells a program of a terminal (packages/cli/src/output.ts). Nothing for what is none.
static int append_output(struct buffer *b, const char *name, int fd) {
  char text[96];
  struct winsize size;
  if (!isatty(fd)) return 0;
  snprintf(text, sizeof text, ",\"%s\":{\"Colours\":%s", name, getenv("NO_COLOR") ? "false" : "true");
  if (append(b, text)) return -1;
  if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
    snprintf(text, sizeof text, ",\"Columns\":%u", size.ws_col);
    if (append(b, text)) return -1;
  }
  return append(b, "}");
}

int request_write(struct buffer *request, char **words) {
  struct buffer body __attribute__((cleanup(buffer_free))) = {0};
  if (append(&body, "{\"Words\":[")) return -1;
  for (char **word = words; *word; word++)
    if ((word != words && append(&body, ",")) || append_word(&body, *word)) return -1;
  if (append(&body, "]") || append_output(&body, "Stdout", 1) || append_output(&body, "Stderr", 2) ||
      append(&body, "}"))
    return -1;
  if (body.length > max_body) return -1;
  char head[160];
  // 1.0: the answer comes as it is, without chunks, and the connection ends with it.
  snprintf(
      head, sizeof head,
      "POST /twofold/verb HTTP/1.0\r\nHost: twofold\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
      body.length);
  return append(request, head) || buffer_append(request, body.data + body.at, body.length) ? -1 : 0;
}
