// Owns the guest's disks: which one is which (by the serial that the host gave), and partitions made in the kernel's
// table only.
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "disks.h"
#include "handle.h"

static int serial_read(const char *disk, char *text, int size) {
  char path[300];
  snprintf(path, sizeof path, "/sys/block/%s/serial", disk);
  auto_file file = fopen(path, "re");
  if (!file || !fgets(text, size, file)) return -1;
  text[strcspn(text, "\n")] = 0;
  return 0;
}

enum { NODE_WAIT_MS = 2000 };

int disk_find(const char *serial, char name[16], struct error *error) {
  auto_dir disks = opendir("/sys/block");
  struct dirent *e;
  while (disks && (e = readdir(disks))) {
    if (strncmp(e->d_name, "vd", 2) || strlen(e->d_name) >= 16) continue;
    char found[64];
    if (serial_read(e->d_name, found, sizeof found) || strcmp(found, serial)) continue;
    strcpy(name, e->d_name);
    return 0;
  }
  return error_set(error, "sandbox-failed", ENODEV, "The VM has no disk %s", serial);
}

static int partition_ioctl(const char *disk, int operation, unsigned number, int64_t offset, int64_t length) {
  char path[32];
  snprintf(path, sizeof path, "/dev/%s", disk);
  auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  struct blkpg_partition partition = {.start = offset, .length = length, .pno = (int)number};
  struct blkpg_ioctl_arg argument = {.op = operation, .datalen = sizeof partition, .data = &partition};
  return ioctl(fd, BLKPG, &argument);
}

int partition_add(const char *disk, unsigned number, int64_t offset, int64_t length, struct error *error) {
  if (partition_ioctl(disk, BLKPG_ADD_PARTITION, number, offset, length))
    return error_set(error, "sandbox-failed", errno, "Could not find layer %u on the VM's disk", number);
  return 0;
}

int partition_node(const char *disk, unsigned number, char path[DISK_PATH], struct error *error) {
  snprintf(path, DISK_PATH, "/dev/%s%u", disk, number);
  // devtmpfs makes the node in a thread of its own.
  for (int waited_ms = 0; access(path, F_OK); waited_ms++) {
    if (waited_ms == NODE_WAIT_MS) return error_set(error, "sandbox-failed", errno, "The VM's disk has no %s", path);
    poll(NULL, 0, 1);
  }
  return 0;
}

void partitions_remove(const char *disk, unsigned count) {
  for (unsigned number = 1; number <= count; number++) partition_ioctl(disk, BLKPG_DEL_PARTITION, number, 0, 0);
  char path[32];
  snprintf(path, sizeof path, "/dev/%s", disk);
  auto_fd fd = open(path, O_RDONLY | O_CLOEXEC);
  // Nothing cached may be taken for the disk that comes next.
  if (fd >= 0) ioctl(fd, _IO(0x12, 97) /* BLKFLSBUF */, 0);
}
