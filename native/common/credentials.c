// Owns who the process is: limits, groups, user, capabilities, no_new_privs, seccomp, in the order in which each is
// still allowed.
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "handle.h"
#include "launch.h"

static int rlimits(struct tlv plan, struct error *error) {
  static const struct { const char *name; int number;
  } known[] = {{"RLIMIT_AS", RLIMIT_AS},
               {"RLIMIT_CORE", RLIMIT_CORE},
               {"RLIMIT_CPU", RLIMIT_CPU},
               {"RLIMIT_DATA", RLIMIT_DATA},
               {"RLIMIT_FSIZE", RLIMIT_FSIZE},
               {"RLIMIT_LOCKS", RLIMIT_LOCKS},
               {"RLIMIT_MEMLOCK", RLIMIT_MEMLOCK},
               {"RLIMIT_MSGQUEUE", RLIMIT_MSGQUEUE},
               {"RLIMIT_NICE", RLIMIT_NICE},
               {"RLIMIT_NOFILE", RLIMIT_NOFILE},
               {"RLIMIT_NPROC", RLIMIT_NPROC},
               {"RLIMIT_RSS", RLIMIT_RSS},
               {"RLIMIT_RTPRIO", RLIMIT_RTPRIO},
               {"RLIMIT_RTTIME", RLIMIT_RTTIME},
               {"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
               {"RLIMIT_STACK", RLIMIT_STACK}};
  size_t at = 0;
  int tag, r;
  struct tlv value;
  while ((r = tlv_next(plan, &at, &tag, &value)) == 1) {
    if (tag != TAG_RLIMIT) continue;
    auto_free char *name = tlv_get_string(value, TAG_NAME);
    struct rlimit limit = {(rlim_t)tlv_get_number(value, TAG_OFFSET, -1),
                           (rlim_t)tlv_get_number(value, TAG_LENGTH, -1)};
    size_t i = 0;
    while (i < sizeof known / sizeof *known && (!name || strcmp(name, known[i].name))) i++;
    if (i == sizeof known / sizeof *known)
      return error_set(error, "invalid-argument", 0, "The limit %s is unknown", name ? name : "without a name");
    if (setrlimit(known[i].number, &limit))
      return error_set(error, "invalid-argument", errno, "Could not set %s", name);
  }
  return r;
}

static uint64_t capability_set(struct tlv plan, enum tag wanted) {
  size_t at = 0;
  int tag;
  struct tlv value;
  uint64_t set = 0;
  while (tlv_next(plan, &at, &tag, &value) == 1)
    if (tag == (int)wanted && value.length == 8 && value.data[0] < 64) set |= 1ull << value.data[0];
  return set;
}

static int bounding(uint64_t keep, struct error *error) {
  for (unsigned long c = 0; prctl(PR_CAPBSET_READ, c, 0, 0, 0) >= 0; c++)
    if (!(keep >> c & 1) && prctl(PR_CAPBSET_DROP, c, 0, 0, 0))
      return error_set(error, "internal", errno, "Could not drop a capability");
  return 0;
}

static int capabilities(struct tlv plan, struct error *error) {
  uint64_t sets[3] = {capability_set(plan, TAG_CAP_EFFECTIVE), capability_set(plan, TAG_CAP_PERMITTED),
                      capability_set(plan, TAG_CAP_INHERITABLE)};
  uint64_t ambient = capability_set(plan, TAG_CAP_AMBIENT);
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2];
  for (int i = 0; i < 2; i++)
    data[i] = (struct __user_cap_data_struct){(uint32_t)(sets[0] >> 32 * i), (uint32_t)(sets[1] >> 32 * i),
                                              (uint32_t)(sets[2] >> 32 * i)};
  if (syscall(SYS_capset, &header, data))
    return error_set(error, "invalid-argument", errno, "Could not set the process's capabilities");
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
    return error_set(error, "internal", errno, "Could not clear ambient capabilities");
  for (unsigned long c = 0; c < 64; c++)
    if (ambient >> c & 1 && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0))
      return error_set(error, "invalid-argument", errno, "Could not raise an ambient capability");
  return 0;
}

static int identity(struct tlv plan, struct error *error) {
  gid_t groups[WIRE_MAX_GROUPS];
  size_t count = 0, at = 0;
  int tag;
  struct tlv value;
  while (tlv_next(plan, &at, &tag, &value) == 1) {
    if (tag != TAG_GROUP) continue;
    if (count == WIRE_MAX_GROUPS || value.length != 8)
      return error_set(error, "invalid-argument", 0, "The process's groups are not valid");
    memcpy(&groups[count++], value.data, sizeof *groups);
  }
  int64_t uid = tlv_get_number(plan, TAG_UID, 0), gid = tlv_get_number(plan, TAG_GID, 0);
  if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) || setgroups(count, groups) || setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid) ||
      setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid))
    return error_set(error, "internal", errno, "Could not become user %lld", (long long)uid);
  return 0;
}

static int seccomp(struct tlv plan, struct error *error) {
  struct tlv filter;
  if (tlv_find(plan, TAG_SECCOMP, &filter) != 1) return 0;
  size_t count = filter.length / sizeof(struct sock_filter);
  if (!count || count > BPF_MAXINSNS || filter.length % sizeof(struct sock_filter))
    return error_set(error, "invalid-argument", 0, "The seccomp filter is not valid");
  auto_free struct sock_filter *copy = malloc(filter.length);
  if (!copy) return error_set(error, "internal", ENOMEM, "Could not set the seccomp filter");
  memcpy(copy, filter.data, filter.length);
  struct sock_fprog program = {.len = (unsigned short)count, .filter = copy};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program)
             ? error_set(error, "internal", errno, "Could not set the seccomp filter")
             : 0;
}

int credentials_apply(struct tlv plan, struct error *error) {
  bool no_new_privileges = tlv_get_number(plan, TAG_NO_NEW_PRIVILEGES, 0);
  if (rlimits(plan, error) || bounding(capability_set(plan, TAG_CAP_BOUNDING), error)) return -1;
  // Without no_new_privs only CAP_SYS_ADMIN may set a filter, so then it comes before the capabilities go.
  if (!no_new_privileges && seccomp(plan, error)) return -1;
  if (identity(plan, error) || capabilities(plan, error)) return -1;
  if (no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    return error_set(error, "internal", errno, "Could not forbid new privileges");
  if (no_new_privileges && seccomp(plan, error)) return -1;
  umask((mode_t)tlv_get_number(plan, TAG_UMASK, 022) & 0777);
  return 0;
}
