// The backend for process isolation: containers of the host's kernel, run by an OCI runtime in the supervisor's own
// namespaces.
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "handle.h"
#include "launch.h"
#include "mounts.h"
#include "netif.h"
#include "target.h"
#include "user.h"

enum { EVERY_PROCESS = 1, SHUTDOWN_LIMIT_MS = 10000 };

static struct request *shutting_down;
static struct timer shutdown_limit;

static void on_configure(struct request *r) {
  struct error error = {0};
  if (apply_host_settings(r->payload, &error) != 0) return request_fail(r, &error);
  request_ok(r);
}

static void on_network(struct request *r) {
  struct error error = {0};
  if (netif_configure(r->payload, &error) != 0) return request_fail(r, &error);
  request_ok(r);
}

static int open_root(const struct host_container *h, struct error *error) {
  int root = open(h->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
  return root >= 0 ? root : error_set(error, "internal", errno, "cannot open the root file system");
}

static int reply_user(struct request *r, struct tlv_writer *w, struct error *error) {
  struct host_container *h = host_container(r->container);
  auto_free char *form = tlv_get_string(r->payload, TAG_USER);
  auto_fd root = open_root(h, error);
  struct user user;
  if (root < 0) return -1;
  if (user_resolve(root, form ? form : "", &user, error) != 0) return -1;
  user_write(w, &user);
  user_free(&user);
  return 0;
}

static void host_free(struct container *c) {
  struct host_container *h = c->user;
  if (!h) return;
  log_close(h->log);
  if (h->mounted) rootfs_unmount(h->rootfs);
  free(h->oom_file);
  free(h->cgroup);
  free(h);
  c->user = NULL;
}

// A tmpfs has the mode of the directory that it lies over; on one that was made for it, that of /tmp.
static int make_temporary(int root, const char *path, struct tlv_writer *w, struct error *error) {
  struct stat s;
  auto_fd place = target_open(root, path, TARGET_DIRECTORY, TARGET_MOUNT_POINT, error);
  if (place < 0) return -1;
  if (fstat(place, &s) != 0) return error_set(error, "internal", errno, "cannot look at %s", path);
  bool made = getxattr(fd_path(place).text, TARGET_MARK, NULL, 0) >= 0;
  tlv_number(w, TAG_MODE, made ? 01777 : s.st_mode & 07777);
  return 0;
}

static int make_place(int root, int tag, struct tlv value, struct tlv_writer *w, struct error *error) {
  if (tag != TAG_FILE && tag != TAG_MOUNT && tag != TAG_PATH && tag != TAG_CWD) return 0;
  auto_free char *path = tag == TAG_FILE || tag == TAG_MOUNT ? tlv_get_string(value, TAG_PATH) : tlv_dup(value);
  if (!path) return error_set(error, "invalid-argument", 0, "A place in the container has no path.");
  if (tag == TAG_MOUNT) return make_temporary(root, path, w, error);
  if (tag == TAG_CWD) return target_make_working_directory(root, path, error);
  auto_fd place = target_open(root, path, tag == TAG_FILE ? TARGET_FILE : TARGET_DIRECTORY, TARGET_MOUNT_POINT, error);
  return place < 0 ? -1 : 0;
}

// What the runtime mounts on, made before it would: then it does not count as a change of the container's, and no
// symlink of an image's leads the runtime astray. Nothing is to be mounted where files alone are looked at.
static int make_places(const struct host_container *h, struct tlv request, struct tlv_writer *w, struct error *error) {
  size_t at = 0;
  int tag, r;
  struct tlv value;
  auto_fd root = -1;
  if (tlv_find(request, TAG_FILE, &value) != 1) return 0;
  if ((root = open_root(h, error)) < 0 || target_make_kernel_places(root, error) != 0) return -1;
  while ((r = tlv_next(request, &at, &tag, &value)) == 1)
    if (make_place(root, tag, value, w, error) != 0) return -1;
  return r == 0 ? 0 : error_set(error, "invalid-argument", 0, "The list of provided files cannot be read.");
}

static int prepare(struct request *r, struct tlv_writer *w, struct error *error) {
  struct host_container *h = calloc(1, sizeof *h);
  if (!h) return error_set(error, "internal", ENOMEM, "cannot prepare the container");
  r->container->user = h;
  int n = snprintf(h->rootfs, sizeof h->rootfs, "%s/rootfs.%s", plan.directory, r->container->id);
  if (n < 0 || (size_t)n >= sizeof h->rootfs || strchr(r->container->id, '/'))
    return error_set(error, "invalid-argument", 0, "The container's id is not valid.");
  exit_file_remove(r->container->id);
  if (mkdir(h->rootfs, 0700) != 0 && errno != EEXIST)
    return error_set(error, "internal", errno, "cannot make %s", h->rootfs);
  if (rootfs_mount(r->payload, h->rootfs, error) != 0) return -1;
  h->mounted = true;
  if (make_places(h, r->payload, w, error) != 0) return -1;
  if (!(h->log = log_open(r->payload, error)) && error->code[0]) return -1;
  tlv_string(w, TAG_ROOTFS, h->rootfs);
  return reply_user(r, w, error);
}

static void on_prepare(struct request *r) {
  struct error error = {0};
  struct tlv_writer w = {0};
  if (prepare(r, &w, &error) == 0) return request_reply(r, &w);
  tlv_free(&w);
  host_free(r->container);
  request_fail(r, &error);
}

static void on_resolve_user(struct request *r) {
  struct error error = {0};
  struct tlv_writer w = {0};
  if (!r->container->user) return request_failf(r, "container-not-found", 0, "The container was not prepared.");
  if (reply_user(r, &w, &error) == 0) return request_reply(r, &w);
  tlv_free(&w);
  request_fail(r, &error);
}

static void on_start(struct request *r) {
  struct host_container *h = host_container(r->container);
  struct error error = {0};
  auto_fd root = open_root(h, &error);
  // Once more, whatever was prepared: the runtime is asked for nothing that an image could lead out of its root.
  if (root < 0 || target_make_kernel_places(root, &error) != 0) return request_fail(r, &error);
  free(h->oom_file);
  free(h->cgroup);
  h->oom_file = tlv_get_string(r->payload, TAG_OOM_FILE);
  h->cgroup = tlv_get_string(r->payload, TAG_CGROUP);
  // Before the runtime runs: what it starts may be out of memory before it tells us of it.
  h->oom_before = oom_kills(h->oom_file);
  runtime_start(r);
}

// Without the runtime, which would do the same a few times slower: the supervisor has all that it takes.
static void on_exec(struct request *r) {
  struct error error = {0};
  struct process *init = r->container ? r->container->main : NULL;
  if (!init || init->state != PROCESS_RUNNING)
    return request_failf(r, "container-not-running", 0, "The container is not running.");
  if (groups_entered(&error) != 0) return request_fail(r, &error);
  char **cgroups = tlv_get_strings(r->payload, TAG_CGROUP, NULL);
  // In none it would run without the container's limits.
  if (!cgroups || !cgroups[0]) request_failf(r, "invalid-argument", 0, "EXEC names no control group.");
  else launch_beside(r, init->pid, cgroups);
  strings_free(cgroups);
}

static void on_tool(struct request *r) {
  struct error error = {0};
  struct stdio_ends ends = {-1, -1, -1};
  char **argv = tlv_get_strings(r->payload, TAG_ARG, NULL);
  struct spawn s = {.argv = argv};
  pid_t pid = -1;
  if (!argv || !argv[0]) error_set(&error, "invalid-argument", 0, "No tool was named.");
  else if (stdio_pipes(r->process, false, &ends, &error) == 0) {
    s.in = ends.in, s.out = ends.out, s.err = ends.err;
    pid = spawn(&s, &error);
  }
  stdio_ends_close(&ends);
  strings_free(argv);
  if (pid < 0) return request_fail(r, &error);
  request_started(r, pid);
}

// A process that forks while it is looked for is found in the next round.
static void signal_cgroup(const char *path, int signal) {
  char file[PATH_MAX];
  snprintf(file, sizeof file, "%s/cgroup.procs", path);
  auto_file f = fopen(file, "re");
  for (int pid; f && fscanf(f, "%d", &pid) == 1;)
    if (pid > 1) kill(pid, signal);
  auto_dir dir = opendir(path);
  for (struct dirent *e; dir && (e = readdir(dir));) {
    if (e->d_type != DT_DIR || e->d_name[0] == '.') continue;
    snprintf(file, sizeof file, "%s/%s", path, e->d_name);
    signal_cgroup(file, signal);
  }
}

static void on_signal(struct request *r) {
  int signal = (int)tlv_get_number(r->payload, TAG_SIGNAL, 0);
  struct host_container *h = host_container(r->container);
  if (tlv_get_number(r->payload, TAG_FLAGS, 0) & EVERY_PROCESS) {
    if (!h->cgroup) return request_failf(r, "unsupported", 0, "The container's control group is not known.");
    signal_cgroup(h->cgroup, signal);
  } else if (kill(r->process->pid, signal) != 0 && errno != ESRCH)
    return request_failf(r, "internal", errno, "cannot send a signal");
  request_ok(r);
}

static void on_remove(struct request *r) {
  if (r->container) {
    host_free(r->container);
    exit_file_remove(r->container->id);
  }
  request_ok(r);
}

static bool any_running(void) {
  for (struct container *c = service_containers(); c; c = c->next)
    if (c->main->state == PROCESS_RUNNING) return true;
  return false;
}

static void finish_shutdown(void) {
  if (!shutting_down) return;
  sandbox_kill();
  request_ok(shutting_down);
  shutting_down = NULL;
  conversation_end_all(LAST_WORDS_MS);
}

static void shutdown_late(struct timer *t) {
  (void)t;
  finish_shutdown();
}

static void on_shutdown(struct request *r) {
  if (shutting_down) return request_failf(r, "conflict", 0, "The sandbox is already being shut down.");
  shutting_down = r;
  sandbox_kill();
  if (!any_running()) return finish_shutdown();
  timer_start(&shutdown_limit, SHUTDOWN_LIMIT_MS, shutdown_late);
}

static void on_exiting(struct process *p) {
  if (p->exec_id) return;
  struct host_container *h = host_container(p->container);
  if (h) p->exit.oom_killed = oom_kills(h->oom_file) > h->oom_before;
  exit_file_write(p);
}

static void on_ended(struct process *p) {
  if (shutting_down && !p->exec_id && !any_running()) finish_shutdown();
}

static void on_output(struct process *p, int stream, const void *data, size_t length) {
  struct host_container *h = host_container(p->container);
  if (h && h->log) log_write(h->log, stream, data, length);
}

static const struct backend backend = {
    .configure = on_configure,
    .network = on_network,
    .prepare = on_prepare,
    .resolve_user = on_resolve_user,
    .start = on_start,
    .exec = on_exec,
    .tool = on_tool,
    .signal = on_signal,
    .remove = on_remove,
    .shutdown = on_shutdown,
    .exiting = on_exiting,
    .ended = on_ended,
    .output = on_output,
    .says_hello = true,
};

static int setup(struct error *error) {
  if (isolate_namespaces(error) != 0) return -1;
  return keeper_start(error);
}

const struct kind kind_process = {&backend, setup, runtime_child};
