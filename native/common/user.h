// Owns Docker's user form ('', 'name', 'uid', 'name:group', 'uid:gid') and how /etc/passwd and /etc/group of a root
// file system resolve it. The files are the image's and thus hostile: opened with RESOLVE_IN_ROOT, never a device or
// FIFO, bounded in size.
#pragma once
#include <stdint.h>

#include "error.h"
#include "wire.h"

struct user {
  uint32_t uid, gid;
  uint32_t *groups; // supplementary, at most WIRE_MAX_GROUPS
  size_t group_count;
  char home[4096]; // "/" when passwd has none
};

// `root` is a directory descriptor. Fails with invalid-argument and Docker's text: "unable to find user X: no matching
// entries in passwd file".
int user_resolve(int root, const char *form, struct user *user, struct error *error);
void user_free(struct user *user);
// UID GID GROUP* HOME
void user_write(struct tlv_writer *list, const struct user *user);
