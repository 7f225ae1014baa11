// Owns reading and writing small files of the kernel's file systems.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent.h"
#include "handle.h"

int file_write_at(int directory, const char *name, const void *data, size_t length, struct error *error) {
  auto_fd fd = openat(directory, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return error_set(error, "internal", errno, "Could not open %s in the guest", name);
  if (write(fd, data, length) != (ssize_t)length)
    return error_set(error, "invalid-argument", errno, "The guest's kernel refused a value for %s", name);
  return 0;
}

int file_write(const char *path, const void *data, size_t length, struct error *error) {
  return file_write_at(AT_FDCWD, path, data, length, error);
}

char *file_read(const char *path) {
  auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return NULL;
  size_t length = 0, capacity = 4096;
  char *text = malloc(capacity);
  while (text) {
    ssize_t n = read(fd, text + length, capacity - length - 1);
    if (n <= 0) break;
    length += (size_t)n;
    if (capacity - length > 1) continue;
    char *more = capacity < (4u << 20) ? realloc(text, capacity *= 2) : NULL;
    if (!more) break;
    text = more;
  }
  if (text) text[length] = 0;
  return text;
}

bool word_is_plain(const char *word) {
  if (!*word || *word == '.') return false;
  for (const char *p = word; *p; p++)
    if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-", *p)) return false;
  return true;
}

// SYSCTL* "net.ipv4.ip_forward=1"; a slash is a dot inside a name, as sysctl(8) has it.
int sysctls_apply(struct tlv list, struct error *error) {
  size_t at = 0;
  int tag, r;
  struct tlv value;
  while ((r = tlv_next(list, &at, &tag, &value)) == 1) {
    if (tag != TAG_SYSCTL) continue;
    auto_free char *text = tlv_dup(value);
    char *equals = text ? strchr(text, '=') : NULL;
    if (!equals) return error_set(error, "invalid-argument", 0, "A sysctl is not of the form key=value");
    *equals = 0;
    if (strstr(text, "..") || !word_is_plain(text))
      return error_set(error, "invalid-argument", 0, "The sysctl's name %s is not valid", text);
    char path[512] = "/proc/sys/";
    size_t n = strlen(path);
    for (const char *p = text; *p && n < sizeof path - 1; p++) path[n++] = *p == '.' ? '/' : *p;
    path[n] = 0;
    if (file_write(path, equals + 1, strlen(equals + 1), error)) return -1;
  }
  return r;
}
