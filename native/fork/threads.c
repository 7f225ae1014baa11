// Owns the threads: which there are, how they come to rest, and how a copy of the process gets all of them again.
// fork() copies the calling thread only, but what the others are is memory, which is copied: their stacks, and glibc's
// descriptions of them. Each comes to rest in a signal handler that remembers where it is; the copy makes threads anew
// upon the same stacks and descriptions, and lets them return from there. Their ids are others then, and a lock that
// its owner may take twice knows him by that: so a thread comes to rest where it waits in the kernel, and not in the
// middle of anything.
#include <dlfcn.h>
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "fork.h"

// QEMU has up to 64 for its disks alone. What glibc keeps of a thread begins where the thread pointer points, and is
// longer than is looked at.
enum { MOST_THREADS = 256, PARK_ROUNDS = 1000, ROUND_MS = 5, BELOW = 16384, TCB_BYTES = 1024, RSEQ_BYTES = 32 };
static const unsigned rseq_signature = 0x53053053; // glibc's on x86-64

enum { FREE, LIVE, PARKED };
struct thread {
  _Atomic int state;
  pid_t tid;
  char *tcb;          // what the thread pointer points to
  void *robust;       // its list of robust mutexes
  size_t robust_size;
  char *stack;        // nothing of it is in use from here on downwards
  jmp_buf at;
};
static struct thread threads[MOST_THREADS]; // the first is the main one
static __thread struct thread *self;
static _Atomic bool unknown, resting; // one that there was no room for; all are to come to rest
static _Atomic int go;
static size_t tid_at; // where glibc keeps a thread's id, in bytes from `tcb`

// Where glibc keeps its restartable sequences' area; absent in an old one.
extern const ptrdiff_t __rseq_offset __attribute__((weak));

static long futex(_Atomic int *word, int operation, int value) {
  return syscall(SYS_futex, word, operation, value, NULL, NULL, 0);
}

static void know(struct thread *t) {
  self = t;
  t->tid = (pid_t)syscall(SYS_gettid);
  t->tcb = __builtin_thread_pointer();
  atomic_store(&t->state, LIVE);
}

static void at_rest(void) {
  if (_setjmp(self->at)) return; // in a copy: back to what it did
  self->stack = (char *)__builtin_frame_address(0) - BELOW;
  syscall(SYS_get_robust_list, 0, &self->robust, &self->robust_size);
  atomic_store(&self->state, PARKED);
  for (;;) syscall(SYS_ppoll, NULL, 0, NULL, NULL, 0);
}

// Whether the signal found its thread in a system call: that instruction was its last one, or is the next one where the
// kernel has it begun anew.
static bool waits(const ucontext_t *context) {
  const uint8_t *next = (const uint8_t *)context->uc_mcontext.gregs[REG_RIP];
  return (next[-2] == 0x0f && next[-1] == 0x05) || (next[0] == 0x0f && next[1] == 0x05);
}

// For the main thread, which nobody else tells again.
static void again(void) {
  static timer_t timer;
  static bool made;
  struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = FORK_SIGNAL};
  event._sigev_un._tid = threads->tid;
  if (!made && timer_create(CLOCK_MONOTONIC, &event, &timer)) return;
  made = true;
  timer_settime(timer, 0, &(struct itimerspec){.it_value = {0, ROUND_MS * 1000000L}}, NULL);
}

static bool is_main(void) { return self == threads; }

static void on_signal(int number, siginfo_t *info, void *context) {
  (void)number;
  (void)info;
  int kept = errno;
  if (is_main()) {
    if (waits(context)) serve();
    else again();
  } else if (self && resting && waits(context)) {
    at_rest();
  }
  errno = kept;
}

struct beginning {
  void *(*run)(void *);
  void *argument;
};

static void forget(void *unused) {
  (void)unused;
  if (self) atomic_store(&self->state, FREE);
}

