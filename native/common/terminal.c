// Owns a container's terminals: opened in its own devpts, so that its names in /dev/pts are right inside.
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

#include "handle.h"
#include "launch.h"
#include "mounts.h"
#include "target.h"

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

static int send_master(int socket, int master, struct error *error) {
  char byte = 0, control[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec v = {&byte, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &master, sizeof(int));
  return sendmsg(socket, &m, MSG_NOSIGNAL) == 1
             ? 0
             : error_set(error, "internal", errno, "Could not hand over the terminal");
}

int terminal_open(int root, struct launch *l, int *slave, struct error *error) {
  bool absent;
  struct statfs s;
  struct stat node;
  auto_fd place = target_find(root, "/dev/pts/ptmx", &absent, error);
  if (absent) error_set(error, "unsupported", 0, "The container has no /dev/pts, so it can have no terminal");
  if (place < 0) return -1;
  // devpts's own multiplexer and nothing that was put in its place.
  if (fstatfs(place, &s) || s.f_type != 0x1cd1 || fstat(place, &node) || !S_ISCHR(node.st_mode) ||
      node.st_rdev != makedev(5, 2))
    return error_set(error, "forbidden", 0, "The container's /dev/pts/ptmx is not a terminal multiplexer");
  // After an EXEC has joined the container, its own /proc is all there is to reopen by; so open by name again, from the
  // checked directory.
  auto_fd master = openat(root, "dev/pts/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC | O_NOFOLLOW);
  struct stat opened;
  if (master < 0 || fstat(master, &opened) || opened.st_ino != node.st_ino || opened.st_dev != node.st_dev)
    return error_set(error, "internal", errno, "Could not open a terminal");
  int unlocked = 0;
  if (ioctl(master, TIOCSPTLCK, &unlocked) || (*slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0)
    return error_set(error, "internal", errno, "Could not open a terminal");
  unsigned rows = (unsigned)tlv_get_number(l->plan, TAG_ROWS, 0),
           columns = (unsigned)tlv_get_number(l->plan, TAG_COLUMNS, 0);
  struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
  if (rows && columns) ioctl(master, TIOCSWINSZ, &size);
  uid_t uid = (uid_t)tlv_get_number(l->plan, TAG_UID, 0);
  if (fchown(*slave, uid, (gid_t)-1))
    return error_set(error, "internal", errno, "Could not give the terminal to its user");
  return send_master(l->socket, master, error);
}

// Bound over a file made in the container's /dev, reached without any symlink (CVE-2025-52565).
int terminal_as_console(int root, int slave, struct error *error) {
  auto_fd target = target_open(root, "/dev/console", TARGET_FILE, TARGET_MADE, error);
  if (target < 0) return -1;
  return mount(fd_path(slave).text, fd_path(target).text, NULL, MS_BIND, NULL)
             ? error_set(error, "internal", errno, "Could not make the container's /dev/console")
             : 0;
}
