// Owns the kernel's struct statx by a name of its own: musl has one too from 1.2.5 on, without stx_mnt_id.
#pragma once
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define statx kernel_statx
#define statx_timestamp kernel_statx_timestamp
#include <linux/stat.h>
#undef statx
#undef statx_timestamp

// Of the inode behind `fd`; what the file system does not know is missing in stx_mask.
static inline int statx_of_fd(int fd, unsigned wanted, struct kernel_statx *found) {
  return (int)syscall(SYS_statx, fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, wanted, found);
}
