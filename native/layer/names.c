#include "names.h"
#include "handle.h"
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static int by_bytes(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

int names_read(int fd, struct names *names, struct error *error) {
  auto_fd own = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (own < 0) return fail(error, "Could not open a directory");
  auto_dir dir = fdopendir(own);
  if (!dir) return fail(error, "Could not read a directory");
  own = -1;
  size_t before = names->count, room = names->count;
  for (struct dirent *d; (errno = 0, d = readdir(dir));) {
    if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, "..")) continue;
    if (names->count == room) {
      room = room ? room * 2 : 16;
      char **grown = realloc(names->list, room * sizeof *grown);
      if (!grown) return error_set(error, "internal", 0, "Out of memory.");
      names->list = grown;
    }
    if (!(names->list[names->count] = strdup(d->d_name))) return error_set(error, "internal", 0, "Out of memory.");
    names->count++;
  }
  if (errno) return fail(error, "Could not read a directory");
  if (names->count) qsort(names->list, names->count, sizeof *names->list, by_bytes);
  if (!before) return 0;
  size_t kept = 1;
  for (size_t i = 1; i < names->count; i++) {
    if (strcmp(names->list[kept - 1], names->list[i]) == 0) free(names->list[i]);
    else names->list[kept++] = names->list[i];
  }
  names->count = kept;
  return 0;
}

int names_has(const struct names *names, const char *name) {
  return names->count && bsearch(&name, names->list, names->count, sizeof *names->list, by_bytes) != NULL;
}

void names_free(struct names *names) {
  for (size_t i = 0; i < names->count; i++) free(names->list[i]);
  free(names->list);
  *names = (struct names){0};
}
