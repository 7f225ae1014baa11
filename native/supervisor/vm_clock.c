// Owns the rightness of the guest's clock after its start (the daemon sets it first). The guest counts by a frequency
// that it measured once, and its host may be suspended, or its worker stopped: so it is told the time every minute, and
// at once when the host's clock has jumped (which a host that wakes up does) or the worker runs on.
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "handle.h"
#include "vm.h"

enum { TELL_EVERY_S = 60 };

static struct watch timer = {.fd = -1};
static struct link *guest;
static bool unanswered; // one at a time: a guest may never answer

static void on_answer(struct conversation *c, int type, struct tlv payload) {
  (void)payload;
  if (type != FRAME_REPLY && type != FRAME_ERROR) return vm_broken("The guest gave an answer that was not asked for.");
  conversation_close(c);
}

static void on_gone(struct conversation *c) {
  (void)c;
  unanswered = false;
}

static void tell(void) {
  static const struct conversation_handler handler = {NULL, on_answer, NULL, on_gone};
  struct error error;
  struct conversation *c = guest && !unanswered ? link_channel(guest, &handler, &error) : NULL;
  if (!c) return;
  unanswered = true;
  struct tlv_writer w = {0};
  tlv_number(&w, TAG_TIME, realtime_ns());
  conversation_send_list(c, FRAME_CONFIGURE, &w);
}

static int arm(void) {
  struct itimerspec next = {0};
  clock_gettime(CLOCK_REALTIME, &next.it_value);
  next.it_value.tv_sec += TELL_EVERY_S;
  return timerfd_settime(timer.fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &next, NULL);
}

static void due(struct watch *w, uint32_t events) {
  (void)events;
  uint64_t times;
  ssize_t n = read(w->fd, &times, sizeof times); // fails with ECANCELED when the clock has jumped
  if (n < 0 && errno != ECANCELED) return;
  tell();
  arm();
}

void clock_continued(pid_t worker) {
  (void)worker;
  tell();
}

int clock_watch(struct error *error) {
  int fd = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  if (fd < 0 || loop_add(&timer, fd, EPOLLIN, due, error) || arm())
    return error_set(error, "internal", errno, "cannot watch the host's clock");
  loop_on_continued(clock_continued);
  return 0;
}

void clock_guest(struct link *l) {
  guest = l;
  unanswered = false;
}
