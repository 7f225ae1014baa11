// Owns PREPARE and its undoing: layers as partitions of one disk, the scratch disk, the overlay over both, the files
// that the engine provides. Layout, which the host's tools are told:
// RUN_ROOT/<id>/{layer/<n>,scratch/{upper,work},root,files/<n>}.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#include "agent.h"
#include "handle.h"
#include "loop.h"
#include "target.h"
#include "user.h"

#define READ_AHEAD_KIB "1024"

static const uint32_t erofs_magic = 0xe0f5e1e2;
enum { EROFS_SUPER_OFFSET = 1024, EROFS_BLOCK = 4096, METADATA_AHEAD = 128 << 10 };
enum { MAX_LAYERS = 200, MAX_FILES = 64, INHERIT_ROOT = 1, TAKE_SPARE = 2, KEEP_SPARE = 1 };

static int make_directory(struct error *error, const char *path) {
  return mkdir(path, 0700) && errno != EEXIST
             ? error_set(error, "internal", errno, "Could not make %s in the guest", path)
             : 0;
}

// The kernel reads what EROFS knows of its files block by block, and each is a request to the host: one for most that a
// start will look at comes first (4 of 115 ms of a whole `docker run`; measured). Where it begins stands in the
// superblock (fs/erofs/erofs_fs.h), which the mount has read already. Who can't have it ahead reads it later.
static void read_metadata_ahead(const char *device) {
  struct {
    uint32_t magic, unused[9], first_block;
  } super;
  auto_fd fd = open(device, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || pread(fd, &super, sizeof super, EROFS_SUPER_OFFSET) != sizeof super || super.magic != erofs_magic)
    return;
  posix_fadvise(fd, (off_t)super.first_block * EROFS_BLOCK, METADATA_AHEAD, POSIX_FADV_WILLNEED);
}

// Overlay keeps the mount point's mode nowhere, but tools look: root directories are 0755.
static int mount_layer(const char *disk, unsigned number, const char *at, struct error *error) {
  char device[DISK_PATH];
  if (partition_node(disk, number, device, error)) return -1;
  if (mount(device, at, "erofs", MS_RDONLY | MS_NOATIME, NULL))
    return error_set(error, "sandbox-failed", errno, "Could not mount layer %u in the guest", number);
  read_metadata_ahead(device);
  return 0;
}

// A request to the host costs more than the bytes that come with it.
static int read_ahead(const char *disk, struct error *error) {
  char path[64];
  snprintf(path, sizeof path, "/sys/block/%s/queue/read_ahead_kb", disk);
  return file_write(path, READ_AHEAD_KIB, strlen(READ_AHEAD_KIB), error);
}

static int mount_layers(struct guest *g, struct tlv list, char *lower, size_t size, struct error *error) {
  char path[256];
  size_t at = 0, used = 0;
  int tag, r;
  struct tlv value;
  unsigned count = 0;
  while ((r = tlv_next(list, &at, &tag, &value)) == 1) {
    if (tag != TAG_PARTITION) continue;
    if (++count > MAX_LAYERS)
      return error_set(error, "unsupported", 0, "A container in a VM can have at most %d layers", MAX_LAYERS);
    if (partition_add(g->layer_disk, count, tlv_get_number(value, TAG_OFFSET, -1),
                      tlv_get_number(value, TAG_LENGTH, -1), error))
      return -1;
    g->partitions = count;
    snprintf(path, sizeof path, "%s/layer/%u", g->directory, count);
    if (make_directory(error, path) || mount_layer(g->layer_disk, count, path, error)) return -1;
  }
  if (r) return error_set(error, "invalid-argument", 0, "PREPARE cannot be read");
  // LAYER* names partitions, top first. The overlay is mounted from within layer/, which keeps its options short.
  for (at = 0; tlv_next(list, &at, &tag, &value) == 1;) {
    if (tag != TAG_LAYER) continue;
    auto_free char *text = tlv_dup(value);
    unsigned long number = text ? strtoul(text, NULL, 10) : 0;
    if (number < 1 || number > count) return error_set(error, "invalid-argument", 0, "A layer is on no partition");
    used += (size_t)snprintf(lower + used, size - used, "%s%lu", used ? ":" : "", number);
    if (used >= size - 16) return error_set(error, "unsupported", 0, "The container has too many layers");
  }
  if (!used) { // an image without layers: an empty one below
    snprintf(path, sizeof path, "%s/layer/none", g->directory);
    snprintf(lower, size, "none");
    return make_directory(error, path) || chmod(path, 0755) ? -1 : 0;
  }
  return 0;
}

