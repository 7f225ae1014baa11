#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "handle.h"
#include "process.h"

static unsigned serial;

// The sandbox's directory may be longer than a socket's path may be; by way of our own descriptor it is short, for the
// runtime too.
int console_listen(struct console *c, struct error *error) {
  static int directory = -1;
  *c = (struct console){.listener = -1};
  if (directory < 0) directory = open(plan.directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
  auto_fd fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(c->path, sizeof c->path, "/proc/%d/fd/%d/console.%u", getpid(), directory, ++serial);
  memcpy(address.sun_path, c->path, strlen(c->path) + 1);
  if (directory < 0 || fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1) != 0)
    return error_set(error, "internal", errno, "cannot make a terminal's socket");
  c->listener = steal_fd(&fd);
  return 0;
}

int console_take(struct console *c, struct error *error) {
  auto_fd fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  char text[256];
  union { struct cmsghdr header; char room[CMSG_SPACE(sizeof(int))]; } control;
  struct iovec part = {text, sizeof text};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (fd < 0 || recvmsg(fd, &message, MSG_CMSG_CLOEXEC) <= 0)
    return error_set(error, "sandbox-failed", errno, "the runtime made no terminal");
  struct cmsghdr *h = CMSG_FIRSTHDR(&message);
  if (!h || h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS || h->cmsg_len != CMSG_LEN(sizeof(int)))
    return error_set(error, "sandbox-failed", 0, "the runtime sent no terminal");
  int master;
  memcpy(&master, CMSG_DATA(h), sizeof master);
  return master;
}

void console_close(struct console *c) {
  if (c->listener < 0) return;
  close(c->listener);
  unlink(c->path);
  c->listener = -1;
}
