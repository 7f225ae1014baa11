// Owns TOOL: the layer tool, run in the guest's own mount namespace. It never runs in a container, and dies with its
// client.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "agent.h"
#include "handle.h"
#include "loop.h"
#include "streams.h"

enum { TOOL_OOM_SCORE = 500 };

__attribute__((noreturn)) static void tool_child(char **argv, const struct stdio_ends *ends) {
  const int from[3] = {ends->in, ends->out, ends->err};
  int high[3];
  char score[16];
  static char *env[] = {"PATH=/bin", NULL};
  int n = snprintf(score, sizeof score, "%d", TOOL_OOM_SCORE);
  loop_child_signals();
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (file_write("/proc/self/oom_score_adj", score, (size_t)n, NULL)) _exit(126);
  for (int i = 0; i < 3; i++) high[i] = fcntl(from[i], F_DUPFD_CLOEXEC, 10);
  for (int i = 0; i < 3; i++)
    if (dup2(high[i], i) < 0) _exit(126);
  execve(LAYER_TOOL, argv, env);
  _exit(127);
}

void on_tool(struct request *r) {
  struct error error;
  struct stdio_ends ends = {-1, -1, -1};
  size_t count;
  char **arguments = tlv_get_strings(r->payload, TAG_ARG, &count);
  char **argv = arguments ? calloc(count + 2, sizeof *argv) : NULL;
  if (!argv || !count) {
    request_failf(r, "invalid-argument", 0, "TOOL names no verb.");
  } else if (stdio_pipes(r->process, false, &ends, &error)) {
    request_fail(r, &error);
  } else {
    argv[0] = "twofold-layer";
    memcpy(argv + 1, arguments, count * sizeof *argv);
    service_start_pending(1);
    pid_t pid = fork();
    if (pid == 0) tool_child(argv, &ends);
    stdio_ends_close(&ends);
    if (pid < 0) request_failf(r, "internal", errno, "Could not start the layer tool in the guest");
    else request_started(r, pid);
    service_start_pending(-1);
  }
  free(argv);
  strings_free(arguments);
}
