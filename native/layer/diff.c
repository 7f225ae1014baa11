// diff UPPER... [--over LOWER...] --form oci|private: an overlay's upper directory as a layer; several, the top one
// first, as the one layer that they are together over the lower ones.
#include "handle.h"
#include "root.h"
#include "tar-write.h"
#include "verbs.h"
#include "walk.h"

#include <string.h>

int diff_verb(int count, char **words, struct error *error) {
  static struct output output;
  int form = count - 2;
  if (form < 1 || strcmp(words[form], "--form") != 0 ||
      (strcmp(words[count - 1], "oci") && strcmp(words[count - 1], "private")))
    return error_set(error, "invalid-argument", 0, "diff takes UPPER directories and --form oci or --form private.");
  int uppers = 0;
  while (uppers < form && strcmp(words[uppers], "--over") != 0) uppers++;
  if (!uppers) return error_set(error, "invalid-argument", 0, "diff takes an UPPER directory.");
  auto_stack layers = {0}, over = {0};
  if (stack_open(&layers, uppers, words, error) < 0) return -1;
  if (uppers < form && stack_open(&over, form - uppers - 1, words + uppers + 1, error) < 0) return -1;
  auto_walk walk = {.output = &output, .form = strcmp(words[count - 1], "oci") ? FORM_PRIVATE : FORM_OCI, .upper = 1};
  // The root entry is "./"; what is below it bears no "./", as Docker writes layers.
  bytes_text(&walk.path, "./");
  return walk_merged(&walk, &layers, &over, error) < 0 ? -1 : tar_end(&output, error);
}