// QEMU's threads block every signal; ours has to come through.
static void *begin(void *argument) {
  struct beginning b = *(struct beginning *)argument;
  free(argument);
  for (struct thread *t = threads + 1; t < threads + MOST_THREADS && !self; t++) {
    int is = FREE;
    if (atomic_compare_exchange_strong(&t->state, &is, LIVE)) know(t);
  }
  if (!self) unknown = true;
  sigset_t ours;
  sigemptyset(&ours);
  sigaddset(&ours, FORK_SIGNAL);
  pthread_sigmask(SIG_UNBLOCK, &ours, NULL);
  void *result;
  pthread_cleanup_push(forget, NULL);
  result = b.run(b.argument);
  pthread_cleanup_pop(1);
  return result;
}

STANDS_BEFORE int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                                 void *argument) {
  static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
  if (!real)
    real = (int (*)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *))dlsym(RTLD_NEXT, "pthread_create");
  struct beginning *b = malloc(sizeof *b);
  if (!b) return EAGAIN;
  *b = (struct beginning){run, argument};
  int failed = real(thread, attributes, begin, b);
  if (failed) free(b);
  return failed;
}

__attribute__((constructor)) static void know_main(void) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_RESTART | SA_SIGINFO};
  know(threads);
  sigfillset(&action.sa_mask);
  sigaction(FORK_SIGNAL, &action, NULL);
}

// The one place in glibc's description of a thread that holds the id of each of them.
static bool find_tid(void) {
  int found = 0;
  for (size_t at = 0; at < TCB_BYTES; at += sizeof(pid_t)) {
    bool all = true;
    for (struct thread *t = threads; all && t < threads + MOST_THREADS; t++)
      all = t->state == FREE || *(pid_t *)(t->tcb + at) == t->tid;
    if (all && found++ == 0) tid_at = at;
  }
  return found == 1;
}

failure threads_park(void) {
  const struct timespec moment = {0, ROUND_MS * 1000000L};
  errno = EMFILE;
  if (unknown) return "know its threads";
  resting = true;
  for (int round = 0; round < PARK_ROUNDS; round++) {
    int moving = 0;
    for (struct thread *t = threads + 1; t < threads + MOST_THREADS; t++) {
      if (atomic_load(&t->state) != LIVE) continue;
      if (syscall(SYS_tgkill, getpid(), t->tid, FORK_SIGNAL)) atomic_store(&t->state, FREE);
      else moving++;
    }
    if (!moving) {
      errno = ENOTSUP;
      return find_tid() ? NULL : "find the threads' ids";
    }
    nanosleep(&moment, NULL);
  }
  errno = ETIMEDOUT;
  return "bring the threads to rest";
}

static int resume(void *argument) {
  struct thread *t = argument;
  syscall(SYS_set_robust_list, t->robust, t->robust_size);
  if (&__rseq_offset) syscall(SYS_rseq, t->tcb + __rseq_offset, RSEQ_BYTES, 0, rseq_signature);
  while (!atomic_load(&go)) futex(&go, FUTEX_WAIT_PRIVATE, 0);
  _longjmp(t->at, 1);
}

failure threads_revive(void) {
  const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_SETTLS |
                    CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID;
  signal(FORK_SIGNAL, SIG_IGN); // a copy is not forked again
  pid_t *own = (pid_t *)(threads->tcb + tid_at);
  *own = threads->tid = (pid_t)syscall(SYS_set_tid_address, own);
  for (struct thread *t = threads + 1; t < threads + MOST_THREADS; t++) {
    if (t->state != PARKED) continue;
    pid_t *tid = (pid_t *)(t->tcb + tid_at);
    if (clone(resume, t->stack, flags, t, tid, t->tcb, tid) < 0) return "make its threads";
    t->tid = *tid;
    t->state = LIVE;
  }
  return NULL;
}

void threads_release(void) {
  atomic_store(&go, 1);
  futex(&go, FUTEX_WAKE_PRIVATE, MOST_THREADS);
}
