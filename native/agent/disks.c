// Owns the guest's disks: which one is which (by the serial that the host gave), and partitions made in the kernel's table only.
#include <errno.h>
#include <fcntl.h>
#include <linux/blkpg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "agent.h"
#include "handle.h"

int disk_find(const char *serial, char name[16], struct error *error) {
  auto_dir disks = opendir("/sys/block");
  struct dirent *e;
  while (disks && (e = readdir(disks))) {
    if (strncmp(e->d_name, "vd", 2) || strlen(e->d_name) >= 16) continue;
    char path[300];
    snprintf(path, sizeof path, "/sys/block/%s/serial", e->d_name);
    auto_free char *found = file_read(path);
    if (!found) continue;
    found[strcspn(found, "\n")] = 0;
    if (strcmp(found, serial)) continue;
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
  if (partition_ioctl(disk, BLKPG_ADD_PARTITION, number, offset, length)) return error_set(error, "sandbox-failed", errno, "Could not find layer %u on the VM's disk", number);
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
