// Owns the guest's cgroups (always version 2): one per container, below the root. The agent itself stays in the root.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "agent.h"
#include "handle.h"
#include "loop.h"

enum { CGROUP_WAIT_MS = 5000 };

int cgroups_init(struct error *error) {
  if (mount("cgroup2", CGROUP_ROOT, "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
    return error_set(error, "internal", errno, "Could not mount the guest's cgroups");
  auto_free char *controllers = file_read(CGROUP_ROOT "/cgroup.controllers");
  char *rest = controllers;
  for (char *name; rest && (name = strsep(&rest, " \n"));) {
    char word[64];
    if (!*name) continue;
    int n = snprintf(word, sizeof word, "+%s", name);
    // A controller that can't be given on is missed when a limit asks for its file.
    if (file_write(CGROUP_ROOT "/cgroup.subtree_control", word, (size_t)n, NULL)) continue;
  }
  return 0;
}

int cgroup_make(const char *name, char **directory, struct error *error) {
  if (!word_is_plain(name)) return error_set(error, "invalid-argument", 0, "The name of a cgroup is not valid");
  if (asprintf(directory, CGROUP_ROOT "/%s", name) < 0)
    return error_set(error, "internal", ENOMEM, "Could not make a cgroup");
  if (mkdir(*directory, 0755) && errno != EEXIST)
    return error_set(error, "internal", errno, "Could not make the container's cgroup");
  return 0;
}

int cgroup_apply(const char *directory, struct tlv list, struct error *error) {
  auto_fd fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return error_set(error, "internal", errno, "Could not open the container's cgroup");
  size_t at = 0;
  int tag, r;
  struct tlv value;
  while ((r = tlv_next(list, &at, &tag, &value)) == 1) {
    if (tag != TAG_CGROUP_SET) continue;
    auto_free char *name = tlv_get_string(value, TAG_PATH);
    struct tlv text;
    if (!name || !word_is_plain(name) || tlv_find(value, TAG_VALUE, &text) != 1)
      return error_set(error, "invalid-argument", 0, "A limit is not valid");
    if (file_write_at(fd, name, text.data, text.length, error)) return -1;
  }
  return r;
}

static unsigned long event_count(const char *directory, const char *file, const char *key) {
  char path[300];
  snprintf(path, sizeof path, "%s/%s", directory, file);
  auto_free char *text = file_read(path);
  size_t n = strlen(key);
  for (char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL)
    if (!strncmp(line, key, n) && line[n] == ' ') return strtoul(line + n, NULL, 10);
  return 0;
}

unsigned long cgroup_oom_kills(const char *directory) { return event_count(directory, "memory.events", "oom_kill"); }

int cgroup_freeze(const char *directory, bool frozen, struct error *error) {
  char path[300];
  snprintf(path, sizeof path, "%s/cgroup.freeze", directory);
  if (file_write(path, frozen ? "1" : "0", 1, error)) return -1;
  snprintf(path, sizeof path, "%s/cgroup.events", directory);
  auto_fd events = open(path, O_RDONLY | O_CLOEXEC);
  for (int64_t end = monotonic_ms() + CGROUP_WAIT_MS;
       event_count(directory, "cgroup.events", "frozen") != (frozen ? 1u : 0u);) {
    char ignored[256];
    int64_t left = end - monotonic_ms();
    if (left <= 0)
      return error_set(error, "internal", ETIMEDOUT, "The container's processes did not %s",
                       frozen ? "pause" : "resume");
    struct pollfd p = {.fd = events, .events = POLLPRI};
    // Reading arms the next notification; it may have come between count and read, so it is looked at again soon.
    if (pread(events, ignored, sizeof ignored, 0) >= 0) poll(&p, 1, 5);
  }
  return 0;
}

int cgroup_signal_all(const char *directory, int signal, struct error *error) {
  char path[300];
  if (signal == SIGKILL) {
    snprintf(path, sizeof path, "%s/cgroup.kill", directory);
    return file_write(path, "1", 1, error);
  }
  snprintf(path, sizeof path, "%s/cgroup.procs", directory);
  auto_free char *text = file_read(path);
  for (char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
    pid_t pid = (pid_t)strtol(line, NULL, 10);
    if (pid > 1) kill(pid, signal);
  }
  return 0;
}

// Its processes are dead or dying; a killed one leaves its cgroup a moment after.
void cgroup_remove(const char *directory) {
  cgroup_signal_all(directory, SIGKILL, NULL);
  for (int i = 0; i < 200 && rmdir(directory) && errno == EBUSY; i++) poll(NULL, 0, 5);
}
