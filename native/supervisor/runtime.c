// Runs of the OCI runtime (crun): `run --detach` for START. The runtime ends once the process runs, which is then
// our child, since we are the subreaper; it is waited for without blocking, since it hangs where a cgroup is frozen.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "handle.h"
#include "process.h"

enum { RUN_LIMIT_MS = 60000, ARGS = 24 };

struct run {
  pid_t pid;
  struct request *request;
  struct console console;
  bool terminal;
  int log; // memfd: the runtime's own words, apart from the container's stderr
  char pid_file[PATH_MAX];
  struct timer limit;
  bool too_long;
  struct run *next;
};

static struct run *runs;
static unsigned serial;

static void run_free(struct run *run) {
  timer_stop(&run->limit);
  console_close(&run->console);
  close_fd(&run->log);
  unlink(run->pid_file);
  free(run);
}

// What the runtime said, in words that Docker's clients know. The daemon knows the command and says it better.
static int explain(struct run *run, struct error *error) {
  char text[400] = "";
  ssize_t n = pread(run->log, text, sizeof text - 1, 0);
  text[n > 0 ? n : 0] = 0;
  for (char *p = text; *p; p++)
    if (*p == '\n') *p = p[1] ? ' ' : 0;
  if (run->too_long)
    return error_set(error, "sandbox-failed", 0, "the runtime did not end within %d s", RUN_LIMIT_MS / 1000);
  // crun: "executable file `x` not found in $PATH", "open executable: …"; runc: `exec: "x": permission denied`, …
  bool executable = strstr(text, "xecutable") || strstr(text, "exec: ");
  if (executable && (strstr(text, "not found") || strcasestr(text, "no such file")))
    return error_set(error, "command-not-found", ENOENT, "executable file not found in $PATH");
  if (executable) return error_set(error, "command-not-executable", EACCES, "the command cannot be executed");
  // crun: "chdir `/x`: No such file or directory"; runc: `chdir to cwd ("/x") set in config.json failed: no such …`
  char *reason = strstr(text, "chdir `") || strstr(text, "chdir to cwd") ? strrchr(text, ':') : NULL;
  if (reason)
    return error_set(error, strcasestr(reason, "no such file") ? "command-not-found" : "command-not-executable", 0,
                     "chdir%s", reason);
  if (strstr(text, "No space left")) return error_set(error, "no-space", ENOSPC, "the runtime refused");
  return error_set(error, "sandbox-failed", 0, "the runtime refused: %s", *text ? text : "it said nothing");
}

static pid_t read_pid(const char *path) {
  auto_file f = fopen(path, "re");
  int pid = 0;
  return f && fscanf(f, "%d", &pid) == 1 && pid > 1 ? pid : -1;
}

int64_t oom_kills(const char *path) {
  auto_file f = path ? fopen(path, "re") : NULL;
  char key[64];
  long long value;
  while (f && fscanf(f, "%63s %lld", key, &value) == 2)
    if (strcmp(key, "oom_kill") == 0) return value;
  return 0;
}

static void ended_well(struct run *run) {
  struct request *r = run->request;
  struct process *p = r->process;
  struct error error = {0};
  pid_t pid = read_pid(run->pid_file);
  if (pid < 0) return request_failf(r, "sandbox-failed", 0, "the runtime named no process");
  if (run->terminal) {
    int master = console_take(&run->console, &error);
    if (master >= 0 && stdio_terminal(p, master, (unsigned)tlv_get_number(r->payload, TAG_ROWS, 0),
                                      (unsigned)tlv_get_number(r->payload, TAG_COLUMNS, 0), &error) != 0)
      close_fd(&master);
    if (master < 0) {
      kill(pid, SIGKILL);
      return request_fail(r, &error);
    }
  }
  request_started(r, pid);
}

bool runtime_child(pid_t pid, int status) {
  for (struct run **at = &runs; *at; at = &(*at)->next) {
    struct run *run = *at;
    if (run->pid != pid) continue;
    *at = run->next;
    struct error error = {0};
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) ended_well(run);
    else explain(run, &error), request_fail(run->request, &error);
    service_start_pending(-1);
    run_free(run);
    return true;
  }
  return false;
}

static void over_limit(struct timer *t) {
  struct run *run = container_of(t, struct run, limit);
  run->too_long = true;
  kill(run->pid, SIGKILL);
}

static int start(struct run *run, struct error *error) {
  struct request *r = run->request;
  struct process *p = r->process;
  char root[PATH_MAX], log_path[64];
  struct stdio_ends ends = {-1, -1, -1};
  auto_free char *runtime = tlv_get_string(plan.raw, TAG_RUNTIME), *bundle = tlv_get_string(r->payload, TAG_BUNDLE);
  if (!runtime || !bundle) return error_set(error, "invalid-argument", 0, "No runtime or no bundle was named.");
  snprintf(root, sizeof root, "%s/runtime", plan.directory);
  snprintf(run->pid_file, sizeof run->pid_file, "%s/pid.%u", plan.directory, ++serial);
  if ((run->log = memfd_create("runtime", MFD_CLOEXEC)) < 0)
    return error_set(error, "internal", errno, "cannot keep the runtime's messages");
  snprintf(log_path, sizeof log_path, "--log=/proc/%d/fd/%d", getpid(), run->log);
  char *argv[ARGS] = {runtime, "--root", root, log_path};
  int n = 4;
  const char *name = strrchr(runtime, '/');
  // runc knows no such word: files are its default.
  if (strcmp(name ? name + 1 : runtime, "runc") != 0) argv[n++] = "--cgroup-manager=cgroupfs";
  argv[n++] = "run", argv[n++] = "--detach", argv[n++] = "--pid-file", argv[n++] = run->pid_file;
  argv[n++] = "--bundle", argv[n++] = bundle, argv[n++] = "--no-new-keyring";
  if ((run->terminal = tlv_get_number(r->payload, TAG_TERMINAL, 0) == 1)) {
    if (console_listen(&run->console, error) != 0) return -1;
    argv[n++] = "--console-socket", argv[n++] = run->console.path;
  } else if (stdio_pipes(p, false, &ends, error) != 0) return -1;
  argv[n++] = r->container->id;
  struct spawn s = {.argv = argv, .in = ends.in, .out = ends.out, .err = ends.err};
  run->pid = spawn(&s, error);
  stdio_ends_close(&ends);
  return run->pid > 0 ? 0 : -1;
}

void runtime_start(struct request *r) {
  struct error error = {0};
  struct run *run = calloc(1, sizeof *run);
  if (!run) return request_failf(r, "internal", ENOMEM, "cannot start the runtime");
  *run = (struct run){.request = r, .log = -1, .console.listener = -1};
  if (start(run, &error) != 0) {
    run_free(run);
    return request_fail(r, &error);
  }
  service_start_pending(1);
  timer_start(&run->limit, RUN_LIMIT_MS, over_limit);
  run->next = runs;
  runs = run;
}
