// Owns finding a command as Docker does (in the container's PATH, as the container's user) and how its failures read:
// clients tell 126 and 127 apart by these words.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "handle.h"
#include "launch.h"

// 0 when `path` may be executed, otherwise an errno.
static int executable(const char *path) {
  struct stat s;
  if (stat(path, &s)) return errno;
  if (S_ISDIR(s.st_mode)) return EISDIR;
  return access(path, X_OK) ? errno : 0;
}

static char *search(const char *name, char **env, bool *denied) {
  const char *paths = "";
  for (char **e = env; *e; e++)
    if (!strncmp(*e, "PATH=", 5)) paths = *e + 5;
  for (const char *p = paths; *p;) {
    size_t n = strcspn(p, ":");
    char *path = NULL;
    if (asprintf(&path, "%.*s/%s", n ? (int)n : 1, n ? p : ".", name) < 0) return NULL;
    int failed = executable(path);
    if (!failed) return path;
    *denied |= failed == EACCES;
    free(path);
    p += n + (p[n] == ':');
  }
  return NULL;
}

int command_exec(char **argv, char **env, struct error *error) {
  bool denied = false;
  auto_free char *found = NULL;
  const char *path = argv[0];
  if (!strchr(path, '/')) {
    if (!(path = found = search(argv[0], env, &denied)))
      return denied ? error_set(error, "command-not-executable", 0, "exec: \"%s\": permission denied", argv[0])
                    : error_set(error, "command-not-found", 0, "exec: \"%s\": executable file not found in $PATH",
                                argv[0]);
  } else {
    int failed = executable(path);
    if (failed == EISDIR)
      return error_set(error, "command-not-executable", 0, "exec: \"%s\": is a directory: permission denied", path);
    if (failed == EACCES) return error_set(error, "command-not-executable", 0, "exec: \"%s\": permission denied", path);
    if (failed)
      return error_set(error, "command-not-found", 0, "exec: \"%s\": stat %s: %s", path, path,
                       failed == ENOENT || failed == ENOTDIR ? "no such file or directory" : strerror(failed));
  }
  execve(path, argv, env);
  int failed = errno;
  // ENOENT here: the interpreter named in the file is missing.
  if (failed == ENOENT) return error_set(error, "command-not-found", 0, "exec %s: no such file or directory", argv[0]);
  return error_set(error, "command-not-executable", 0, "exec %s: %s", argv[0],
                   failed == ENOEXEC  ? "exec format error"
                   : failed == EACCES ? "permission denied"
                                      : strerror(failed));
}
