#include "walk.h"
#include "handle.h"
#include "inode.h"
#include "names.h"
#include "root.h"
#include "tar-write.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>

// Each level holds two descriptors and some stack; PATH_MAX/2 levels is all that a path can name at once.
enum { MAX_DEPTH = 2048 };

// Directories of one path: those of the layers that become one, and those of what lies below them.
struct sides {
  struct stack layers, below;
};

// A directory of an upper layer that says nothing by itself: it is as the layers below have it, or was made to mount
// on. Its header is written before that of the first entry below it, if there comes one.
struct owed {
  struct owed *above;
  struct entry entry;
  char *path;
};

static int write_owed(struct walk *walk, struct owed *owed, struct error *error) {
  if (!owed) return 0;
  if (write_owed(walk, owed->above, error) < 0) return -1;
  return tar_header(walk->output, &owed->entry, error);
}

static int write_header(struct walk *walk, const struct entry *entry, struct error *error) {
  struct owed *owed = walk->owed;
  walk->owed = NULL;
  return write_owed(walk, owed, error) < 0 ? -1 : tar_header(walk->output, entry, error);
}

static int walk_level(struct walk *walk, const struct sides *sides, unsigned depth, struct error *error);

static char type_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR: return '5';
    case S_IFLNK: return '2';
    case S_IFCHR: return '3';
    case S_IFBLK: return '4';
    case S_IFIFO: return '6';
    default: return '0';
  }
}

static int copy_stretch(struct walk *walk, int fd, uint64_t offset, uint64_t length, struct error *error) {
  static char buffer[256 << 10];
  while (length) {
    ssize_t n = pread(fd, buffer, length < sizeof buffer ? length : sizeof buffer, (off_t)offset);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(error, "Could not read %s", walk->path.data);
    if (n == 0) { // shorter than it was: the header has promised so many
      while (length) {
        size_t part = length < sizeof buffer ? (size_t)length : sizeof buffer;
        if (output_zeroes(walk->output, part, error) < 0) return -1;
        length -= part;
      }
      return 0;
    }
    if (output_write(walk->output, buffer, (size_t)n, error) < 0) return -1;
    offset += (uint64_t)n;
    length -= (uint64_t)n;
  }
  return 0;
}