// The upper directory's mode, owner and time are those of the container's `/`.
static int make_upper(struct guest *g, const char *lower, bool inherit, bool spare, struct error *error) {
  char path[256], fresh[256], top[256];
  snprintf(path, sizeof path, "%s/scratch/upper", g->directory);
  snprintf(fresh, sizeof fresh, "%s/scratch/upper.new", g->directory);
  snprintf(top, sizeof top, "%s/layer/%.*s", g->directory, (int)strcspn(lower, ":"), lower);
  // A spare disk's is there, and is right unless it is to be like the top layer's root.
  if (!access(path, F_OK)) {
    if (!spare || !inherit) return 0;
    if (rename(path, fresh))
      return error_set(error, "internal", errno, "Could not make the container's writable layer in the guest");
  }
  struct stat st = {.st_mode = 0755};
  if (inherit && stat(top, &st))
    return error_set(error, "internal", errno, "Could not read the top layer's root in the guest");
  struct timespec times[2] = {st.st_atim, st.st_mtim};
  // Under another name until it is right: a VM that dies in between must not leave it half made.
  if (make_directory(error, fresh)) return -1;
  if (chown(fresh, st.st_uid, st.st_gid) || chmod(fresh, st.st_mode & 07777) ||
      (inherit && utimensat(AT_FDCWD, fresh, times, 0)) || rename(fresh, path))
    return error_set(error, "internal", errno, "Could not make the container's writable layer in the guest");
  return 0;
}

static int mount_scratch(struct guest *g, const char *serial, const char *lower, int flags, struct error *error) {
  char path[256];
  snprintf(path, sizeof path, "%s/scratch", g->directory);
  if (flags & TAKE_SPARE ? spare_take(path, error) : scratch_mount(serial, path, error)) return -1;
  if (make_upper(g, lower, flags & INHERIT_ROOT, flags & TAKE_SPARE, error)) return -1;
  snprintf(path, sizeof path, "%s/scratch/work", g->directory);
  return make_directory(error, path);
}

static int mount_overlay(struct guest *g, const char *lower, struct error *error) {
  char root[256], below[256], options[4000];
  snprintf(root, sizeof root, "%s/root", g->directory);
  snprintf(below, sizeof below, "%s/layer", g->directory);
  if (make_directory(error, root)) return -1;
  // The same explicit switches as on the host: a layer means the same under both isolations.
  int n = snprintf(
      options, sizeof options,
      "lowerdir=%s,upperdir=../scratch/upper,workdir=../scratch/work,redirect_dir=off,metacopy=off,index=off", lower);
  if (n >= (int)sizeof options) return error_set(error, "unsupported", 0, "The container has too many layers");
  if (chdir(below)) return error_set(error, "internal", errno, "Could not enter the layers");
  int failed =
      mount("overlay", root, "overlay", 0, options)
          ? error_set(error, "sandbox-failed", errno, "Could not mount the container's file system in the guest")
          : 0;
  return chdir("/") || failed ? -1 : 0;
}

static int provide_files(struct guest *g, struct tlv list, struct error *error) {
  char path[256];
  snprintf(path, sizeof path, "%s/files", g->directory);
  if (make_directory(error, path) || !(g->files = calloc(MAX_FILES, sizeof *g->files))) return -1;
  size_t at = 0;
  int tag, r;
  struct tlv value, data;
  while ((r = tlv_next(list, &at, &tag, &value)) == 1) {
    if (tag != TAG_FILE) continue;
    auto_free char *inside = tlv_get_string(value, TAG_PATH);
    if (g->file_count == MAX_FILES || !inside || tlv_find(value, TAG_DATA, &data) != 1)
      return error_set(error, "invalid-argument", 0, "A provided file is not valid");
    snprintf(path, sizeof path, "%s/files/%zu", g->directory, g->file_count);
    mode_t mode = (mode_t)tlv_get_number(value, TAG_MODE, 0644) & 07777;
    auto_fd fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0 || write(fd, data.data, data.length) != (ssize_t)data.length || fchmod(fd, mode))
      return error_set(error, "internal", errno, "Could not write a provided file in the guest");
    g->files[g->file_count++] = inside;
    inside = NULL;
  }
  return r;
}

// PATH*: directories that are there whatever the image has.
static int make_places(const struct guest *g, struct tlv list, struct error *error) {
  char path[256];
  snprintf(path, sizeof path, "%s/root", g->directory);
  auto_fd root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  size_t at = 0;
  int tag, r;
  struct tlv value;
  if (root < 0) return error_set(error, "internal", errno, "Could not open the container's file system");
  while ((r = tlv_next(list, &at, &tag, &value)) == 1) {
    if (tag != TAG_PATH) continue;
    auto_free char *place = tlv_dup(value);
    auto_fd made = place ? target_open(root, place, TARGET_DIRECTORY, TARGET_MOUNT_POINT, error) : -1;
    if (made < 0) return place ? -1 : error_set(error, "invalid-argument", 0, "A directory is not valid");
  }
  return r;
}

