#include "inode.h"
#include "handle.h"
#include "root.h"
#include "target.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/xattr.h>

// A map longer than this is cut: what follows counts as data.
enum { MAX_EXTENTS = 1 << 16 };

static int starts(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

static int kept(const char *name, enum form form) {
  if (starts(name, "user.") || !strcmp(name, "security.capability")) return form == FORM_PRIVATE || !strchr(name, '=');
  if (form != FORM_PRIVATE || starts(name, "trusted.twofold.")) return 0;
  return starts(name, "trusted.") || !strcmp(name, "system.posix_acl_access") ||
         !strcmp(name, "system.posix_acl_default");
}

static int overlay_mark(const char *name, const char *value, size_t length, struct overlay_marks *marks,
                        struct error *error) {
  name += strlen("trusted.overlay.");
  if (!strcmp(name, "opaque")) marks->opaque = length == 1 && *value == 'y';
  else if (!strcmp(name, "whiteout")) marks->whiteout = 1;
  else if (!strcmp(name, "protattr")) {
    if (length && memchr(value, 'i', length)) strcat(marks->protected_flags, "i");
    if (length && memchr(value, 'a', length)) strcat(marks->protected_flags, "a");
  } else if (!strcmp(name, "metacopy") || !strcmp(name, "redirect")) {
    return error_set(error, "unsupported", 0, "The writable layer was mounted with %s, which can't be carried over.",
                     name);
  }
  return 0;
}

static int add_xattr(struct xattrs *xattrs, const char *name, const char *value, size_t length) {
  if (xattrs->count % 8 == 0) {
    struct xattr *grown = realloc(xattrs->list, (xattrs->count + 8) * sizeof *grown);
    if (!grown) return -1;
    xattrs->list = grown;
  }
  struct xattr *x = &xattrs->list[xattrs->count];
  *x = (struct xattr){strdup(name), malloc(length + 1), length};
  xattrs->count++;
  if (!x->name || !x->value) return -1;
  if (length) memcpy(x->value, value, length);
  return 0;
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const struct xattr *)a)->name, ((const struct xattr *)b)->name);
}

int read_xattrs(int fd, enum form form, struct xattrs *xattrs, struct overlay_marks *marks, struct error *error) {
  static char names[XATTR_LIST_MAX], value[XATTR_SIZE_MAX];
  struct fd_name path = name_of_fd(fd);
  ssize_t length = listxattr(path.text, names, sizeof names);
  if (length < 0 && errno == EOPNOTSUPP) return 0;
  if (length < 0) return fail(error, "Could not list extended attributes");
  for (char *name = names; name < names + length; name += strlen(name) + 1) {
    int mark = starts(name, "trusted.overlay.");
    if (mark ? !marks : !kept(name, form)) continue;
    ssize_t n = getxattr(path.text, name, value, sizeof value);
    if (n < 0 && (errno == ENODATA || errno == EOPNOTSUPP)) continue; // gone meanwhile
    if (n < 0) return fail(error, "Could not read the extended attribute %s", name);
    if (mark && overlay_mark(name, value, (size_t)n, marks, error) < 0) return -1;
    if (!mark && add_xattr(xattrs, name, value, (size_t)n) < 0)
      return error_set(error, "internal", 0, "Out of memory.");
  }
  if (xattrs->count) qsort(xattrs->list, xattrs->count, sizeof *xattrs->list, by_name);
  return 0;
}

int same_xattrs(const struct xattrs *a, const struct xattrs *b) {
  if (a->count != b->count) return 0;
  for (size_t i = 0; i < a->count; i++) {
    const struct xattr *x = &a->list[i], *y = &b->list[i];
    if (strcmp(x->name, y->name) || x->length != y->length || memcmp(x->value, y->value, x->length)) return 0;
  }
  return 1;
}

int is_mount_point(int fd, const struct stat *stat) {
  int untouched = S_ISDIR(stat->st_mode) ? (stat->st_mode & 07777) == 0755 && !stat->st_uid && !stat->st_gid
                                         : S_ISREG(stat->st_mode) && !stat->st_size;
  return untouched && getxattr(name_of_fd(fd).text, TARGET_MARK, NULL, 0) >= 0;
}

int same_directory(const struct stat *a, const struct stat *b) {
  return a->st_mode == b->st_mode && a->st_uid == b->st_uid && a->st_gid == b->st_gid &&
         a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

void free_xattrs(struct xattrs *xattrs) {
  for (size_t i = 0; i < xattrs->count; i++) {
    free(xattrs->list[i].name);
    free(xattrs->list[i].value);
  }
  free(xattrs->list);
  *xattrs = (struct xattrs){0};
}

void read_flags(int fd, char flags[3]) {
  int bits = 0;
  flags[0] = 0;
  if (ioctl(fd, FS_IOC_GETFLAGS, &bits) < 0) return;
  if (bits & FS_IMMUTABLE_FL) strcat(flags, "i");
  if (bits & FS_APPEND_FL) strcat(flags, "a");
}

int read_extents(int fd, const struct stat *stat, struct extent **extents, size_t *count, struct error *error) {
  *extents = NULL;
  *count = 0;
  if (stat->st_size <= 0 || (uint64_t)stat->st_blocks * 512 >= (uint64_t)stat->st_size) return 0;
  auto_free struct extent *list = NULL;
  size_t n = 0, room = 0;
  for (off_t at = 0; at < stat->st_size;) {
    off_t data = lseek(fd, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break; // only a hole follows
    if (data < 0) return 0;                // no such thing here: all of it is data
    if (data >= stat->st_size) break;
    off_t hole = n + 2 < MAX_EXTENTS ? lseek(fd, data, SEEK_HOLE) : stat->st_size;
    if (hole < 0 || hole > stat->st_size) hole = stat->st_size;
    if (hole <= data) break;
    if (n + 2 > room) {
      room = room ? room * 2 : 16;
      struct extent *grown = realloc(list, room * sizeof *list);
      if (!grown) return error_set(error, "internal", 0, "Out of memory.");
      list = grown;
    }
    list[n++] = (struct extent){(uint64_t)data, (uint64_t)(hole - data)};
    at = hole;
  }
  if (n == 1 && list[0].offset == 0 && list[0].length == (uint64_t)stat->st_size) return 0;
  if (!list && !(list = malloc(sizeof *list))) return error_set(error, "internal", 0, "Out of memory.");
  // GNU tar closes the map with an empty stretch at the end when a hole does.
  if (!n || list[n - 1].offset + list[n - 1].length < (uint64_t)stat->st_size)
    list[n++] = (struct extent){(uint64_t)stat->st_size, 0};
  *extents = list;
  list = NULL;
  *count = n;
  return 0;
}
