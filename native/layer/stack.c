#include "stack.h"
#include "handle.h"
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/xattr.h>
#include <unistd.h>

void stack_close(struct stack *stack) {
  for (size_t i = 0; i < stack->count; i++) close(stack->fds[i]);
  free(stack->fds);
  *stack = (struct stack){0};
}

int stack_add(struct stack *stack, int fd, struct error *error) {
  int *grown = realloc(stack->fds, (stack->count + 1) * sizeof *grown);
  if (!grown) {
    close(fd);
    return error_set(error, "internal", 0, "Out of memory.");
  }
  stack->fds = grown;
  stack->fds[stack->count++] = fd;
  return 0;
}

int stack_open(struct stack *stack, int count, char **paths, struct error *error) {
  for (int i = 0; i < count; i++) {
    int fd = open_root(paths[i], error);
    if (fd < 0 || stack_add(stack, fd, error) < 0) return -1;
  }
  return 0;
}

int is_whiteout(int fd, const struct stat *stat) {
  if (S_ISCHR(stat->st_mode)) return stat->st_rdev == 0;
  return S_ISREG(stat->st_mode) && !stat->st_size &&
         getxattr(name_of_fd(fd).text, "trusted.overlay.whiteout", NULL, 0) >= 0;
}

int is_opaque(int fd) {
  char value[4];
  return getxattr(name_of_fd(fd).text, "trusted.overlay.opaque", value, sizeof value) == 1 && *value == 'y';
}

int stack_look(const struct stack *stack, const char *name, int *found, struct stack *beneath, struct error *error) {
  *found = -1;
  for (size_t i = 0; i < stack->count; i++) {
    auto_fd fd = openat(stack->fds[i], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT) continue;
    struct stat s;
    if (fd < 0 || fstat(fd, &s) < 0) return fail(error, "Could not look up %s in a layer", name);
    int directory = S_ISDIR(s.st_mode);
    int last = !directory || is_opaque(fd);
    if (*found < 0) {
      *found = steal_fd(&fd);
      if (!directory) return 0;
    } else if (directory && stack_add(beneath, steal_fd(&fd), error) < 0) {
      return -1;
    }
    if (last) {
      beneath->closed = 1;
      return 0;
    }
  }
  return 0;
}
