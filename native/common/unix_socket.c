#include "unix_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "handle.h"

enum { WAITING_CONNECTIONS = 128 };

int unix_address(const char *path, struct sockaddr_un *address, int *directory, struct error *error) {
  auto_free char *copy = strdup(path), *copy2 = strdup(path);
  *directory = copy ? open(dirname(copy), O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
  if (*directory < 0 || !copy2) return error_set(error, "internal", errno, "cannot open the directory of %s", path);
  *address = (struct sockaddr_un){.sun_family = AF_UNIX};
  int n = snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *directory, basename(copy2));
  return n < 0 || (size_t)n >= sizeof address->sun_path
             ? error_set(error, "internal", ENAMETOOLONG, "cannot name the socket %s", path)
             : 0;
}

int unix_listen(const char *path, int flags, struct error *error) {
  struct sockaddr_un address;
  auto_fd directory = -1, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) return error_set(error, "internal", errno, "cannot make a socket");
  if (unix_address(path, &address, &directory, error)) return -1;
  unlink(address.sun_path);
  mode_t old = umask(0177);
  int r = bind(fd, (struct sockaddr *)&address, sizeof address);
  umask(old);
  if (r != 0 || listen(fd, WAITING_CONNECTIONS) != 0)
    return error_set(error, "internal", errno, "cannot listen on %s", path);
  return steal_fd(&fd);
}
