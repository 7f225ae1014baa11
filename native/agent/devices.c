// Owns a container's device nodes and the usual links in /dev, which is a file system mounted for it (never the image's
// directory).
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "agent.h"
#include "handle.h"
#include "mounts.h"

static int make(int root, struct tlv device, struct error *error) {
  auto_free char *path = tlv_get_string(device, TAG_PATH);
  auto_free char *type = tlv_get_string(device, TAG_TYPE);
  const char *name;
  if (!path || !type || (strcmp(type, "c") && strcmp(type, "b")))
    return error_set(error, "invalid-argument", 0, "A device is not valid");
  auto_fd parent = target_parent(root, path, &name, error);
  if (parent < 0) return -1;
  dev_t number =
      makedev((unsigned)tlv_get_number(device, TAG_OFFSET, 0), (unsigned)tlv_get_number(device, TAG_LENGTH, 0));
  mode_t mode = (mode_t)tlv_get_number(device, TAG_MODE, 0666) & 0777;
  if (mknodat(parent, name, (*type == 'c' ? S_IFCHR : S_IFBLK) | mode, number) && errno != EEXIST)
    return error_set(error, "internal", errno, "Could not make %s", path);
  struct stat s;
  auto_fd node = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (node < 0 || fstat(node, &s) || s.st_rdev != number || !(S_ISCHR(s.st_mode) || S_ISBLK(s.st_mode)))
    return error_set(error, "conflict", errno, "%s already exists and is another device", path);
  uid_t uid = (uid_t)tlv_get_number(device, TAG_UID, 0);
  gid_t gid = (gid_t)tlv_get_number(device, TAG_GID, 0);
  if (fchownat(node, "", uid, gid, AT_EMPTY_PATH) || chmod(fd_path(node).text, mode))
    return error_set(error, "internal", errno, "Could not give %s to its owner", path);
  return 0;
}

static int make_links(int root, struct error *error) {
  static const char *const links[][2] = {{"/proc/self/fd", "fd"},
                                         {"/proc/self/fd/0", "stdin"},
                                         {"/proc/self/fd/1", "stdout"},
                                         {"/proc/self/fd/2", "stderr"},
                                         {"pts/ptmx", "ptmx"}};
  bool absent;
  struct statfs s;
  auto_fd dev = target_find(root, "/dev", &absent, error);
  if (dev < 0) return absent ? 0 : -1;
  if (fstatfs(dev, &s) || s.f_type != 0x01021994) return 0; // no tmpfs of ours: the image's directory is left as it is
  for (size_t i = 0; i < sizeof links / sizeof *links; i++)
    if (symlinkat(links[i][0], dev, links[i][1]) && errno != EEXIST)
      return error_set(error, "internal", errno, "Could not make /dev/%s", links[i][1]);
  return 0;
}

int devices_make(int root, struct tlv plan, struct error *error) {
  size_t at = 0;
  int tag, r;
  struct tlv value;
  while ((r = tlv_next(plan, &at, &tag, &value)) == 1)
    if (tag == TAG_DEVICE && make(root, value, error)) return -1;
  return r ? r : make_links(root, error);
}
