// processes CGROUP_PROCS_FILE: the processes of that cgroup and those below it. For each a line `PID STAT_LENGTH
// STATUS_LENGTH CMDLINE_LENGTH` and then the bytes of /proc/PID/{stat,status,cmdline}, one behind the other. Who ends
// meanwhile is left out.
#include "bytes.h"
#include "handle.h"
#include "names.h"
#include "root.h"
#include "verbs.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

enum { MAX_DEPTH = 64, MAX_FILE = 1 << 20 };

static int read_file(int directory, const char *name, struct bytes *out) {
  auto_fd fd = openat(directory, name, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return -1;
  char buffer[4096];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof buffer)) > 0 && out->length < MAX_FILE) bytes_add(out, buffer, (size_t)n);
  return n < 0 || out->failed ? -1 : 0;
}

static void print_process(long pid) {
  char path[32];
  snprintf(path, sizeof path, "/proc/%ld", pid);
  auto_fd directory = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  auto_bytes stat = {0}, status = {0}, cmdline = {0};
  if (directory < 0 || read_file(directory, "stat", &stat) < 0 || read_file(directory, "status", &status) < 0 ||
      read_file(directory, "cmdline", &cmdline) < 0)
    return;
  printf("%ld %zu %zu %zu\n", pid, stat.length, status.length, cmdline.length);
  fwrite(stat.data, 1, stat.length, stdout);
  fwrite(status.data, 1, status.length, stdout);
  fwrite(cmdline.data, 1, cmdline.length, stdout);
}

static int print_cgroup(int directory, const char *file, int depth, struct error *error) {
  auto_bytes pids = {0};
  if (read_file(directory, file, &pids) < 0) {
    if (depth && (errno == ENOENT || errno == ENODEV)) return 0; // the cgroup is gone
    return fail(error, "Could not read %s", file);
  }
  for (char *line = pids.data; line && *line;) {
    char *end;
    long pid = strtol(line, &end, 10);
    if (pid > 0) print_process(pid); // 0: not in our process namespace
    line = *end == '\n' ? end + 1 : NULL;
  }
  if (depth == MAX_DEPTH) return 0;
  auto_fd self = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (self < 0) return 0;
  auto_names names = {0};
  if (names_read(self, &names, error) < 0) return -1;
  for (size_t i = 0; i < names.count; i++) {
    auto_fd child = openat(directory, names.list[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (child >= 0 && print_cgroup(child, file, depth + 1, error) < 0) return -1;
  }
  return 0;
}

int processes_verb(int count, char **words, struct error *error) {
  if (count != 1) return error_set(error, "invalid-argument", 0, "processes takes CGROUP_PROCS_FILE.");
  char *slash = strrchr(words[0], '/');
  if (!slash) return error_set(error, "invalid-argument", 0, "CGROUP_PROCS_FILE is an absolute path.");
  *slash = 0;
  auto_fd directory = open(words[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return fail(error, "Could not open the cgroup %s", words[0]);
  if (print_cgroup(directory, slash + 1, 0, error) < 0) return -1;
  return fflush(stdout) ? error_set(error, "internal", errno, "Could not write the output") : 0;
}
