// unpack ROOT PATH [--no-overwrite-dir-non-dir] [--copy-uid-gid]: extracts the tar on stdin into the directory PATH, as
// Docker's `PUT archive` does. Every path is looked up from ROOT as `/`, so symlinks in it lead where they lead for the
// container. Owners are the archive's, with and without --copy-uid-gid: dockerd, too, changes no owner without it.
#include "bytes.h"
#include "handle.h"
#include "names.h"
#include "root.h"
#include "tar-read.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

// A directory whose time is set last: every entry made in it would change it.
struct late_time {
  char *path;
  struct timespec time;
};

struct unpack {
  int root;
  struct bytes base; // PATH, cleaned
  int keep_kinds;    // --no-overwrite-dir-non-dir
  struct late_time *late;
  size_t late_count, late_room;
  struct tar_reader *reader;
};

enum { MAX_DEPTH = 1024, MAX_DIRECTORIES = 1 << 20 };

static int remove_tree(int parent, const char *name, unsigned depth, struct error *error) {
  if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) return 0;
  if (errno != EISDIR && errno != EPERM) return fail(error, "Could not remove %s", name);
  auto_fd fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return fail(error, "Could not remove %s", name);
  if (depth == MAX_DEPTH)
    return error_set(error, "unsupported", 0, "A directory that is to be replaced is nested too deep.");
  auto_names names = {0};
  if (names_read(fd, &names, error) < 0) return -1;
  for (size_t i = 0; i < names.count; i++)
    if (remove_tree(fd, names.list[i], depth + 1, error) < 0) return -1;
  return unlinkat(parent, name, AT_REMOVEDIR) < 0 ? fail(error, "Could not remove %s", name) : 0;
}

// `out` becomes the cleaned path below the directory, without a leading slash; "" is the directory itself. `..` is
// refused.
static int clean(const char *path, struct bytes *out, struct error *error) {
  bytes_add(out, "", 0);
  for (const char *p = path; *p;) {
    size_t n = strcspn(p, "/");
    if (n == 2 && p[0] == '.' && p[1] == '.')
      return error_set(error, "invalid-argument", 0, "The archive's entry %s leads out of the directory by \"..\".",
                       path);
    if (n && !(n == 1 && *p == '.')) {
      if (out->length) bytes_add(out, "/", 1);
      bytes_add(out, p, n);
    }
    p += n + (p[n] == '/');
  }
  return out->failed ? error_set(error, "internal", 0, "Out of memory.") : 0;
}

static void full_path(const struct unpack *u, const char *path, size_t length, struct bytes *out) {
  bytes_add(out, u->base.data, u->base.length);
  bytes_add(out, "/", 1);
  bytes_add(out, path, length);
}

// The directory that holds `path`, made where it is missing; *name is its last component.
static int open_parent(struct unpack *u, const char *path, int make, const char **name, struct error *error) {
  const char *slash = strrchr(path, '/');
  *name = slash ? slash + 1 : path;
  auto_bytes whole = {0};
  full_path(u, path, slash ? (size_t)(slash - path) : 0, &whole);
  if (whole.failed) return error_set(error, "internal", 0, "Out of memory.");
  int fd = open_in_root(u->root, whole.data, O_PATH | O_DIRECTORY);
  if (fd >= 0 || errno != ENOENT || !make || !slash)
    return fd >= 0 ? fd : fail(error, "Could not open the directory of %s", path);
  auto_bytes above = {0};
  bytes_add(&above, path, (size_t)(slash - path));
  const char *last;
  auto_fd parent =
      above.failed ? error_set(error, "internal", 0, "Out of memory.") : open_parent(u, above.data, 1, &last, error);
  if (parent < 0) return -1;
  if (mkdirat(parent, last, 0755) < 0 && errno != EEXIST)
    return fail(error, "Could not make the directory of %s", path);
  fd = open_in_root(u->root, whole.data, O_PATH | O_DIRECTORY);
  return fd >= 0 ? fd : fail(error, "Could not open the directory of %s", path);
}

