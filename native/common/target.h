// Owns opening places inside a container's root; see target.c.
#pragma once
#include <stdbool.h>

#include "error.h"

enum target_kind { TARGET_DIRECTORY, TARGET_FILE };
// What becomes of a place that is missing. A mount point of the engine's own is made so that it does not count as a
// change of the container's: it bears TARGET_MARK, and the directories above it keep their times.
enum target_making { TARGET_MADE, TARGET_MOUNT_POINT };
#define TARGET_MARK "trusted.twofold.mount-point"
// O_PATH, however its symlinks point; made when missing.
int target_open(int root, const char *path, enum target_kind kind, enum target_making making, struct error *error);
// The places of the kernel's own file systems.
int target_make_kernel_places(int root, struct error *error);
// A process's working directory: made when missing, as Docker does, also where the root is read-only afterwards. What
// cannot be made is told when it is entered; -1 only for what is no directory.
int target_make_working_directory(int root, const char *path, struct error *error);
int target_find(int root, const char *path, bool *absent, struct error *error);
int target_parent(int root, const char *path, const char **name, struct error *error);