static int write_file(struct walk *walk, int fd, const struct stat *stat, struct entry *entry, struct error *error) {
  auto_fd file = open(name_of_fd(fd).text, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
  if (file < 0) return fail(error, "Could not open %s", walk->path.data);
  auto_free struct extent *extents = NULL;
  uint64_t size = entry->size;
  char flags[3] = "";
  if (walk->form == FORM_PRIVATE) {
    if (read_extents(file, stat, &extents, &entry->extent_count, error) < 0) return -1;
    read_flags(file, flags);
    if (!entry->flags && flags[0]) entry->flags = flags;
  }
  entry->extents = extents;
  if (write_header(walk, entry, error) < 0) return -1;
  if (!extents) return copy_stretch(walk, file, 0, size, error) < 0 ? -1 : tar_pad(walk->output, size, error);
  if (tar_sparse_map(walk->output, entry, error) < 0) return -1;
  size = 0;
  for (size_t i = 0; i < entry->extent_count; i++) {
    if (copy_stretch(walk, file, extents[i].offset, extents[i].length, error) < 0) return -1;
    size += extents[i].length;
  }
  return tar_pad(walk->output, size, error);
}

// A file of the OCI form whose name says what it means: `.wh.NAME` or `.wh..wh..opq`.
static int write_mark(struct walk *walk, const char *path, const struct entry *like, struct error *error) {
  struct entry mark = {.type = '0', .path = path, .uid = like->uid, .gid = like->gid, .mtime = like->mtime};
  return write_header(walk, &mark, error);
}

static int write_whiteout(struct walk *walk, struct entry *entry, struct error *error) {
  entry->mode = 0;
  if (walk->form == FORM_PRIVATE) {
    entry->type = '3';
    entry->whiteout = 1;
    entry->major = entry->minor = 0;
    return write_header(walk, entry, error);
  }
  const char *slash = strrchr(walk->path.data, '/');
  size_t parent = slash ? (size_t)(slash + 1 - walk->path.data) : 0;
  auto_bytes path = {0};
  bytes_add(&path, walk->path.data, parent);
  bytes_text(&path, ".wh.");
  bytes_text(&path, walk->path.data + parent);
  return path.failed ? error_set(error, "internal", 0, "Out of memory.") : write_mark(walk, path.data, entry, error);
}

// Whether a directory of an upper layer is there only because of what lies in it.
static int says_nothing(const struct walk *walk, int fd, const struct stat *stat, const struct sides *beneath,
                        const struct entry *entry, unsigned depth, struct error *error) {
  if (!walk->upper) return 0;
  if (depth && !beneath->below.count) return is_mount_point(fd, stat);
  if (entry->opaque) return 0;
  // A container's `/` is root's, 0755, unless it has that of a layer below. Docker's layers have none at all.
  if (!depth && (stat->st_mode & 07777) == 0755 && !stat->st_uid && !stat->st_gid && !entry->xattrs.count &&
      (walk->form == FORM_OCI || never_changed(fd, stat)))
    return 1;
  if (!beneath->below.count) return 0;
  struct stat lower;
  __attribute__((cleanup(free_xattrs))) struct xattrs old = {0};
  struct overlay_marks marks = {0};
  int below = beneath->below.fds[0];
  if (fstat(below, &lower) < 0) return fail(error, "Could not read the state of %s", walk->path.data);
  if (!depth && walk->form == FORM_OCI) lower.st_mtim = stat->st_mtim;
  if (!same_directory(stat, &lower)) return 0;
  if (read_xattrs(below, walk->form, &old, &marks, error) < 0) return -1;
  return same_xattrs(&entry->xattrs, &old);
}

static int write_directory(struct walk *walk, int fd, const struct stat *stat, const struct sides *beneath,
                           struct entry *entry, int covered, unsigned depth, struct error *error) {
  size_t length = walk->path.length;
  if (!length || walk->path.data[length - 1] != '/') bytes_add(&walk->path, "/", 1);
  if (walk->path.failed) return error_set(error, "internal", 0, "Out of memory.");
  entry->path = walk->path.data;
  char flags[3] = "";
  if (walk->form == FORM_PRIVATE && !entry->flags) {
    auto_fd dir = open(name_of_fd(fd).text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir >= 0) read_flags(dir, flags);
    if (flags[0]) entry->flags = flags;
  }
  int silent = entry->flags ? 0 : says_nothing(walk, fd, stat, beneath, entry, depth, error);
  if (silent < 0) return -1;
  int opaque = entry->opaque && !silent; // below a mount point that had to be made there was nothing to hide
  entry->opaque = opaque && walk->form == FORM_PRIVATE;
  auto_free char *path = silent ? strdup(entry->path) : NULL;
  struct owed owed = {walk->owed, *entry, path};
  owed.entry.path = path;
  if (silent && !path) return error_set(error, "internal", 0, "Out of memory.");
  if (silent) walk->owed = &owed;
  else if (write_header(walk, entry, error) < 0) return -1;
  if (walk->upper && !depth) bytes_cut(&walk->path, 0); // "./" is the root's own name only
  if (opaque && walk->form == FORM_OCI) {
    size_t whole = walk->path.length;
    bytes_text(&walk->path, ".wh..wh..opq");
    if (walk->path.failed) return error_set(error, "internal", 0, "Out of memory.");
    if (write_mark(walk, walk->path.data, entry, error) < 0) return -1;
    bytes_cut(&walk->path, whole);
  }
  if (!covered) {
    const struct stack *own = &beneath->layers;
    int fds[1 + own->count];
    fds[0] = fd;
    for (size_t i = 0; i < own->count; i++) fds[i + 1] = own->fds[i];
    struct sides merged = {.layers = {.fds = fds, .count = 1 + own->count}, .below = beneath->below};
    if (walk_level(walk, &merged, depth + 1, error) < 0) return -1;
  }
  if (walk->owed == &owed) walk->owed = owed.above;
  bytes_cut(&walk->path, length);
  return 0;
}

// Apart, so that its buffer isn't on the stack of every level of a deep tree.
__attribute__((noinline)) static int write_symlink(struct walk *walk, int fd, struct entry *entry,
                                                   struct error *error) {
  char target[PATH_MAX + 1];
  ssize_t n = readlinkat(fd, "", target, PATH_MAX);
  if (n < 0) return fail(error, "Could not read the symlink %s", walk->path.data);
  target[n] = 0;
  entry->link = target;
  return write_header(walk, entry, error);
}

static int write_inode(struct walk *walk, int fd, const struct sides *beneath, unsigned depth, struct xattrs *xattrs,
                       struct error *error) {
  struct stat stat;
  if (fstat(fd, &stat) < 0) return fail(error, "Could not read the state of %s", walk->path.data);
  int covered = 0;
  if (walk->one_mount && depth) {
    uint64_t mount;
    if (mount_id_of_fd(fd, &mount) < 0) return fail(error, "Could not determine the mount of %s", walk->path.data);
    covered = mount != walk->mount;
  }
  struct entry entry = {
      .type = type_of(stat.st_mode),
      .path = walk->path.data,
      .mode = stat.st_mode & 07777,
      .uid = stat.st_uid,
      .gid = stat.st_gid,
      .mtime = stat.st_mtim,
      .major = major(stat.st_rdev),
      .minor = minor(stat.st_rdev),
      .size = S_ISREG(stat.st_mode) && !covered ? (uint64_t)stat.st_size : 0,
  };
  if (entry.type != '3' && entry.type != '4') entry.major = entry.minor = 0;
  if (covered && entry.type != '5') { // a file to mount on
    entry.type = '0';
    return write_header(walk, &entry, error);
  }
  struct overlay_marks marks = {0};
  if (read_xattrs(fd, walk->form, xattrs, walk->upper ? &marks : NULL, error) < 0) return -1;
  entry.xattrs = *xattrs;
  if (walk->upper) {
    if ((S_ISCHR(stat.st_mode) && stat.st_rdev == 0) || (S_ISREG(stat.st_mode) && !stat.st_size && marks.whiteout)) {
      entry.xattrs = (struct xattrs){0};
      return write_whiteout(walk, &entry, error);
    }
    if (S_ISREG(stat.st_mode) && is_mount_point(fd, &stat)) return 0;
    entry.opaque = S_ISDIR(stat.st_mode) && (marks.opaque || beneath->layers.closed);
    if (walk->form == FORM_PRIVATE && marks.protected_flags[0]) entry.flags = marks.protected_flags;
  }
  if (S_ISSOCK(stat.st_mode)) {
    if (walk->form == FORM_OCI) return 0; // tar has no word for it, nor has Docker
    entry.socket = 1;
  }
  if (!S_ISDIR(stat.st_mode) && stat.st_nlink > 1) {
    const char *first;
    if (links_find(&walk->links, &stat, walk->path.data, &first, error) < 0) return -1;
    if (first) {
      entry.type = '1';
      entry.link = first;
      entry.size = 0;
      entry.socket = 0;
      entry.xattrs = (struct xattrs){0};
      return write_header(walk, &entry, error);
    }
  }
  switch (entry.type) {
    case '5': return write_directory(walk, fd, &stat, beneath, &entry, covered, depth, error);
    case '2': return write_symlink(walk, fd, &entry, error);
    case '0':
      if (!entry.socket) return write_file(walk, fd, &stat, &entry, error);
      return write_header(walk, &entry, error);
    default: return write_header(walk, &entry, error);
  }
}

static int walk_one(struct walk *walk, int fd, const struct sides *beneath, unsigned depth, struct error *error) {
  struct xattrs xattrs = {0};
  int result = write_inode(walk, fd, beneath, depth, &xattrs, error);
  free_xattrs(&xattrs);
  return result;
}

// What the sides show as `name`: the inode to write in *child, -1 for none, and what it is merged with.
static int look(const struct walk *walk, const struct sides *sides, const char *name, int *child, struct sides *beneath,
                struct error *error) {
  if (sides->layers.count == 1 && !walk->over) {
    *child = openat(sides->layers.fds[0], name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
    return *child < 0 && errno != ENOENT ? fail(error, "Could not open %s", walk->path.data)
                                         : 0;  // or it is gone meanwhile
  }
  if (stack_look(&sides->layers, name, child, &beneath->layers, error) < 0) return -1;
  if (*child < 0 || !walk->over) return 0;
  auto_fd below = -1;
  auto_stack more = {0};
  if (stack_look(&sides->below, name, &below, &more, error) < 0) return -1;
  struct stat upper, lower;
  if (fstat(*child, &upper) < 0 || (below >= 0 && fstat(below, &lower) < 0))
    return fail(error, "Could not read the state of %s", walk->path.data);
  int shown = below >= 0 && !is_whiteout(below, &lower);
  if (is_whiteout(*child, &upper) && !shown) {
    close(steal_fd(child));
    return 0;
  }
  if (!shown || !S_ISDIR(upper.st_mode) || !S_ISDIR(lower.st_mode) || beneath->layers.closed) return 0;
  if (stack_add(&beneath->below, steal_fd(&below), error) < 0) return -1;
  for (size_t i = 0; i < more.count; i++)
    if (stack_add(&beneath->below, steal_fd(&more.fds[i]), error) < 0) return -1;
  more.count = 0;
  return 0;
}

static void close_sides(struct sides *sides) {
  stack_close(&sides->layers);
  stack_close(&sides->below);
}

static int walk_level(struct walk *walk, const struct sides *sides, unsigned depth, struct error *error) {
  if (depth > MAX_DEPTH)
    return error_set(error, "unsupported", 0, "The tree is nested deeper than %d directories.", MAX_DEPTH);
  auto_names names = {0};
  for (size_t i = 0; i < sides->layers.count; i++)
    if (names_read(sides->layers.fds[i], &names, error) < 0) return -1;
  size_t length = walk->path.length;
  for (size_t i = 0; i < names.count; i++) {
    // Such a name can't be told from a mark of the OCI form.
    if (walk->upper && walk->form == FORM_OCI && strncmp(names.list[i], ".wh.", 4) == 0) continue;
    auto_fd child = -1;
    __attribute__((cleanup(close_sides))) struct sides beneath = {0};
    bytes_text(&walk->path, names.list[i]);
    if (walk->path.failed) return error_set(error, "internal", 0, "Out of memory.");
    if (look(walk, sides, names.list[i], &child, &beneath, error) < 0) return -1;
    if (child >= 0 && walk_one(walk, child, &beneath, depth, error) < 0) return -1;
    bytes_cut(&walk->path, length);
  }
  return 0;
}

int walk_inode(struct walk *walk, int fd, struct error *error) {
  struct sides nothing = {0};
  return walk_one(walk, fd, &nothing, 0, error);
}

int walk_merged(struct walk *walk, const struct stack *layers, const struct stack *over, struct error *error) {
  walk->over = over->count > 0;
  struct sides beneath = {.layers = {.fds = layers->fds + 1, .count = layers->count - 1}, .below = *over};
  return walk_one(walk, layers->fds[0], &beneath, 0, error);
}

int walk_below(struct walk *walk, int fd, struct error *error) {
  struct sides alone = {.layers = {.fds = &fd, .count = 1}};
  return walk_level(walk, &alone, 1, error);
}

void walk_free(struct walk *walk) {
  bytes_free(&walk->path);
  links_free(&walk->links);
}
