// pack ROOT PATH: a tar of what PATH names, as Docker's archive of a container's path: entries begin with the base name
// of PATH.
#include "handle.h"
#include "root.h"
#include "tar-write.h"
#include "verbs.h"
#include "walk.h"

int pack_verb(int count, char **words, struct error *error) {
  static struct output output;
  if (count != 2) return error_set(error, "invalid-argument", 0, "pack takes ROOT and PATH.");
  auto_fd root = open_root(words[0], error);
  if (root < 0) return -1;
  auto_wanted wanted = {0};
  if (want_path(words[1], &wanted, error) < 0) return -1;
  auto_fd fd = open_wanted(root, &wanted, error);
  if (fd < 0) return -1;
  auto_walk walk = {.output = &output, .form = FORM_OCI};
  bytes_text(&walk.path, wanted.base);
  if (walk.path.failed) return error_set(error, "internal", 0, "Out of memory.");
  return walk_inode(&walk, fd, error) < 0 ? -1 : tar_end(&output, error);
}
