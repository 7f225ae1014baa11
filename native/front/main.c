// Owns the program's outside. It is the interpreter of the command that set-up writes
// (packages/cli/src/setup/steps/command.ts):
//
//   twofold-front COMMAND [word...]
//
// COMMAND is a script of sh that starts the CLI. Nothing is said here before the daemon has taken the words: the CLI
// explains.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "front.h"
#include "handle.h"

// A caller may have closed them, and the connection must not become one.
static void open_standard_streams(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) _exit(1);
}

static int send_all(int daemon, struct buffer *request) {
  while (request->length > 0) {
    // Not by a signal: a daemon that closes early has not taken the words.
    ssize_t n = send(daemon, request->data + request->at, request->length, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    buffer_take(request, (size_t)n);
  }
  return 0;
}

// The verb's exit code, or -1 when the CLI is to do it.
static int ask_daemon(char **words) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (!words_for_daemon(words, &address)) return -1;
  struct buffer request __attribute__((cleanup(buffer_free))) = {0};
  if (request_write(&request, words) != 0) return -1;
  auto_fd daemon = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (daemon < 0 || connect(daemon, (struct sockaddr *)&address, sizeof address) != 0) return -1;
  if (send_all(daemon, &request) != 0) return -1;
  return answer_copy(daemon, address.sun_path);
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "twofold-front COMMAND [word...]: asks the daemon, or runs COMMAND by sh.\n");
    return 1;
  }
  open_standard_streams();
  int code = ask_daemon(argv + 2);
  if (code >= 0) return code;
  argv[0] = "sh";
  execv("/bin/sh", argv);
  fprintf(stderr, "twofold: /bin/sh: %s\n", strerror(errno));
  return 127;
}
