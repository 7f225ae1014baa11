#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "handle.h"
#include "supervisor.h"

struct plan plan;

int plan_read(char *directory, struct error *error) {
  char path[PATH_MAX];
  plan.argument = directory;
  if (!(plan.directory = realpath(directory, NULL)))
    return error_set(error, "internal", errno, "cannot find %s", directory);
  snprintf(path, sizeof path, "%s/sandbox.plan", plan.directory);
  auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
  struct stat st;
  if (fd < 0 || fstat(fd, &st) != 0) return error_set(error, "internal", errno, "cannot read %s", path);
  uint8_t *data = st.st_size <= WIRE_MAX_PAYLOAD ? malloc((size_t)st.st_size + 1) : NULL;
  if (!data || read(fd, data, (size_t)st.st_size) != st.st_size)
    return error_set(error, "internal", errno, "cannot read %s", path);
  plan.raw = (struct tlv){data, (size_t)st.st_size};
  plan.sandbox = tlv_get_string(plan.raw, TAG_CONTAINER);
  plan.socket = tlv_get_string(plan.raw, TAG_PATH);
  plan.kind = tlv_get_string(plan.raw, TAG_TYPE);
  if (!plan.sandbox || !plan.socket || !plan.kind)
    return error_set(error, "invalid-argument", 0, "%s lacks an id, a socket or a kind", path);
  return 0;
}

int plan_move(const char *directory, struct error *error) {
  char *real = realpath(directory, NULL), *socket = NULL;
  const char *name = strrchr(plan.socket, '/');
  // In place: whoever looks for workers goes by the argument that the process list shows.
  if (!real || !name || strlen(directory) != strlen(plan.argument) || asprintf(&socket, "%s%s", real, name) < 0) {
    free(real);
    return error_set(error, "invalid-argument", 0, "The sandbox cannot move to %s", directory);
  }
  memcpy(plan.argument, directory, strlen(directory));
  free(plan.directory);
  free(plan.socket);
  plan.directory = real;
  plan.socket = socket;
  return 0;
}
