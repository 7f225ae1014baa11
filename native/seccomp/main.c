// Owns the compiling of a seccomp profile into the kernel's form, by libseccomp: lines on stdin, an array of struct
// sock_filter on stdout.
//
//   default ACTION
//   arch NAME                                  (beside the machine's own)
//   rule ACTION SYSCALL [INDEX OP VALUE VALUE2]...
//
// ACTION: ALLOW, LOG, TRAP, KILL_PROCESS, KILL_THREAD, ERRNO:n, TRACE:n. OP: NE LT LE EQ GE GT MASKED_EQ. Calls that
// this library doesn't know cannot be made by anybody who was built against it; the default action holds for them, as
// in other runtimes.
//
// A rule that refuses one of socketcall's calls of 32-bit x86 (`socketcall 0 EQ n 0`) stands before all that the
// library makes: to the library, a rule that allows `socket` for some arguments allows it for all by socketcall.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_LINE = 4096, MAX_ARGS = 6, MAX_FIRST = 20, X86_SOCKETCALL = 102 };

// Of socketcall, what is refused before anything else.
static struct { uint32_t call, action; } first[MAX_FIRST];
static unsigned first_count;

static int fail(const char *what, const char *which) {
  fprintf(stderr, "%s: %s\n", what, which ? which : "nothing");
  return -1;
}

static int action_of(const char *word, uint32_t *action) {
  static const struct { const char *name; uint32_t action;
  } known[] = {{"ALLOW", SCMP_ACT_ALLOW},
               {"LOG", SCMP_ACT_LOG},
               {"TRAP", SCMP_ACT_TRAP},
               {"KILL_PROCESS", SCMP_ACT_KILL_PROCESS},
               {"KILL_THREAD", SCMP_ACT_KILL_THREAD}};
  for (size_t i = 0; word && i < sizeof known / sizeof *known; i++)
    if (!strcmp(word, known[i].name)) return *action = known[i].action, 0;
  if (word && !strncmp(word, "ERRNO:", 6)) return *action = SCMP_ACT_ERRNO((uint32_t)atoi(word + 6)), 0;
  if (word && !strncmp(word, "TRACE:", 6)) return *action = SCMP_ACT_TRACE((uint32_t)atoi(word + 6)), 0;
  return fail("unknown action", word);
}

static int compare_of(const char *word, enum scmp_compare *op) {
  static const struct { const char *name; enum scmp_compare op;
  } known[] = {{"NE", SCMP_CMP_NE},
               {"LT", SCMP_CMP_LT},
               {"LE", SCMP_CMP_LE},
               {"EQ", SCMP_CMP_EQ},
               {"GE", SCMP_CMP_GE},
               {"GT", SCMP_CMP_GT},
               {"MASKED_EQ", SCMP_CMP_MASKED_EQ}};
  for (size_t i = 0; word && i < sizeof known / sizeof *known; i++)
    if (!strcmp(word, known[i].name)) return *op = known[i].op, 0;
  return fail("unknown comparison", word);
}

static int add_rule(scmp_filter_ctx filter, uint32_t otherwise, char **words) {
  uint32_t action;
  if (action_of(strtok_r(NULL, " \n", words), &action)) return -1;
  const char *name = strtok_r(NULL, " \n", words);
  struct scmp_arg_cmp args[MAX_ARGS];
  unsigned count = 0;
  for (const char *index; (index = strtok_r(NULL, " \n", words)); count++) {
    enum scmp_compare op;
    if (count == MAX_ARGS || compare_of(strtok_r(NULL, " \n", words), &op)) return fail("a rule is not valid", name);
    const char *a = strtok_r(NULL, " \n", words), *b = strtok_r(NULL, " \n", words);
    if (!a || !b) return fail("a rule is cut off", name);
    args[count] = SCMP_CMP((unsigned)atoi(index), op, strtoull(a, NULL, 10), strtoull(b, NULL, 10));
  }
  if (name && !strcmp(name, "socketcall") && action != SCMP_ACT_ALLOW && count == 1 && args[0].arg == 0 &&
      args[0].op == SCMP_CMP_EQ) {
    if (first_count == MAX_FIRST) return fail("too many rules", name);
    first[first_count].call = (uint32_t)args[0].datum_a;
    first[first_count++].action = action;
    return 0;
  }
  int number = name ? seccomp_syscall_resolve_name(name) : __NR_SCMP_ERROR;
  if (number == __NR_SCMP_ERROR || action == otherwise) return 0;
  int failed = seccomp_rule_add_array(filter, action, number, count, args);
  return failed && failed != -EEXIST && failed != -EDOM ? fail("the library refused a rule", name) : 0;
}

static int compile(scmp_filter_ctx *filter) {
  char line[MAX_LINE];
  uint32_t otherwise = 0;
  while (fgets(line, sizeof line, stdin)) {
    char *words;
    const char *verb = strtok_r(line, " \n", &words);
    if (!verb) continue;
    if (!strcmp(verb, "default")) {
      if (*filter || action_of(strtok_r(NULL, " \n", &words), &otherwise) || !(*filter = seccomp_init(otherwise)))
        return fail("cannot begin the filter", NULL);
      // Found by halving instead of one by one: every system call in the guest passes here. Older libraries do without.
      seccomp_attr_set(*filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
      continue;
    }
    if (!*filter) return fail("the default action is not the first line", NULL);
    if (!strcmp(verb, "rule")) {
      if (add_rule(*filter, otherwise, &words)) return -1;
    } else if (!strcmp(verb, "arch")) {
      const char *name = strtok_r(NULL, " \n", &words);
      uint32_t arch = name ? seccomp_arch_resolve_name(name) : 0;
      int failed = arch ? seccomp_arch_add(*filter, arch) : -EINVAL;
      if (failed && failed != -EEXIST) return fail("unknown architecture", name);
    } else return fail("unknown line", verb);
  }
  return *filter ? 0 : fail("the profile is empty", NULL);
}

// The library's actions are the kernel's numbers.
static int write_first(void) {
  struct sock_filter code[5 + 2 * MAX_FIRST] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_I386, 0, (uint8_t)(3 + 2 * first_count)),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, X86_SOCKETCALL, 0, (uint8_t)(1 + 2 * first_count)),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
  };
  size_t n = 5;
  for (unsigned i = 0; i < first_count; i++) {
    code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, first[i].call, 0, 1);
    code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, first[i].action);
  }
  size_t bytes = first_count ? n * sizeof *code : 0;
  return write(STDOUT_FILENO, code, bytes) == (ssize_t)bytes ? 0 : -errno;
}

int main(void) {
  scmp_filter_ctx filter = NULL;
  if (compile(&filter)) return 1;
  int failed = write_first();
  if (!failed) failed = seccomp_export_bpf(filter, STDOUT_FILENO);
  seccomp_release(filter);
  return failed ? fail("cannot write the filter", strerror(-failed)), 1 : 0;
}
