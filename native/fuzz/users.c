// A user as a request names it, and the image's /etc/passwd and /etc/group, with zero bytes between.
#include "input.h"
#include "user.h"

#include <fcntl.h>
#include <sys/stat.h>

static int root = -1;

static void put(const char *path, const char *text) {
  int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  must(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) && close(fd) == 0, path);
}

static char place[] = "/dev/shm/fuzz-users-XXXXXX";

static void remove_place(void) {
  unlinkat(root, "etc/passwd", 0);
  unlinkat(root, "etc/group", 0);
  unlinkat(root, "etc", AT_REMOVEDIR);
  rmdir(place);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  must(mkdtemp(place) && (root = open(place, O_PATH | O_DIRECTORY | O_CLOEXEC)) >= 0 && mkdirat(root, "etc", 0700) == 0,
       "a root of its own");
  atexit(remove_place);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *form = take_word(&data, &size), *passwd = take_word(&data, &size), *group = take_word(&data, &size);
  struct user user;
  struct error error = {0};
  put("etc/passwd", passwd);
  put("etc/group", group);
  if (user_resolve(root, form, &user, &error) == 0) {
    struct tlv_writer list = {0};
    user_write(&list, &user);
    if (list.failed || user.uid > INT32_MAX || user.gid > INT32_MAX || !memchr(user.home, 0, sizeof user.home)) abort();
    tlv_free(&list);
    user_free(&user);
  } else if (!error.code[0]) {
    abort();
  }
  free(form), free(passwd), free(group);
  return 0;
}
