// size DIRECTORY: bytes of the files and symlinks in a tree, one with several names counted once; a decimal number.
// What Docker calls the size of a layer.
#include "handle.h"
#include "links.h"
#include "names.h"
#include "root.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

enum { MAX_DEPTH = 2048 };

static int add(int directory, struct links *links, uint64_t *sum, unsigned depth, struct error *error) {
  if (depth > MAX_DEPTH)
    return error_set(error, "unsupported", 0, "The tree is nested deeper than %d directories.", MAX_DEPTH);
  auto_names names = {0};
  if (names_read(directory, &names, error) < 0) return -1;
  for (size_t i = 0; i < names.count; i++) {
    auto_fd fd = openat(directory, names.list[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat s;
    if (fd < 0 && errno == ENOENT) continue; // gone meanwhile
    if (fd < 0 || fstat(fd, &s) < 0) return fail(error, "Could not read the state of %s", names.list[i]);
    if (S_ISDIR(s.st_mode) && add(fd, links, sum, depth + 1, error) < 0) return -1;
    if (!S_ISREG(s.st_mode) && !S_ISLNK(s.st_mode)) continue;
    const char *first = NULL;
    if (s.st_nlink > 1 && links_find(links, &s, names.list[i], &first, error) < 0) return -1;
    if (!first) *sum += (uint64_t)s.st_size;
  }
  return 0;
}

int size_verb(int count, char **words, struct error *error) {
  if (count != 1) return error_set(error, "invalid-argument", 0, "size takes DIRECTORY.");
  auto_fd root = open_root(words[0], error);
  if (root < 0) return -1;
  __attribute__((cleanup(links_free))) struct links links = {0};
  uint64_t sum = 0;
  if (add(root, &links, &sum, 0, error) < 0) return -1;
  printf("%" PRIu64 "\n", sum);
  return fflush(stdout) ? error_set(error, "internal", errno, "Could not write the output") : 0;
}
