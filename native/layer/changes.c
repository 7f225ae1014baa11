// changes UPPER LOWER...: what an overlay's upper directory changed against its lower ones (the top one first), as
// `docker diff` tells it: NUL-terminated `A /path`, `C /path`, `D /path`, in byte order, a directory before what it
// holds.
#include "bytes.h"
#include "handle.h"
#include "inode.h"
#include "names.h"
#include "root.h"
#include "stack.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { MAX_DEPTH = 2048 };

// A directory on the way down, and the kind of the line that is still owed (0: none): an untouched one is told only
// when something below it changed, and so is one that was made to mount on.
struct level {
  struct level *above;
  size_t length; // of the path
  char owed;
};

// What the lower layers show as `name`: 1 and its state, 0 nothing. If it is a directory, `below` is filled.
static int look_below(const struct stack *stack, const char *name, struct stat *stat, struct stack *below,
                      struct error *error) {
  int found = 0;
  *below = (struct stack){0};
  for (size_t i = 0; i < stack->count; i++) {
    auto_fd fd = openat(stack->fds[i], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) continue;
    struct stat s;
    if (fd < 0 || fstat(fd, &s) < 0) return fail(error, "Could not look up %s in a lower layer", name);
    if (is_whiteout(fd, &s)) break;
    if (found && !S_ISDIR(s.st_mode)) break;
    if (!found) *stat = s;
    found = 1;
    if (!S_ISDIR(s.st_mode)) break;
    int opaque = is_opaque(fd);
    if (stack_add(below, steal_fd(&fd), error) < 0) return -1;
    if (opaque) break;
  }
  return found;
}

static void print_change(struct level *level, const struct bytes *path, char kind) {
  if (level && level->owed) {
    struct bytes above = {.data = path->data, .length = level->length};
    char owed = level->owed;
    level->owed = 0;
    print_change(level->above, &above, owed);
  }
  putchar(kind);
  putchar(' ');
  fwrite(path->data, 1, path->length, stdout);
  putchar(0);
}

// What an opaque directory hides of the lower layers and didn't make anew.
static int print_hidden(const struct stack *lower, const struct names *kept, struct level *level, struct bytes *path,
                        struct error *error) {
  for (size_t i = 0; i < lower->count; i++) {
    auto_fd fd = openat(lower->fds[i], ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_names names = {0};
    if (fd < 0) return fail(error, "Could not open a lower layer");
    if (names_read(fd, &names, error) < 0) return -1;
    for (size_t n = 0; n < names.count; n++) {
      int told = names_has(kept, names.list[n]);
      for (size_t above = 0; above < i && !told; above++) {
        struct stat s;
        told = fstatat(lower->fds[above], names.list[n], &s, AT_SYMLINK_NOFOLLOW) == 0;
      }
      struct stat s;
      auto_stack below = {0};
      int there = told ? 0 : look_below(lower, names.list[n], &s, &below, error);
      if (there < 0) return -1;
      if (!there) continue;
      size_t length = path->length;
      bytes_print(path, "/%s", names.list[n]);
      print_change(level, path, 'D');
      bytes_cut(path, length);
    }
  }
  return 0;
}

static int walk_changes(int upper, const struct stack *lower, struct level *level, struct bytes *path, unsigned depth,
                        struct error *error) {
  if (depth > MAX_DEPTH)
    return error_set(error, "unsupported", 0, "The tree is nested deeper than %d directories.", MAX_DEPTH);
  auto_names names = {0};
  if (names_read(upper, &names, error) < 0) return -1;
  if (lower->count && is_opaque(upper) && print_hidden(lower, &names, level, path, error) < 0) return -1;
  size_t length = path->length;
  for (size_t i = 0; i < names.count; i++) {
    auto_fd fd = openat(upper, names.list[i], O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) continue;
    bytes_add(path, "/", 1);
    bytes_text(path, names.list[i]);
    if (path->failed) return error_set(error, "internal", 0, "Out of memory.");
    struct stat s, old;
    if (fd < 0 || fstat(fd, &s) < 0) return fail(error, "Could not open %s", path->data);
    auto_stack below = {0};
    int existed = look_below(lower, names.list[i], &old, &below, error);
    if (existed < 0) return -1;
    struct level own = {level, path->length, 0};
    if (is_whiteout(fd, &s)) {
      if (existed) print_change(level, path, 'D');
    } else if (!existed && is_mount_point(fd, &s)) {
      own.owed = 'A';
    } else if (!existed) {
      print_change(level, path, 'A');
    } else if (S_ISDIR(s.st_mode) && S_ISDIR(old.st_mode) && same_directory(&s, &old)) {
      own.owed = 'C';
    } else {
      print_change(level, path, 'C');
    }
    if (S_ISDIR(s.st_mode) && walk_changes(fd, &below, &own, path, depth + 1, error) < 0) return -1;
    bytes_cut(path, length);
  }
  return 0;
}

int changes_verb(int count, char **words, struct error *error) {
  if (count < 1) return error_set(error, "invalid-argument", 0, "changes takes UPPER and LOWER directories.");
  auto_fd upper = open_root(words[0], error);
  if (upper < 0) return -1;
  auto_stack lower = {0};
  if (stack_open(&lower, count - 1, words + 1, error) < 0) return -1;
  auto_bytes path = {0};
  bytes_add(&path, "", 0);
  if (walk_changes(upper, &lower, NULL, &path, 0, error) < 0) return -1;
  return fflush(stdout) ? error_set(error, "internal", errno, "Could not write the output") : 0;
}