static int prepare(struct container *c, struct tlv list, struct error *error) {
  if (!word_is_plain(c->id)) return error_set(error, "invalid-argument", 0, "The container's id is not valid");
  struct guest *g = calloc(1, sizeof *g);
  if (!g || asprintf(&g->directory, RUN_ROOT "/%s", c->id) < 0)
    return error_set(error, "internal", ENOMEM, "Could not prepare the container");
  c->user = g;
  auto_free char *layers = tlv_get_string(list, TAG_SOURCE);
  auto_free char *scratch = tlv_get_string(list, TAG_DISK);
  if (!layers || !scratch) return error_set(error, "invalid-argument", 0, "PREPARE names no disks");
  char lower[2048], path[256];
  snprintf(path, sizeof path, "%s/layer", g->directory);
  if (make_directory(error, g->directory) || make_directory(error, path)) return -1;
  if (disk_find(layers, g->layer_disk, error) || read_ahead(g->layer_disk, error) ||
      mount_layers(g, list, lower, sizeof lower, error))
    return -1;
  if (mount_scratch(g, scratch, lower, (int)tlv_get_number(list, TAG_FLAGS, 0), error) ||
      mount_overlay(g, lower, error))
    return -1;
  return make_places(g, list, error) || provide_files(g, list, error) ? -1 : 0;
}

static int resolve(const struct guest *g, struct tlv list, struct tlv_writer *reply, struct error *error) {
  char path[256];
  snprintf(path, sizeof path, "%s/root", g->directory);
  auto_fd root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) return error_set(error, "internal", errno, "Could not open the container's file system");
  auto_free char *form = tlv_get_string(list, TAG_USER);
  struct user user = {0};
  if (user_resolve(root, form ? form : "", &user, error)) return -1;
  tlv_string(reply, TAG_ROOTFS, path);
  user_write(reply, &user);
  user_free(&user);
  return 0;
}

void on_prepare(struct request *r) {
  struct error error = {.code = "internal", .message = "Could not prepare the container in the guest"};
  struct tlv_writer reply = {0};
  if (!r->container->user && !prepare(r->container, r->payload, &error) &&
      !resolve(r->container->user, r->payload, &reply, &error)) {
    request_reply(r, &reply);
    return;
  }
  tlv_free(&reply);
  guest_forget(r->container, false, NULL);
  request_fail(r, &error);
}

void on_resolve_user(struct request *r) {
  struct error error;
  struct tlv_writer reply = {0};
  if (!r->container || !r->container->user) {
    request_failf(r, "container-not-found", 0, "No such container in the guest.");
    return;
  }
  if (!resolve(r->container->user, r->payload, &reply, &error)) request_reply(r, &reply);
  else request_fail(r, &error);
}

static void remove_tree(const char *directory) {
  auto_dir d = opendir(directory);
  struct dirent *e;
  while (d && (e = readdir(d))) {
    if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
    if (e->d_type != DT_DIR) {
      unlinkat(dirfd(d), e->d_name, 0);
      continue;
    }
    char path[600];
    // rmdir of what is still mounted fails, and nothing below a mount is touched: only our own tmpfs is walked.
    snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
    struct statfs s;
    if (!statfs(path, &s) && s.f_type == 0x01021994) remove_tree(path);
  }
  rmdir(directory);
}

int guest_forget(struct container *c, bool keep_spare, struct error *error) {
  struct guest *g = c->user;
  if (!g) return 0;
  c->user = NULL;
  if (g->cgroup) cgroup_remove(g->cgroup);
  char path[256];
  snprintf(path, sizeof path, "%s/root", g->directory);
  umount2(path, 0);
  snprintf(path, sizeof path, "%s/scratch", g->directory);
  int failed = keep_spare ? spare_give_back(path, error) : 0;
  if (!keep_spare) umount2(path, 0);
  for (unsigned n = 1; n <= g->partitions; n++) {
    snprintf(path, sizeof path, "%s/layer/%u", g->directory, n);
    umount2(path, 0);
  }
  if (g->layer_disk[0]) partitions_remove(g->layer_disk, g->partitions);
  remove_tree(g->directory);
  for (size_t i = 0; i < g->file_count; i++) free(g->files[i]);
  free(g->files);
  free(g->cgroup);
  free(g->directory);
  free(g);
  return failed;
}

void on_remove(struct request *r) {
  struct error error;
  bool keep = tlv_get_number(r->payload, TAG_FLAGS, 0) & KEEP_SPARE;
  if (r->container && guest_forget(r->container, keep, &error)) request_fail(r, &error);
  else request_ok(r);
}
