// csrss: the base images' ENTRYPOINT, a session process that is process 1 in each container. Owns: starting the command
// it is given, passing signals on to it, reaping what nobody else reaps, and ending as the command ended. Does not own:
// anything of the engine, which knows nothing of this file. It is Linux all the way; only the name is Windows'.
//
//   csrss COMMAND [ARGUMENT…]      without a command: cmd
//   exit: the command's code; 128 + n when signal n ended it; 127 not found; 126 found but can't be executed

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { cannot_execute = 126, not_found = 127, signal_base = 128 };

// The child's half: its own process group in front of the terminal (so that Ctrl+C reaches it from the kernel), then
// exec. Returns the errno of a failed exec.
static int become_command(char **command, const sigset_t *old_mask) {
  setpgid(0, 0);
  // SIGTTOU is still blocked here, so a process group in the background may do this. Without a terminal it fails: no
  // matter.
  tcsetpgrp(STDIN_FILENO, getpid());
  sigprocmask(SIG_SETMASK, old_mask, NULL);
  execvp(command[0], command);
  return errno;
}

// Says in Docker's words why the command could not be executed. Returns the exit code.
static int explain(const char *command, int errnum) {
  if (errnum == ENOENT || errnum == ENOTDIR) {
    if (strchr(command, '/'))
      fprintf(stderr, "exec: \"%s\": stat %s: no such file or directory\n", command, command);
    else
      fprintf(stderr, "exec: \"%s\": executable file not found in $PATH\n", command);
    return not_found;
  }
  char text[64];
  snprintf(text, sizeof text, "%s", strerror(errnum));
  if (text[0] >= 'A' && text[0] <= 'Z') text[0] += 'a' - 'A';
  fprintf(stderr, "exec: \"%s\": %s\n", command, text);
  return cannot_execute;
}

// Starts the command. Returns its process id, or -1 with the exit code in *code once it is known that it can't run.
static pid_t start(char **command, const sigset_t *old_mask, int *code) {
  int report[2];
  if (pipe2(report, O_CLOEXEC) < 0) {
    perror("csrss: pipe");
    *code = cannot_execute;
    return -1;
  }
  pid_t child = fork();
  if (child < 0) {
    perror("csrss: fork");
    *code = cannot_execute;
    return -1;
  }
  if (child == 0) {
    close(report[0]);
    int failed = become_command(command, old_mask);
    if (write(report[1], &failed, sizeof failed) < 0) _exit(cannot_execute);
    _exit(not_found);
  }
  close(report[1]);
  int failed = 0;
  ssize_t n;
  do n = read(report[0], &failed, sizeof failed);
  while (n < 0 && errno == EINTR);
  close(report[0]);
  if (n != (ssize_t)sizeof failed) return child; // closed by a successful exec
  waitpid(child, NULL, 0);
  *code = explain(command[0], failed);
  return -1;
}

// Reaps everything that has ended. Returns the exit code once `child` is among it, otherwise -1.
static int reap(pid_t child) {
  int status;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG | WUNTRACED)) > 0) {
    if (pid != child) continue;
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WIFSIGNALED(status)) return signal_base + WTERMSIG(status);
    // Ctrl+Z: there is no shell above that could ever continue it, so it goes on (as process 1 of a container would
    // have).
    if (WIFSTOPPED(status) && WSTOPSIG(status) == SIGTSTP) kill(child, SIGCONT);
  }
  return -1;
}

int main(int argc, char **argv) {
  static char *fallback[] = {"cmd", NULL};
  char **command = argc > 1 ? argv + 1 : fallback;
  sigset_t all, old_mask;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &old_mask);
  prctl(PR_SET_CHILD_SUBREAPER, 1); // where it is not process 1 (--init, --pid) orphans still come to it

  int code = 0;
  pid_t child = start(command, &old_mask, &code);
  if (child < 0) return code;
  for (;;) {
    int sig;
    if (sigwait(&all, &sig) != 0) continue;
    if (sig == SIGCHLD) {
      code = reap(child);
      if (code >= 0) return code;
    } else if (sig != SIGTTIN && sig != SIGTTOU) {
      kill(child, sig);
    }
  }
}
