// Owns what a tar entry says about a file, in both directions.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

// The two forms of docs/layers.md.
enum form { FORM_OCI, FORM_PRIVATE };

struct xattr {
  char *name;
  char *value;
  size_t length;
};

struct xattrs {
  struct xattr *list;
  size_t count;
};

// A stretch of a sparse file that has data.
struct extent {
  uint64_t offset, length;
};

struct entry {
  char type;        // as in ustar: '0' file, '1' hard link, '2' symlink, '3' char, '4' block, '5' directory, '6' fifo
  const char *path; // bytes; a directory's ends in "/"
  const char *link; // of a hard link (a path in the archive) or symlink
  mode_t mode;      // permission bits
  uint32_t uid, gid;
  uint64_t size;
  struct timespec mtime;
  uint32_t major, minor;
  struct xattrs xattrs;
  // Only in the private form:
  int whiteout, opaque, socket;
  const char *flags;            // "i", "a", "ia" or NULL
  const struct extent *extents; // NULL: not sparse
  size_t extent_count;
};
