// `twofold-supervisor --seal FILE`: a template's memory as a memfd that nobody can write any more, whatever rights they
// come by. QEMU 7.2 opens a VM's memory for writing, so a read-only file will not do. Whoever wants it opens
// /proc/<us>/fd/9 and keeps it; we end with our standard input.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "handle.h"
#include "supervisor.h"

enum { CHUNK = 64 << 10, MEMORY_FD = 9 };

static bool all_zero(const char *data, size_t length) {
  return length == 0 || (data[0] == 0 && memcmp(data, data + 1, length - 1) == 0);
}

static int copy_chunk(int from, int to, off_t at, char *room, off_t end) {
  size_t want = end - at < CHUNK ? (size_t)(end - at) : CHUNK;
  for (size_t done = 0; done < want;) {
    ssize_t n = pread(from, room + done, want - done, at + (off_t)done);
    if (n <= 0) return -1;
    done += (size_t)n;
  }
  return all_zero(room, want) || pwrite(to, room, want, at) == (ssize_t)want ? 0 : -1;
}

static int copy_data(int from, int to, off_t size) {
  static char room[CHUNK];
  for (off_t at = 0; at < size;) {
    at = lseek(from, at, SEEK_DATA);
    if (at < 0) return errno == ENXIO ? 0 : -1; // only a hole is left
    off_t end = lseek(from, at, SEEK_HOLE);
    for (; at < end; at += CHUNK)
      if (copy_chunk(from, to, at, room, end)) return -1;
    at = end;
  }
  return 0;
}

static int seal(const char *path, struct error *error) {
  auto_fd from = open(path, O_RDONLY | O_CLOEXEC);
  struct stat s;
  if (from < 0 || fstat(from, &s)) return error_set(error, "internal", errno, "cannot read %s", path);
  int to = memfd_create("twofold-template", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (to < 0 || ftruncate(to, s.st_size) || copy_data(from, to, s.st_size))
    return error_set(error, "internal", errno, "cannot copy %s into memory", path);
  if (fcntl(to, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE))
    return error_set(error, "internal", errno, "cannot seal the template's memory");
  return dup2(to, MEMORY_FD) >= 0 ? 0 : error_set(error, "internal", errno, "cannot keep the template's memory");
}

int seal_main(const char *path) {
  struct error error = {0};
  if (seal(path, &error)) return fprintf(stderr, "%s\n", error.message), 1;
  if (write(1, "ready\n", 6) < 0) return 1;
  char byte;
  while (read(0, &byte, 1) > 0 || errno == EINTR) errno = 0;
  return 0;
}
