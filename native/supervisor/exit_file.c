#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "handle.h"
#include "supervisor.h"

void exit_file_write(const struct process *p) {
  struct tlv_writer w = {0};
  tlv_number(&w, TAG_EXIT_CODE, p->exit.code);
  if (p->exit.signal) tlv_number(&w, TAG_EXIT_SIGNAL, p->exit.signal);
  if (p->exit.oom_killed) tlv_number(&w, TAG_OOM_KILLED, 1);
  tlv_number(&w, TAG_STARTED, p->started_ns);
  tlv_number(&w, TAG_FINISHED, p->exit.finished_ns);
  tlv_number(&w, TAG_PID, p->pid);
  // Not synced: it must outlive a killed process, not the machine, whose end is every container's anyway.
  char path[PATH_MAX], temporary[PATH_MAX + 8];
  snprintf(path, sizeof path, "%s/exit.%s", plan.directory, p->container->id);
  snprintf(temporary, sizeof temporary, "%s.new", path);
  auto_fd fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool written =
      fd >= 0 && !w.failed && write(fd, w.data, w.length) == (ssize_t)w.length && rename(temporary, path) == 0;
  // A full disk: whoever is connected still hears of the exit, and a living supervisor still tells it by STATE.
  if (!written) fprintf(stderr, "supervisor: cannot write %s: %s\n", path, strerror(errno));
  tlv_free(&w);
}

void exit_file_remove(const char *container) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/exit.%s", plan.directory, container);
  unlink(path);
}
