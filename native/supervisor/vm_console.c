// The guest's console and QEMU's own complaints come through one pipe. Hostile and endless: only the last of it is
// kept, in memory.
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/epoll.h>

#include "handle.h"
#include "vm.h"

enum { KEPT = 16 << 10 };

static struct watch output = {.fd = -1};
static char kept[2 * KEPT];
static size_t used;

static void take(struct watch *w, uint32_t events) {
  (void)events;
  for (int rounds = 0; rounds < 16; rounds++) {
    ssize_t n = read(w->fd, kept + used, sizeof kept - used);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return loop_remove(w);
    used += (size_t)n;
    if (used <= KEPT) continue;
    memmove(kept, kept + used - KEPT, KEPT);
    used = KEPT;
  }
}

int console_watch(int fd, struct error *error) { return loop_add(&output, fd, EPOLLIN, take, error); }

void console_leave(void) {
  int fd = output.fd;
  if (fd >= 0) take(&output, 0);
  loop_remove(&output);
  close_fd(&fd);
}

void console_tail(char *text, size_t size) {
  if (output.fd >= 0) take(&output, 0);
  size_t end = used, n = 0;
  while (end && (kept[end - 1] == '\n' || kept[end - 1] == '\r')) end--;
  size_t from = end;
  while (from && kept[from - 1] != '\n' && end - from < size - 1) from--;
  for (; from < end && n < size - 1; from++) text[n++] = kept[from] >= ' ' && kept[from] < 127 ? kept[from] : ' ';
  text[n] = 0;
}

void console_save(void) {
  char path[PATH_MAX];
  snprintf(path, sizeof path, "%s/worker.log", plan.directory);
  auto_fd fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  // Only for people: without it the message still says why.
  if (fd >= 0 && write(fd, kept, used) < 0) return;
}
