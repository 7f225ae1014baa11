#include "links.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct link {
  dev_t device;
  ino_t inode;
  char *path; // NULL: free place
};

static struct link *place(struct link *table, size_t room, dev_t device, ino_t inode) {
  uint64_t hash = (inode ^ (uint64_t)device << 32) * 0x9e3779b97f4a7c15u;
  for (size_t i = (size_t)(hash >> 20);; i++) {
    struct link *l = &table[i & (room - 1)];
    if (!l->path || (l->device == device && l->inode == inode)) return l;
  }
}

static int grow(struct links *links) {
  size_t room = links->room ? links->room * 2 : 64;
  struct link *table = calloc(room, sizeof *table);
  if (!table) return -1;
  for (size_t i = 0; i < links->room; i++)
    if (links->table[i].path) *place(table, room, links->table[i].device, links->table[i].inode) = links->table[i];
  free(links->table);
  links->table = table;
  links->room = room;
  return 0;
}

int links_find(struct links *links, const struct stat *stat, const char *path, const char **first,
               struct error *error) {
  *first = NULL;
  if (links->used * 2 >= links->room && grow(links) < 0) return error_set(error, "internal", 0, "Out of memory.");
  struct link *l = place(links->table, links->room, stat->st_dev, stat->st_ino);
  if (l->path) {
    *first = l->path;
    return 0;
  }
  *l = (struct link){stat->st_dev, stat->st_ino, strdup(path)};
  links->used++;
  return l->path ? 0 : error_set(error, "internal", 0, "Out of memory.");
}

void links_free(struct links *links) {
  for (size_t i = 0; i < links->room; i++) free(links->table[i].path);
  free(links->table);
  *links = (struct links){0};
}
