// export ROOT: a tar of a whole root file system, without what is mounted over it.
#include "handle.h"
#include "root.h"
#include "tar-write.h"
#include "verbs.h"
#include "walk.h"

#include <errno.h>

int export_verb(int count, char **words, struct error *error) {
  static struct output output;
  if (count != 1) return error_set(error, "invalid-argument", 0, "export takes ROOT.");
  auto_fd root = open_root(words[0], error);
  if (root < 0) return -1;
  auto_walk walk = {.output = &output, .form = FORM_OCI, .one_mount = 1};
  if (mount_id_of_fd(root, &walk.mount) < 0) return fail(error, "Could not determine the mount of %s", words[0]);
  return walk_below(&walk, root, error) < 0 ? -1 : tar_end(&output, error);
}
