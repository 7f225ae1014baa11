// Owns a guest's disks: device by the serial that the host gave it, and partitions by the kernel's own table (nothing
// is written to the disk).
#pragma once
#include <stdint.h>

#include "error.h"

enum { DISK_NAME = 16, DISK_PATH = 48 };

int disk_find(const char *serial, char name[DISK_NAME], struct error *error);
int partition_add(const char *disk, unsigned number, int64_t offset, int64_t length, struct error *error);
// Waits for its device node.
int partition_node(const char *disk, unsigned number, char path[DISK_PATH], struct error *error);
void partitions_remove(const char *disk, unsigned count);
