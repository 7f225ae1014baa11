// show DIRECTORY PID:GROUP PATH, show --disk SERIAL OFFSET LENGTH PID:GROUP PATH: a read-only file system (mounted on
// the host; a part of a guest's disk) becomes visible at PATH in the mount namespace of a running process, which is
// taken for the one that is meant only if it is in a control group called GROUP. PATH is a name in /dev, which is a
// file system of the kernel's own in every container: so no layer, no archive and no commit ever has it. Repeated, it
// changes nothing.
#include "disks.h"
#include "handle.h"
#include "mounts.h"
#include "root.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>

enum { EROFS_MAGIC = 0xE0F5E1E2u };
// The last that a disk can have: layers are counted from 1.
enum { PARTITION = 255 };
enum { FS_STRING = 1, FS_FLAG = 0, FS_CREATE = 6, FS_CLOEXEC = 1 };

static int tree_of_partition(char **words, struct error *error) {
  char disk[DISK_NAME], device[DISK_PATH];
  if (disk_find(words[0], disk, error)) return -1;
  snprintf(device, sizeof device, "/dev/%s%d", disk, PARTITION);
  if (access(device, F_OK) &&
      partition_add(disk, PARTITION, strtoll(words[1], NULL, 10), strtoll(words[2], NULL, 10), error))
    return -1;
  if (partition_node(disk, PARTITION, device, error)) return -1;
  auto_fd context = (int)syscall(SYS_fsopen, "erofs", FS_CLOEXEC);
  if (context < 0 || syscall(SYS_fsconfig, context, FS_STRING, "source", device, 0) ||
      syscall(SYS_fsconfig, context, FS_FLAG, "ro", NULL, 0) ||
      syscall(SYS_fsconfig, context, FS_CREATE, NULL, NULL, 0))
    return fail(error, "Could not read the file system on %s", device);
  int tree = (int)syscall(SYS_fsmount, context, FS_CLOEXEC, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  return tree < 0 ? fail(error, "Could not mount %s", device) : tree;
}

static int tree_of_directory(const char *path, struct error *error) {
  int tree = mount_clone_at(path);
  return tree < 0 ? fail(error, "Could not clone the mount of %s", path) : tree;
}

// `process` is a directory of /proc.
static bool is_in_group(int process, const char *name) {
  auto_fd fd = openat(process, "cgroup", O_RDONLY | O_CLOEXEC);
  auto_file f = fd < 0 ? NULL : fdopen(fd, "r");
  if (!f) return false;
  fd = -1;
  auto_free char *line = NULL;
  size_t room = 0, length = strlen(name);
  while (getline(&line, &room, f) > 0)
    for (char *at = strchr(line, '/'); at; at = strchr(at + 1, '/'))
      if (strncmp(at + 1, name, length) == 0 && (at[1 + length] == '/' || at[1 + length] == '\n')) return true;
  return false;
}

// Into its view of the file system; afterwards every path is one of the container's. The number may have become another
// process's since it was told: so one directory of /proc is opened, which stays that process's, and both the question
// who that is and the way into its file system go by it.
static int enter(const char *pid, struct error *error) {
  char path[64];
  struct stat own, other;
  const char *group = strchr(pid, ':');
  if (!group || !group[1]) return error_set(error, "invalid-argument", 0, "%s is not of the form PID:GROUP.", pid);
  snprintf(path, sizeof path, "/proc/%d", atoi(pid));
  auto_fd process = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  auto_fd namespace = process < 0 ? -1 : openat(process, "ns/mnt", O_RDONLY | O_CLOEXEC);
  if (namespace < 0 || fstat(namespace, &other) || stat("/proc/self/ns/mnt", &own))
    return error_set(error, "container-not-running", errno, "Could not find the container's process");
  if (!is_in_group(process, group + 1))
    return error_set(error, "container-not-running", 0, "The container's process has ended.");
  if (own.st_ino == other.st_ino)
    return error_set(error, "container-not-running", 0, "The container's process does not have its own file system.");
  return setns(namespace, CLONE_NEWNS) ? fail(error, "Could not enter the container's file system") : 0;
}

static int place(int tree, const char *path, struct error *error) {
  static const char devices[] = "/dev/";
  struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
  struct statfs fs;
  const char *name = path + sizeof devices - 1;
  if (strncmp(path, devices, sizeof devices - 1) || !*name || strchr(name, '/') || *name == '.')
    return error_set(error, "invalid-argument", 0, "%s is not a name in /dev.", path);
  auto_fd directory = (int)syscall(SYS_openat2, AT_FDCWD, "/dev", &how, sizeof how);
  if (directory < 0) return fail(error, "The container has no /dev");
  if (mkdirat(directory, name, 0755) && errno != EEXIST) return fail(error, "Could not make %s in the container", path);
  auto_fd target = (int)syscall(SYS_openat2, directory, name, &how, sizeof how);
  if (target < 0 || fstatfs(target, &fs)) return fail(error, "Could not open %s in the container", path);
  if ((unsigned)fs.f_type == EROFS_MAGIC) return 0;
  return mount_put(tree, target) ? fail(error, "Could not mount %s in the container", path) : 0;
}

int show_verb(int count, char **words, struct error *error) {
  bool of_disk = count == 6 && strcmp(words[0], "--disk") == 0;
  if (!of_disk && count != 3)
    return error_set(error, "invalid-argument", 0,
                     "show takes DIRECTORY or --disk SERIAL OFFSET LENGTH, then PID:GROUP and PATH.");
  auto_fd tree = of_disk ? tree_of_partition(words + 1, error) : tree_of_directory(words[0], error);
  struct stat own, other;
  if (tree < 0) return -1;
  if (stat("/dev", &own)) return fail(error, "/dev does not exist");
  if (enter(words[count - 2], error)) return -1;
  // --volume /dev:/dev
  if (stat("/dev", &other) || own.st_dev == other.st_dev)
    return error_set(error, "unsupported", 0, "The container does not have its own /dev.");
  return place(tree, words[count - 1], error);
}