static int remember_time(struct unpack *u, const char *path, struct timespec time, struct error *error) {
  if (u->late_count == MAX_DIRECTORIES)
    return error_set(error, "unsupported", 0, "The archive holds more than %d directories.", MAX_DIRECTORIES);
  if (u->late_count == u->late_room) {
    size_t room = u->late_room ? u->late_room * 2 : 64;
    struct late_time *grown = realloc(u->late, room * sizeof *grown);
    if (!grown) return error_set(error, "internal", 0, "Out of memory.");
    u->late = grown;
    u->late_room = room;
  }
  char *copy = strdup(path);
  if (!copy) return error_set(error, "internal", 0, "Out of memory.");
  u->late[u->late_count++] = (struct late_time){copy, time};
  return 0;
}

// Owner, mode, attributes, time, of what `fd` (O_PATH) is. Mode and attributes come after the owner, whose change
// clears them.
static int dress(int fd, const struct entry *e, struct error *error) {
  struct fd_name name = name_of_fd(fd);
  if (fchownat(fd, "", e->uid, e->gid, AT_EMPTY_PATH) < 0) return fail(error, "Could not set the owner of %s", e->path);
  if (e->type != '2' && chmod(name.text, e->mode) < 0) return fail(error, "Could not set the mode of %s", e->path);
  for (size_t i = 0; i < e->xattrs.count; i++) {
    const struct xattr *x = &e->xattrs.list[i];
    if (!strncmp(x->name, "trusted.overlay.", 16))
      return error_set(error, "invalid-argument", 0,
                       "The archive's entry %s carries the attribute %s, which is not allowed.", e->path, x->name);
    // Labels and hashes belong to the machine that made them.
    if (strncmp(x->name, "user.", 5) && strncmp(x->name, "trusted.", 8) && strncmp(x->name, "system.posix_acl_", 17) &&
        strcmp(x->name, "security.capability"))
      continue;
    if (setxattr(name.text, x->name, x->value, x->length, 0) < 0 && errno != EOPNOTSUPP && errno != EPERM)
      return fail(error, "Could not set the attribute %s of %s", x->name, e->path);
  }
  struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, e->mtime};
  if (utimensat(fd, "", times, AT_EMPTY_PATH) == 0) return 0;
  // Kernels before 5.8 know no empty path here.
  if (e->type != '2' && utimensat(AT_FDCWD, name.text, times, 0) < 0)
    return fail(error, "Could not set the time of %s", e->path);
  return 0;
}

static int make_file(struct unpack *u, int parent, const char *name, struct error *error) {
  auto_fd fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return fail(error, "Could not make %s", u->reader->entry.path);
  static char buffer[256 << 10];
  ssize_t n;
  while ((n = tar_read(u->reader, buffer, sizeof buffer, error)) > 0) {
    for (ssize_t done = 0; done < n;) {
      ssize_t w = write(fd, buffer + done, (size_t)(n - done));
      if (w < 0 && errno == EINTR) continue;
      if (w < 0) return fail(error, "Could not write %s", u->reader->entry.path);
      done += w;
    }
  }
  if (n < 0) return -1;
  return dress(fd, &u->reader->entry, error);
}

static int make_link(struct unpack *u, int parent, const char *name, const struct entry *e, struct error *error) {
  auto_bytes target = {0};
  const char *last;
  if (clean(e->link, &target, error) < 0) return -1;
  auto_fd from = open_parent(u, target.data, 0, &last, error);
  if (from < 0) return -1;
  return linkat(from, last, parent, name, 0) < 0 ? fail(error, "Could not link %s to %s", e->path, e->link) : 0;
}

