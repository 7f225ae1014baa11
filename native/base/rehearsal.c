// What a program's C library and its first steps ask of the kernel, for nothing: a utility VM that waits runs it, so that the kernel's code for it
// has been translated once (drivers/hyperv/rehearsal.ts). What is refused has been rehearsed all the same.
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, HEAP = 33 * PAGE, RSEQ_SIZE = 32, RSEQ_UNREGISTER = 1 };

static void memory(void) {
  uintptr_t end = (uintptr_t)syscall(SYS_brk, 0);
  syscall(SYS_brk, end + HEAP);
  syscall(SYS_brk, end);
  char *room = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) return;
  room[0] = room[2 * PAGE] = 1;
  mprotect(room, PAGE, PROT_READ);
  munmap(room + PAGE, PAGE);
  munmap(room, 4 * PAGE);
}

static void threads(void) {
  static _Alignas(32) char area[RSEQ_SIZE];
  syscall(SYS_rseq, area, RSEQ_SIZE, 0, 0x53053053);
  nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
  syscall(SYS_rseq, area, RSEQ_SIZE, RSEQ_UNREGISTER, 0x53053053);
}

static void files(void) {
  char text[256];
  struct stat s;
  struct termios t;
  if (readlink("/proc/self/exe", text, sizeof text) < 0 || !getcwd(text, sizeof text)) return;
  DIR *root = opendir("/");
  while (root && readdir(root)) {}
  if (root) closedir(root);
  int fd = open("/etc/hostname", O_RDONLY | O_CLOEXEC);
  if (fd >= 0 && fstat(fd, &s) == 0 && read(fd, text, sizeof text) >= 0) lseek(fd, 0, SEEK_SET);
  if (fd >= 0) close(fd);
  stat("/etc/passwd", &s);
  tcgetattr(1, &t);
  poll(&(struct pollfd){.fd = 1, .events = POLLOUT}, 1, 0);
}

int main(void) {
  char random[8];
  struct rlimit limit;
  struct utsname name;
  memory();
  threads();
  files();
  getrlimit(RLIMIT_STACK, &limit);
  return getrandom(random, sizeof random, GRND_NONBLOCK) < 0 || uname(&name) != 0;
}
