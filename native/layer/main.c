// Owns the program's outside: choice of the verb, limits on open files, one error line `CODE message` on stderr.
#include "verbs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

static const struct {
  const char *name;
  verb *run;
  const char *words;
} verbs[] = {
  {"pack", pack_verb, "ROOT PATH"},
  {"unpack", unpack_verb, "ROOT PATH [--no-overwrite-dir-non-dir] [--copy-uid-gid]"},
  {"stat", stat_verb, "ROOT PATH"},
  {"export", export_verb, "ROOT"},
  {"diff", diff_verb, "UPPER... [--over LOWER...] --form oci|private"},
  {"changes", changes_verb, "UPPER LOWER..."},
  {"mount", mount_verb, "IMAGE DIR [--loop]"},
  {"show", show_verb, "DIRECTORY | --disk SERIAL OFFSET LENGTH, PID:GROUP PATH"},
  {"size", size_verb, "DIRECTORY"},
  {"processes", processes_verb, "CGROUP_PROCS_FILE"},
};

static void print_error(const struct error *error) {
  char line[sizeof error->message];
  size_t n = 0;
  for (const char *p = error->message; *p && n + 1 < sizeof line; p++) line[n++] = *p == '\n' ? ' ' : *p;
  line[n] = 0;
  fprintf(stderr, "%s %s\n", error->code[0] ? error->code : "internal", line);
}

int main(int argc, char **argv) {
  signal(SIGPIPE, SIG_IGN);
  umask(0);
  // A walk holds one descriptor for each level of depth.
  struct rlimit files;
  if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  struct error error = {0};
  for (size_t i = 0; argc > 1 && i < sizeof verbs / sizeof *verbs; i++) {
    if (strcmp(argv[1], verbs[i].name) != 0) continue;
    if (verbs[i].run(argc - 2, argv + 2, &error) == 0) return 0;
    print_error(&error);
    return 1;
  }
  fprintf(stderr, "invalid-argument The verbs are");
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
    fprintf(stderr, "%s %s %s", i ? "," : "", verbs[i].name, verbs[i].words);
  fprintf(stderr, ".\n");
  return 1;
}
