#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>

#include "handle.h"
#include "supervisor.h"

static char *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C",
                                    NULL};

static _Noreturn void become(const struct spawn *s) {
  loop_child_signals();
  keyring_leave(); // the runtime hands its own on to the container
  int fds[3] = {s->in, s->out, s->err};
  // Above 2 first, so that no dup2 overwrites one that is still needed.
  for (int i = 0; i < 3; i++) {
    if (fds[i] < 0) fds[i] = open("/dev/null", O_RDWR);
    fds[i] = fcntl(fds[i], F_DUPFD, 3);
  }
  for (int i = 0; i < 3; i++) dup2(fds[i], i);
  syscall(SYS_close_range, 3u, ~0u, 0u);
  // The supervisor's own score is not for what it runs.
  int adj = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (adj >= 0 && write(adj, "0", 1) < 0) {}
  if (chdir(s->cwd ? s->cwd : "/") == 0) execvpe(s->argv[0], s->argv, environment);
  _exit(127);
}

pid_t spawn(const struct spawn *s, struct error *error) {
  if (groups_entered(error) != 0) return -1;
  pid_t pid = fork();
  if (pid == 0) become(s);
  return pid > 0 ? pid : error_set(error, "internal", errno, "cannot start %s", s->argv[0]);
}
