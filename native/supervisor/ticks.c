// `twofold-supervisor --ticks`: how fast the processor's time stamp counter runs, in kHz. A guest under emulation sees
// the same counter, and would measure it against emulated timers: wrong by as much as the host is busy. Its clones
// would keep that for ever.
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "supervisor.h"

#ifdef __x86_64__
#include <x86intrin.h>

enum { TRIES = 64, APART_MS = 50 };

struct moment {
  uint64_t ticks;
  int64_t ns;
};

// Both clocks at once: the try that was interrupted least.
static struct moment now(void) {
  struct moment best = {0};
  uint64_t shortest = UINT64_MAX;
  for (int i = 0; i < TRIES; i++) {
    struct timespec t;
    uint64_t before = __rdtsc();
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t took = __rdtsc() - before;
    if (took >= shortest) continue;
    shortest = took;
    best = (struct moment){before + took / 2, (int64_t)t.tv_sec * 1000000000 + t.tv_nsec};
  }
  return best;
}

int ticks_main(void) {
  struct moment from = now();
  nanosleep(&(struct timespec){.tv_nsec = APART_MS * 1000000}, NULL);
  struct moment to = now();
  printf("%llu\n", (unsigned long long)((double)(to.ticks - from.ticks) * 1e6 / (double)(to.ns - from.ns)));
  return 0;
}
#else
int ticks_main(void) {
  fprintf(stderr, "This processor has no time stamp counter.\n");
  return 1;
}
#endif
