// Owns opening places inside a container's root; see target.c.
#pragma once
#include <stdbool.h>

#include "error.h"

// O_PATH, however its symlinks point; made when missing.
enum target_kind { TARGET_DIRECTORY, TARGET_FILE };
int target_open(int root, const char *path, enum target_kind kind, bool make, struct error *error);
int target_find(int root, const char *path, bool *absent, struct error *error);
int target_parent(int root, const char *path, const char **name, struct error *error);
