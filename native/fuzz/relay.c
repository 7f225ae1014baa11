// What a guest says over the link, whose agent somebody has taken over, while clients ask for processes in it, are slow
// and hang up. Both ends of the way are real: the service that clients speak to, and the relay to the guest.
#include "input.h"
#include "vm_relay.c" // whole: a VM that is gone is gone for good there, and here comes the next one

#include <errno.h>
#include <sys/socket.h>

#include "service_private.h"

enum { CLIENTS = 6 };

struct plan plan;
static struct link *guest;
static bool broken;

// --- what the relay knows of the rest of the supervisor
void vm_answered(void) {}
void vm_agent_shut_down(void) {}
void clock_guest(struct link *l) { (void)l; }
static void end_link(void) {
  own_requests_end();
  relay_gone("The VM ended.");
  if (guest) link_close(guest);
  guest = NULL;
}
void vm_broken(const char *why) {
  if (broken) return;
  broken = *why != 0;
  end_link();
}

static void on_control(struct link *l, int type, struct tlv payload) {
  (void)l, (void)type;
  if (tlv_get_number(payload, TAG_VERSION, 0) != WIRE_VERSION) vm_broken("another version");
}
static void link_lost(struct link *l, const char *why) {
  (void)l;
  guest = NULL;
  vm_broken(why);
}

static void relayed(struct request *r) { relay_request(r, NULL); }
static void removed(struct request *r) { return broken ? request_ok(r) : relay_request(r, NULL); }
static const struct backend backend = {
    .prepare = relayed, .start = relayed, .exec = relayed, .tool = relayed, .signal = relayed, .resize = relayed,
    .remove = removed, .update = relayed, .resolve_user = relayed, .says_hello = true,
};

// --- the clients
static struct conversation clients[CLIENTS];
static bool slow[CLIENTS];
static void hear(struct conversation *c, int type, const void *payload, size_t length) {
  static char heard[WIRE_MAX_PAYLOAD]; // so that all of it is read
  (void)c, (void)type;
  if (length) memcpy(heard, payload, length);
}
static bool takes(struct conversation *c) { return !slow[c - clients]; }
static void taken(struct conversation *c, size_t length) { (void)c, (void)length; }
static void ended(struct conversation *c, bool now) { (void)c, (void)now; }
static const struct transport transport = {hear, takes, taken, ended};

static void hang_up(struct conversation *c) {
  if (c->handler) c->handler->gone(c);
  *c = (struct conversation){0};
}

static void ask(unsigned who, int type, unsigned what, struct tlv data) {
  static const char *const containers[] = {"a", "b"}, *const execs[] = {"x", "y"};
  struct conversation *c = &clients[who];
  if (c->closing) hang_up(c);
  if (!c->handler) {
    *c = (struct conversation){.transport = &transport, .handler = &service_handler};
    c->handler->opened(c);
  }
  if (type == FRAME_STDIN) return c->handler->frame(c, type, data);
  struct tlv_writer w = {0};
  tlv_string(&w, TAG_CONTAINER, containers[what & 1]);
  if (type == FRAME_EXEC || what & 2) tlv_string(&w, TAG_EXEC, execs[what >> 2 & 1]);
  tlv_number(&w, TAG_STDIN, what >> 3 & 1);
  tlv_number(&w, TAG_TERMINAL, what >> 4 & 1);
  tlv_number(&w, TAG_SIGNAL, 9);
  tlv_number(&w, TAG_FLAGS, type == FRAME_EXEC ? (what >> 5 & 1) * EXEC_DETACHED : what >> 5);
  c->handler->frame(c, type, (struct tlv){w.data, w.length});
  tlv_free(&w);
}

// What ran ends with the VM, and is forgotten.
static void forget_all(void) {
  const struct exit_status end = {.code = 137};
  while (service_containers()) {
    struct container *c = service_containers();
    process_exited(c->main, &end);
    for (int stream = FRAME_STDOUT; stream <= FRAME_STDERR; stream++) process_output_end(c->main, stream);
    ask(0, FRAME_DELETE, c->id[0] == 'b', (struct tlv){0});
    hang_up(&clients[0]);
    if (service_containers() == c) abort();
  }
}

static void stop(struct timer *t) {
  (void)t;
  loop_stop(0);
}

static void turn(void) {
  static struct timer now;
  timer_start(&now, 0, stop);
  loop_run();
}

static void child(pid_t pid, int status) { (void)pid, (void)status; }

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc, (void)argv;
  struct error error;
  must(loop_init(child, &error) == 0, "loop_init");
  service_init(&backend);
  return 0;
}

// The input is a course of events: a byte says which, another how much.
static void event(uint8_t what, uint8_t much, int wire, const uint8_t **data, size_t *size) {
  static const int asked[] = {FRAME_PREPARE, FRAME_START, FRAME_ATTACH, FRAME_EXEC, FRAME_TOOL,
                              FRAME_SIGNAL, FRAME_RESIZE, FRAME_DELETE, FRAME_STATE, FRAME_STDIN};
  unsigned who = what >> 3 & 7;
  size_t length = *size < much * 4u ? *size : much * 4u;
  struct tlv data_of = {*data, length};
  if ((what & 7) < 4) {
    must(broken || write(wire, *data, length) >= 0 || errno == EAGAIN, "the guest's end");
    *data += length;
    *size -= length;
  } else if (who >= CLIENTS) {
    return;
  } else if ((what & 7) < 6) {
    ask(who, asked[much % (sizeof asked / sizeof *asked)], what >> 6 | (much >> 4) << 2, data_of);
  } else if ((what & 7) == 6) {
    slow[who] = !slow[who];
    if (!slow[who] && clients[who].handler && clients[who].handler->writable)
      clients[who].handler->writable(&clients[who]);
  } else {
    hang_up(&clients[who]);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const struct link_handler ours = {.control = on_control, .broken = link_lost};
  int ends[2];
  struct error error;
  char waste[65536];
  must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0, "socketpair");
  broken = false;
  must((guest = link_open(ends[0], &ours, NULL, &error)) != NULL, "link_open");
  gone_why = NULL;
  relay_ready(guest);
  own_requests_begin(guest);
  for (unsigned events = 0; size > 2 && events < 256; events++) {
    uint8_t what = data[0], much = data[1];
    data += 2, size -= 2;
    event(what, much, ends[1], &data, &size);
    if (what & 4 && much & 1) continue; // not every one is heard of at once
    turn();
    while (read(ends[1], waste, sizeof waste) > 0) {}
  }
  if (!broken) vm_broken("the end");
  turn();
  for (int i = 0; i < CLIENTS; i++) {
    slow[i] = false;
    hang_up(&clients[i]);
  }
  turn();
  forget_all();
  if (relays || tools || sessions) abort();
  close(ends[1]);
  return 0;
}
