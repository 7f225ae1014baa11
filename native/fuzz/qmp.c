// What a VM's monitor says: QEMU, once somebody has broken into it. A borrower listens, asks, and is at times slow.
#include "input.h"
#include "vm.h"

#include <fcntl.h>
#include <sys/socket.h>

struct plan plan;
static bool broken;

// --- what vm_qmp.c knows of the rest of the supervisor
void vm_broken(const char *why) { broken = *why != 0; }
void vm_cloned(void) {}
bool vm_has_flag(int flags) { return flags & (PLAN_CLONE | PLAN_UP); }
int memory_open(enum tag tag, struct error *error) {
  (void)tag, (void)error;
  return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

// --- the borrower
static bool slow;
static void hear(struct conversation *c, int type, const void *payload, size_t length) {
  static char heard[WIRE_MAX_PAYLOAD]; // so that all of it is read
  (void)c, (void)type;
  if (length) memcpy(heard, payload, length);
}
static bool takes(struct conversation *c) { return (void)c, !slow; }
static void taken(struct conversation *c, size_t length) { (void)c, (void)length; }
static void ended(struct conversation *c, bool now) {
  (void)now;
  c->handler->gone(c);
}
static const struct transport transport = {hear, takes, taken, ended};

static void say(struct conversation *c, int type, struct tlv payload) {
  if (!c->closing) c->handler->frame(c, type, payload);
}

static void stop(struct timer *t) {
  (void)t;
  loop_stop(0);
}

// Everything that is at hand has been read when the timer is due.
static void turn(void) {
  static struct timer now;
  timer_start(&now, 0, stop);
  loop_run();
}

static void child(pid_t pid, int status) { (void)pid, (void)status; }

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  static const struct backend backend = {.qmp = qmp_request};
  struct error error;
  must(loop_init(child, &error) == 0, "loop_init");
  service_init(&backend);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int ends[2];
  struct error error;
  struct conversation borrower = {.transport = &transport, .handler = &service_handler};
  must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
  broken = slow = false;
  must(qmp_open(ends[0], &error) == 0, "qmp_open");
  borrower.handler->opened(&borrower);
  while (size > 0 && !broken) {
    // A byte says how long the next piece is, and whose it is.
    uint8_t what = *data++;
    size_t length = --size < (what & 0x3fu) * 16 ? size : (what & 0x3fu) * 16;
    if (what & 0x40) slow = !slow;
    if (what & 0x80) say(&borrower, what & 1 ? FRAME_QMP : FRAME_STDIN, (struct tlv){data, length});
    else if (write(ends[1], data, length) < 0) break; // its socket is full
    data += length;
    size -= length;
    turn();
    char waste[4096];
    while (read(ends[1], waste, sizeof waste) > 0) {}
  }
  if (borrower.user || borrower.handler != &service_handler) borrower.handler->gone(&borrower);
  qmp_fail();
  qmp_close();
  close(ends[1]);
  return 0;
}
