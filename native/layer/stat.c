// stat ROOT PATH: one JSON line as Docker's X-Docker-Container-Path-Stat.
#include "bytes.h"
#include "handle.h"
#include "root.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <time.h>

// Go's os.FileMode, which Docker's clients expect.
static uint32_t go_mode(mode_t mode) {
  uint32_t go = mode & 0777;
  if (mode & S_ISUID) go |= 1u << 23;
  if (mode & S_ISGID) go |= 1u << 22;
  if (mode & S_ISVTX) go |= 1u << 20;
  switch (mode & S_IFMT) {
    case S_IFDIR: return go | 1u << 31;
    case S_IFLNK: return go | 1u << 27;
    case S_IFBLK: return go | 1u << 26;
    case S_IFCHR: return go | 1u << 26 | 1u << 21;
    case S_IFIFO: return go | 1u << 25;
    case S_IFSOCK: return go | 1u << 24;
    default: return go;
  }
}

// The length of the UTF-8 sequence at `p`, or 0 when it isn't one.
static size_t utf8(const unsigned char *p) {
  size_t n = *p < 0x80 ? 1 : *p >= 0xc2 && *p < 0xe0 ? 2 : (*p & 0xf0) == 0xe0 ? 3 : *p >= 0xf0 && *p < 0xf5 ? 4 : 0;
  for (size_t i = 1; i < n; i++)
    if ((p[i] & 0xc0) != 0x80) return 0;
  if (n == 3 && ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f))) return 0;
  if (n == 4 && ((*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))) return 0;
  return n;
}

// Names are bytes, JSON is UTF-8: what isn't becomes U+FFFD, as Go's encoder has it.
static void json_string(struct bytes *out, const char *text) {
  bytes_text(out, "\"");
  for (const unsigned char *p = (const unsigned char *)text; *p;) {
    size_t n = utf8(p);
    if (!n) bytes_text(out, "\xef\xbf\xbd");
    else if (n == 1 && (*p < 0x20 || *p == '"' || *p == '\\' || *p == 0x7f)) bytes_print(out, "\\u%04x", *p);
    else bytes_add(out, p, n);
    p += n ? n : 1;
  }
  bytes_text(out, "\"");
}

static void json_time(struct bytes *out, struct timespec time) {
  struct tm tm;
  gmtime_r(&time.tv_sec, &tm);
  char text[64], fraction[16] = "";
  if (time.tv_nsec) {
    int n = snprintf(fraction, sizeof fraction, ".%09ld", time.tv_nsec);
    while (fraction[n - 1] == '0') fraction[--n] = 0;
  }
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
  bytes_print(out, "\"%s%sZ\"", text, fraction);
}

// Where a symlink leads in the end, as a path seen from the root; of a dangling one what it says, from its directory.
static int link_target(int root, const char *path, int link, struct bytes *out, struct error *error) {
  char base[PATH_MAX + 1], full[PATH_MAX + 1], raw[PATH_MAX + 1];
  ssize_t base_length = readlink(name_of_fd(root).text, base, PATH_MAX);
  if (base_length < 0) return fail(error, "Could not read /proc/self/fd");
  if (base_length == 1) base_length = 0; // "/"
  auto_fd end = open_in_root(root, path, O_PATH);
  const char *rest = NULL;
  if (end >= 0) {
    ssize_t n = readlink(name_of_fd(end).text, full, PATH_MAX);
    if (n >= base_length && memcmp(base, full, (size_t)base_length) == 0) {
      full[n] = 0;
      rest = full + base_length;
    }
  }
  if (!rest) {
    ssize_t n = readlinkat(link, "", raw, PATH_MAX);
    if (n < 0) return fail(error, "Could not read the symlink %s", path);
    raw[n] = 0;
    auto_bytes joined = {0};
    if (*raw != '/') bytes_add(&joined, path, (size_t)(strrchr(path, '/') + 1 - path));
    bytes_text(&joined, raw);
    auto_wanted clean = {0};
    if (joined.failed || want_path(joined.data, &clean, error) < 0)
      return error_set(error, "internal", 0, "Out of memory.");
    json_string(out, clean.clean);
    return 0;
  }
  json_string(out, *rest ? rest : "/");
  return 0;
}

int stat_verb(int count, char **words, struct error *error) {
  if (count != 2) return error_set(error, "invalid-argument", 0, "stat takes ROOT and PATH.");
  auto_fd root = open_root(words[0], error);
  if (root < 0) return -1;
  auto_wanted wanted = {0};
  if (want_path(words[1], &wanted, error) < 0) return -1;
  auto_fd fd = open_wanted(root, &wanted, error);
  if (fd < 0) return -1;
  struct stat stat;
  if (fstat(fd, &stat) < 0) return fail(error, "Could not read the state of %s", wanted.clean);
  auto_bytes out = {0};
  bytes_text(&out, "{\"name\":");
  json_string(&out, wanted.base);
  bytes_print(&out, ",\"size\":%" PRId64 ",\"mode\":%" PRIu32 ",\"mtime\":", (int64_t)stat.st_size,
              go_mode(stat.st_mode));
  json_time(&out, stat.st_mtim);
  bytes_text(&out, ",\"linkTarget\":");
  if (!S_ISLNK(stat.st_mode)) json_string(&out, "");
  else if (link_target(root, wanted.clean, fd, &out, error) < 0) return -1;
  bytes_text(&out, "}\n");
  if (out.failed) return error_set(error, "internal", 0, "Out of memory.");
  if (fwrite(out.data, 1, out.length, stdout) != out.length || fflush(stdout))
    return error_set(error, "internal", errno, "Could not write the output");
  return 0;
}
