// Owns the way from a directory tree to a tar stream. What is asked of it differs by verb: see the fields.
#pragma once
#include "bytes.h"
#include "entry.h"
#include "links.h"
#include "output.h"
#include "stack.h"

struct owed;

struct walk {
  struct output *output;
  enum form form;
  int upper;      // the tree is an overlay's upper layer: whiteouts and opaque marks are translated
  int one_mount;  // what is mounted over the tree is an empty directory or file
  uint64_t mount; // with one_mount: the tree's
  int over;       // walk_merged was told what lies below
  struct owed *owed; // of an upper layer: directories whose headers are written only before something below them
  struct bytes path;
  struct links links;
};

// Writes the inode behind `fd` (O_PATH) under walk->path, and with everything below if it is a directory.
int walk_inode(struct walk *walk, int fd, struct error *error);
// The same of layers that are merged into one, top first: what the top one has counts. With `over`, the layers that lie
// below them all, only deletions of what those show are kept: overlayfs would list the others as names of nothing.
int walk_merged(struct walk *walk, const struct stack *layers, const struct stack *over, struct error *error);
// Only what is below the directory `fd` (O_PATH).
int walk_below(struct walk *walk, int fd, struct error *error);
void walk_free(struct walk *walk);
#define auto_walk __attribute__((cleanup(walk_free))) struct walk
