// Owns finding the virtio-serial port that the host named.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "agent.h"
#include "handle.h"

enum { PORT_TRIES = 1500, PORT_PAUSE_MS = 10 };

// -1 when there is none (yet).
static int try_open(const char *name) {
  auto_dir ports = opendir("/sys/class/virtio-ports");
  struct dirent *e;
  while (ports && (e = readdir(ports))) {
    if (!word_is_plain(e->d_name)) continue;
    char path[300];
    snprintf(path, sizeof path, "/sys/class/virtio-ports/%s/name", e->d_name);
    auto_free char *found = file_read(path);
    if (!found) continue;
    found[strcspn(found, "\n")] = 0;
    if (strcmp(found, name)) continue;
    snprintf(path, sizeof path, "/dev/%s", e->d_name);
    return open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  }
  return -1;
}

// The device announces its ports by interrupt after the driver has loaded, so it may take a few milliseconds.
int port_open(const char *name, struct error *error) {
  for (int i = 0; i < PORT_TRIES; i++) {
    int fd = try_open(name);
    if (fd >= 0) return fd;
    poll(NULL, 0, PORT_PAUSE_MS);
  }
  return error_set(error, "sandbox-failed", ENODEV, "The VM has no port named %s", name);
}
