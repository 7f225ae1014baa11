// What Node calls that reads a stream and writes a file, found by strace; the rest is as on a kernel that does not know
// it, which Node and glibc get along with (clone3, io_uring). A new process, a socket, another process's memory, a
// mount, a key: none of that is among them.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cell.h"

#if defined __x86_64__
enum { ARCHITECTURE = AUDIT_ARCH_X86_64, BEYOND = 0x40000000 }; // x32's numbers
#elif defined __aarch64__
enum { ARCHITECTURE = AUDIT_ARCH_AARCH64, BEYOND = 0x40000000 };
#else
#error "The numbers of this machine's system calls have to be looked through."
#endif

static const int allowed[] = {
#ifdef __x86_64__
    SYS_access, SYS_readlink, SYS_pipe, SYS_poll, SYS_epoll_wait, SYS_dup2, SYS_arch_prctl, SYS_time, SYS_stat,
    SYS_lstat, SYS_getdents64,
#endif
    // its streams and its code
    SYS_read, SYS_write, SYS_readv, SYS_writev, SYS_pread64, SYS_pwrite64, SYS_close, SYS_lseek, SYS_openat, SYS_fstat,
    SYS_newfstatat, SYS_statx, SYS_readlinkat, SYS_faccessat, SYS_getcwd, SYS_fcntl, SYS_ftruncate, SYS_dup, SYS_dup3,
    SYS_shutdown, SYS_recvmsg, SYS_sendmsg, SYS_getsockopt, SYS_getsockname,
    // waiting
    SYS_pipe2, SYS_eventfd2, SYS_epoll_create1, SYS_epoll_ctl, SYS_epoll_pwait, SYS_ppoll, SYS_futex, SYS_sched_yield,
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_restart_syscall,
    // memory
    SYS_mmap, SYS_mprotect, SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_membarrier,
    // itself, its threads and its end
    SYS_execve, SYS_exit, SYS_exit_group, SYS_getpid, SYS_gettid, SYS_tgkill, SYS_set_tid_address, SYS_set_robust_list,
    SYS_rseq, SYS_prctl, SYS_prlimit64, SYS_getrusage, SYS_sched_getaffinity, SYS_sched_getparam,
    SYS_sched_getscheduler, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_sigaltstack, SYS_getrandom,
    SYS_uname, SYS_sysinfo, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getgroups, SYS_capget, SYS_setuid,
    SYS_setgid, SYS_setgroups,
};
static const unsigned requests[] = {TCGETS, FIONBIO, FIONREAD, FIOCLEX}; // of ioctl

enum { COUNT = sizeof allowed / sizeof *allowed, REQUESTS = sizeof requests / sizeof *requests };

static struct sock_filter program[2 * COUNT + 2 * REQUESTS + 16];
static unsigned short length;

static void add(struct sock_filter instruction) { program[length++] = instruction; }
static void load(size_t offset) { add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset)); }
static void give(unsigned action) { add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action)); }
// The next instruction is passed over unless the loaded word is that.
static void only_if(unsigned value) { add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1)); }

enum { LOW = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 0 : 4 };
static size_t argument(int index) { return offsetof(struct seccomp_data, args) + 8u * (unsigned)index + LOW; }

int filter_install(struct error *error) {
  const unsigned unknown = SECCOMP_RET_ERRNO | ENOSYS;
  load(offsetof(struct seccomp_data, arch));
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
  give(SECCOMP_RET_KILL_PROCESS);
  load(offsetof(struct seccomp_data, nr));
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, BEYOND, 0, 1));
  give(unknown);
  for (int i = 0; i < COUNT; i++) {
    only_if((unsigned)allowed[i]);
    give(SECCOMP_RET_ALLOW);
  }
  // A thread, but no process.
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4));
  load(argument(0));
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_THREAD, 0, 1));
  give(SECCOMP_RET_ALLOW);
  give(SECCOMP_RET_ERRNO | EPERM);
  add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 1, 0));
  give(unknown);
  load(argument(1));
  for (int i = 0; i < REQUESTS; i++) {
    only_if(requests[i]);
    give(SECCOMP_RET_ALLOW);
  }
  give(SECCOMP_RET_ERRNO | ENOTTY);
  struct sock_fprog filter = {.len = length, .filter = program};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter)
             ? error_set(error, "internal", 0, "set its filter")
             : 0;
}
