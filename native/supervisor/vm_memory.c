// Owns the opening of a VM's memory, saved state and spare disk for its worker, which has no right to the files itself.
// Of a template both are files to be written. A clone gets the memory as a descriptor that nobody can write through
// (native/supervisor/seal.c), and its writes are its own.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "handle.h"
#include "vm.h"

bool vm_has_flag(int flags) { return tlv_get_number(plan.raw, TAG_FLAGS, 0) & flags; }

int memory_open(enum tag tag, struct error *error) {
  auto_free char *path = tlv_get_string(plan.raw, tag);
  if (!path) return -1;
  bool template = vm_has_flag(PLAN_TEMPLATE);
  auto_fd fd = open(path, template ? O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC : O_RDONLY | O_CLOEXEC, 0600);
  // QEMU opens the memory once more, by the descriptor's name and as its own user. Nobody else comes through the
  // directory (0700).
  if (fd < 0 || (template && fchmod(fd, 0666)))
    return error_set(error, "sandbox-failed", errno, "cannot open the template's %s",
                     tag == TAG_MEMORY ? "memory" : "state");
  return steal_fd(&fd);
}

int spare_open(struct error *error) {
  auto_free char *path = tlv_get_string(plan.raw, TAG_DISK);
  if (!path) return -1;
  int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  return fd < 0 ? error_set(error, "sandbox-failed", errno, "cannot open the spare disk") : fd;
}