static int make_inode(struct unpack *u, int parent, const char *name, const struct entry *e, struct error *error) {
  int made = 0;
  switch (e->type) {
    case '0': return make_file(u, parent, name, error);
    case '1': return make_link(u, parent, name, e, error);
    case '2': made = symlinkat(e->link, parent, name); break;
    case '3': made = mknodat(parent, name, S_IFCHR | 0600, makedev(e->major, e->minor)); break;
    case '4': made = mknodat(parent, name, S_IFBLK | 0600, makedev(e->major, e->minor)); break;
    case '5': made = mkdirat(parent, name, 0700) < 0 && errno != EEXIST ? -1 : 0; break;
    case '6': made = mknodat(parent, name, S_IFIFO | 0600, 0); break;
    default: return error_set(error, "unsupported", 0, "The archive's entry %s has an unknown type.", e->path);
  }
  if (made < 0) return fail(error, "Could not make %s", e->path);
  auto_fd fd = openat(parent, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat stat;
  if (fd < 0 || fstat(fd, &stat) < 0) return fail(error, "Could not open %s", e->path);
  // Somebody in the container may have swapped it meanwhile: never change what wasn't made here.
  mode_t kind = stat.st_mode & S_IFMT;
  mode_t wanted = e->type == '2'   ? S_IFLNK
                  : e->type == '3' ? S_IFCHR
                  : e->type == '4' ? S_IFBLK
                  : e->type == '5' ? S_IFDIR
                                   : S_IFIFO;
  if (kind != wanted) return error_set(error, "conflict", 0, "%s was changed while it was being unpacked.", e->path);
  return dress(fd, e, error);
}

static int unpack_entry(struct unpack *u, const struct entry *e, struct error *error) {
  auto_bytes path = {0};
  if (clean(e->path, &path, error) < 0) return -1;
  if (!path.length) { // the directory itself: dockerd leaves it as it is
    if (e->type != '5')
      return error_set(error, "invalid-argument", 0, "The archive's entry %s names the directory itself.", e->path);
    return 0;
  }
  const char *name;
  auto_fd parent = open_parent(u, path.data, 1, &name, error);
  if (parent < 0) return -1;
  struct stat old;
  if (fstatat(parent, name, &old, AT_SYMLINK_NOFOLLOW) == 0) {
    int is = S_ISDIR(old.st_mode), becomes = e->type == '5';
    if (u->keep_kinds && is && !becomes)
      return error_set(error, "invalid-argument", 0, "Cannot overwrite directory \"%s\" with non-directory.",
                       path.data);
    if (u->keep_kinds && !is && becomes)
      return error_set(error, "invalid-argument", 0, "Cannot overwrite non-directory \"%s\" with directory.",
                       path.data);
    if (!(is && becomes) && remove_tree(parent, name, 0, error) < 0) return -1;
  } else if (errno != ENOENT) {
    return fail(error, "Could not look up %s", path.data);
  }
  if (make_inode(u, parent, name, e, error) < 0) return -1;
  return e->type == '5' ? remember_time(u, path.data, e->mtime, error) : 0;
}

static void set_late_times(struct unpack *u) {
  for (size_t i = u->late_count; i-- > 0;) {
    auto_bytes whole = {0};
    full_path(u, u->late[i].path, strlen(u->late[i].path), &whole);
    struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, u->late[i].time};
    auto_fd fd = whole.failed ? -1 : open_in_root(u->root, whole.data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    if (fd >= 0) futimens(fd, times); // one that a later entry replaced has no time of its own to set
  }
}

static int unpack_all(struct unpack *u, struct error *error) {
  int r;
  while ((r = tar_next(u->reader, error)) == 1)
    if (unpack_entry(u, &u->reader->entry, error) < 0) return -1;
  if (r < 0) return -1;
  set_late_times(u);
  tar_drain(u->reader);
  return 0;
}

int unpack_verb(int count, char **words, struct error *error) {
  static struct tar_reader reader;
  struct unpack u = {.reader = &reader};
  if (count < 2) return error_set(error, "invalid-argument", 0, "unpack takes ROOT and PATH.");
  for (int i = 2; i < count; i++) {
    if (!strcmp(words[i], "--no-overwrite-dir-non-dir")) u.keep_kinds = 1;
    else if (strcmp(words[i], "--copy-uid-gid"))
      return error_set(error, "invalid-argument", 0, "unpack has no option %s.", words[i]);
  }
  auto_fd root = u.root = open_root(words[0], error);
  if (root < 0) return -1;
  auto_wanted wanted = {0};
  if (want_path(words[1], &wanted, error) < 0) return -1;
  auto_fd directory = open_in_root(root, wanted.clean, O_PATH);
  struct stat stat;
  if (directory < 0) return fail(error, "Could not find the path %s in the container", wanted.clean);
  if (fstat(directory, &stat) < 0 || !S_ISDIR(stat.st_mode))
    return error_set(error, "invalid-argument", 0, "The extraction point %s is not a directory.", wanted.clean);
  bytes_text(&u.base, wanted.clean);
  int result = u.base.failed ? error_set(error, "internal", 0, "Out of memory.") : unpack_all(&u, error);
  for (size_t i = 0; i < u.late_count; i++) free(u.late[i].path);
  free(u.late);
  bytes_free(&u.base);
  tar_free(&reader);
  return result;
}
