// Owns what is read of one inode besides stat(2): extended attributes, inode flags, the map of a sparse file. The inode
// is given as an O_PATH descriptor, so that nothing is opened (a device, a fifo) that ought not to be.
#pragma once
#include "entry.h"
#include "error.h"

#include <sys/stat.h>

// Marks that overlayfs keeps in extended attributes of its upper layer.
struct overlay_marks {
  int opaque, whiteout;
  char protected_flags[3]; // "i", "a", "ia"
};

// Fills `xattrs` with those that `form` keeps. With `marks`, the tree is an overlay's upper layer: its marks are read,
// and a form that can't be carried over (a metadata copy, a redirected directory) is an error.
int read_xattrs(int fd, enum form form, struct xattrs *xattrs, struct overlay_marks *marks, struct error *error);
int same_xattrs(const struct xattrs *a, const struct xattrs *b);
// A mount point that was made for a container and is as it was made: an empty file, or a directory whatever is in it.
int is_mount_point(int fd, const struct stat *stat);
// Mode, owner and time are the same.
int same_directory(const struct stat *a, const struct stat *b);
void free_xattrs(struct xattrs *xattrs);
// "i", "a", "ia" or "" into flags; file systems without such flags have none. `fd` is open for reading.
void read_flags(int fd, char flags[3]);
// The stretches with data of a file that is open for reading; *extents stays NULL if it isn't sparse. The caller frees.
int read_extents(int fd, const struct stat *stat, struct extent **extents, size_t *count, struct error *error);
