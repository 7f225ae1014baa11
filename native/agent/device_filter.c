// Owns giving a container's cgroup the program that decides which devices may be opened. The host compiles it; the
// kernel's verifier checks it.
#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>

#include "agent.h"
#include "handle.h"

enum { MAX_INSTRUCTIONS = 4096 };

// The last one that was loaded: most containers have the same rules, and the verifier takes its time. A clone has its
// template's.
static int loaded = -1;
static void *loaded_from;
static size_t loaded_length;

static int load(struct tlv program, struct error *error) {
  if (loaded >= 0 && program.length == loaded_length && !memcmp(program.data, loaded_from, loaded_length)) return 0;
  void *copy = malloc(program.length);
  if (!copy) return error_set(error, "internal", ENOMEM, "Could not set the device rules");
  memcpy(copy, program.data, program.length);
  union bpf_attr load = {.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                         .insns = (uintptr_t)copy,
                         .insn_cnt = (uint32_t)(program.length / sizeof(struct bpf_insn)),
                         .license = (uintptr_t) "Apache-2.0"};
  int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof load);
  if (fd < 0) {
    free(copy);
    return error_set(error, "internal", errno, "Could not load the device rules");
  }
  close_fd(&loaded);
  free(loaded_from);
  loaded = fd;
  loaded_from = copy;
  loaded_length = program.length;
  return 0;
}

// DATA of a launch plan: an array of struct bpf_insn. Absent: every device may be opened.
int device_filter_attach(int cgroup, struct tlv plan, struct error *error) {
  struct tlv program;
  if (tlv_find(plan, TAG_DATA, &program) != 1) return 0;
  size_t count = program.length / sizeof(struct bpf_insn);
  if (!count || count > MAX_INSTRUCTIONS || program.length % sizeof(struct bpf_insn))
    return error_set(error, "invalid-argument", 0, "The device rules are not valid");
  if (load(program, error)) return -1;
  union bpf_attr attach = {
      .target_fd = (uint32_t)cgroup, .attach_bpf_fd = (uint32_t)loaded, .attach_type = BPF_CGROUP_DEVICE};
  return syscall(SYS_bpf, BPF_PROG_ATTACH, &attach, sizeof attach)
             ? error_set(error, "internal", errno, "Could not set the device rules")
             : 0;
}
