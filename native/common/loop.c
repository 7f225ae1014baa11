#include "loop.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 32 };

static int epoll_fd = -1;
static struct epoll_event batch[BATCH];
static int batch_length, batch_at;
static struct timer *timers;
static struct watch child_watch = {.fd = -1};
static void (*on_child)(pid_t, int);
static void (*on_continued)(pid_t);
static bool stopping;
static int stop_code;

int64_t monotonic_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t realtime_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void reap(struct watch *w, uint32_t events) {
  (void)events;
  struct signalfd_siginfo info[8];
  while (read(w->fd, info, sizeof info) > 0) {}
  // One signal may stand for many children.
  for (;;) {
    int status;
    pid_t pid = waitpid(-1, &status, WNOHANG | (on_continued ? WCONTINUED : 0));
    if (pid <= 0) return;
    if (WIFCONTINUED(status)) on_continued(pid);
    else on_child(pid, status);
  }
}

int loop_init(void (*child)(pid_t, int), struct error *error) {
  epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_fd < 0) return error_set(error, "internal", errno, "cannot make the event loop");
  on_child = child;
  signal(SIGPIPE, SIG_IGN);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGCHLD);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (fd < 0) return error_set(error, "internal", errno, "cannot watch for ended processes");
  return loop_add(&child_watch, fd, EPOLLIN, reap, error);
}

void loop_on_continued(void (*continued)(pid_t)) { on_continued = continued; }

void loop_child_signals(void) {
  sigset_t set;
  sigemptyset(&set);
  sigprocmask(SIG_SETMASK, &set, NULL);
  signal(SIGPIPE, SIG_DFL);
}

int loop_add(struct watch *w, int fd, uint32_t events, void (*ready)(struct watch *, uint32_t), struct error *error) {
  *w = (struct watch){fd, events, ready};
  struct epoll_event e = {.events = events, .data.ptr = w};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &e) == 0) return 0;
  w->fd = -1;
  return error_set(error, "internal", errno, "cannot watch a descriptor");
}

void loop_modify(struct watch *w, uint32_t events) {
  if (w->fd < 0 || w->events == events) return;
  w->events = events;
  struct epoll_event e = {.events = events, .data.ptr = w};
  epoll_ctl(epoll_fd, EPOLL_CTL_MOD, w->fd, &e);
}

void loop_remove(struct watch *w) {
  if (w->fd < 0) return;
  epoll_ctl(epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
  w->fd = -1;
  for (int i = batch_at; i < batch_length; i++)
    if (batch[i].data.ptr == w) batch[i].data.ptr = NULL;
}

void timer_start(struct timer *t, int64_t after_ms, void (*due)(struct timer *)) {
  timer_stop(t);
  *t = (struct timer){monotonic_ms() + after_ms, NULL, 1, due};
  struct timer **at = &timers;
  while (*at && (*at)->deadline <= t->deadline) at = &(*at)->next;
  t->next = *at;
  *at = t;
}

void timer_stop(struct timer *t) {
  if (!t->armed) return;
  t->armed = 0;
  for (struct timer **at = &timers; *at; at = &(*at)->next)
    if (*at == t) {
      *at = t->next;
      return;
    }
}

static int until_next_timer(void) {
  if (!timers) return -1;
  int64_t left = timers->deadline - monotonic_ms();
  return left < 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

int loop_run(void) {
  while (!stopping) {
    batch_length = 0;
    int n = epoll_wait(epoll_fd, batch, BATCH, until_next_timer());
    if (n < 0 && errno != EINTR) return -1;
    batch_length = n < 0 ? 0 : n;
    for (batch_at = 0; batch_at < batch_length && !stopping;) {
      struct epoll_event e = batch[batch_at++];
      struct watch *w = e.data.ptr;
      if (w) w->ready(w, e.events);
    }
    while (!stopping && timers && timers->deadline <= monotonic_ms()) {
      struct timer *t = timers;
      timer_stop(t);
      t->due(t);
    }
  }
  stopping = false;
  return stop_code;
}

void loop_stop(int code) {
  stopping = true;
  stop_code = code;
}
