// Owns the supervisor's life: read the plan, set itself apart, listen, tell its starter that it does, serve until
// SHUTDOWN.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "supervisor.h"

static const struct kind *kind;

static void child_ended(pid_t pid, int status) {
  if (!groups_child(pid, status) && !keeper_child(pid) && !kind->child(pid, status)) service_child(pid, status);
}

static const struct kind *kind_named(const char *name) {
  if (strcmp(name, "process") == 0) return &kind_process;
  return strcmp(name, "hyperv") == 0 ? &kind_hyperv : NULL;
}

static int begin(char **argv, struct error *error) {
  if (plan_read(argv[1], error) != 0) return -1;
  if (!(kind = kind_named(plan.kind)))
    return error_set(error, "unsupported", 0, "This supervisor has no sandboxes of kind %s.", plan.kind);
  if (kind == &kind_process && isolate_program(argv, error) != 0) return -1;
  if (isolate_process(error) != 0 || loop_init(child_ended, error) != 0) return -1;
  service_init(kind->backend);
  if (kind->setup(error) != 0 || groups_enter_soon(keeper_id(), error) != 0) return -1;
  return conversation_listen(plan.socket, &service_handler, error);
}

// The starter waits for this line on our standard output; from then on it is nobody's.
static void tell_ready(void) {
  if (write(1, "ready\n", 6) < 0) {}
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, 0);
  dup2(null, 1);
  close(null);
}

int main(int argc, char **argv) {
  struct error error = {0};
  if (argc == 3 && strcmp(argv[1], "--seal") == 0) return seal_main(argv[2]);
  if (argc == 2 && strcmp(argv[1], "--ticks") == 0) return ticks_main();
  if (argc != 2) return fprintf(stderr, "usage: twofold-supervisor DIRECTORY\n"), 2;
  if (begin(argv, &error) != 0) {
    fprintf(stderr, "%s\n", error.message);
    sandbox_kill();
    return 1;
  }
  tell_ready();
  int code = loop_run();
  unlink(plan.socket);
  return code;
}
