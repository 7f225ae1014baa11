// A process in the guest as the service's stdio: input goes down the channel as far as its window allows; output that
// no client takes yet is held and not given back to the guest, which stops there. Held is at most a window, since a
// guest that exceeds it is cut off by the link. Once its exit is known, what an honest guest can still have on its way
// passes a slow reader by, so that he doesn't hide the exit; then his pace holds again.
#include <string.h>

#include "handle.h"
#include "vm.h"

// A window, a chunk, and two pipes of the usual 64 KiB are what was on its way; twice that.
enum { AHEAD_LIMIT = 4 * WIRE_LINK_WINDOW };

struct held {
  struct held *next;
  int type;
  size_t length;
  uint8_t data[];
};

static void pass(struct relay *relay, int type, const void *data, size_t length) {
  struct process *p = relay->process;
  if (length == 0) process_output_end(p, type);
  else process_output(p, type, data, length);
  if (relay->channel) conversation_consumed(relay->channel, length);
}

static bool may_pass(struct relay *relay) {
  if (process_takes_output(relay->process)) return true;
  if (relay->held->length > relay->ahead) return false;
  relay->ahead -= relay->held->length;
  return true;
}

static void drain(struct relay *relay) {
  while (relay->held && relay->process && relay->flowing && may_pass(relay)) {
    struct held *h = relay->held;
    relay->held = h->next;
    if (!relay->held) relay->held_tail = &relay->held;
    pass(relay, h->type, h->data, h->length);
    free(h);
  }
}

static void hold(struct relay *relay, int type, struct tlv data) {
  struct held *h = malloc(sizeof *h + data.length);
  if (!h) return vm_broken("No memory is left for the guest's output.");
  *h = (struct held){.type = type, .length = data.length};
  if (data.length) memcpy(h->data, data.data, data.length);
  *relay->held_tail = h;
  relay->held_tail = &h->next;
}

static void take_exit(struct relay *relay, struct tlv payload) {
  // The guest's clock is not ours. What it says of the code is bounded; that it is about itself is all the harm it can
  // do.
  int signal = (int)tlv_get_number(payload, TAG_EXIT_SIGNAL, 0);
  struct exit_status status = {.code = (int)tlv_get_number(payload, TAG_EXIT_CODE, 255) & 255,
                               .signal = signal > 0 && signal <= 64 ? signal : 0,
                               .oom_killed = tlv_get_number(payload, TAG_OOM_KILLED, 0) == 1,
                               .finished_ns = realtime_ns()};
  relay->flowing = true;
  relay->ahead = WIRE_LINK_WINDOW; // what is held is no more
  drain(relay);
  if (!relay->process) return;
  if (relay->process->open_streams) return vm_broken("The guest reported an exit before the end of the output.");
  process_exited(relay->process, &status);
}

void relay_process_frame(struct relay *relay, int type, struct tlv payload) {
  if (type == FRAME_EXIT) return take_exit(relay, payload);
  if (type != FRAME_STDOUT && type != FRAME_STDERR)
    return vm_broken("The guest sent data for something that is not a stream.");
  unsigned stream = type == FRAME_STDOUT ? STREAM_STDOUT : STREAM_STDERR;
  if (relay->ends & stream) return vm_broken("The guest sent output after its end.");
  if (payload.length == 0) relay->ends |= stream;
  hold(relay, type, payload);
  drain(relay);
}

static long op_write(struct process *p, const void *data, size_t length) {
  struct relay *relay = p->stdio;
  size_t sent = 0;
  if (!relay->channel) return -1;
  while (sent < length && conversation_writable(relay->channel)) {
    size_t n = length - sent < WIRE_MAX_CHUNK ? length - sent : WIRE_MAX_CHUNK;
    conversation_send(relay->channel, FRAME_STDIN, (const uint8_t *)data + sent, n);
    sent += n;
  }
  return (long)sent;
}

static void op_end_input(struct process *p) {
  struct relay *relay = p->stdio;
  if (relay->channel) conversation_send(relay->channel, FRAME_STDIN, NULL, 0);
}

static void op_resume(struct process *p) {
  struct relay *relay = p->stdio;
  relay->flowing = true;
  drain(relay);
}

// The guest's table forgets what ours keeps.
static void forget_exec(const struct process *p) {
  struct tlv_writer w = {0};
  tlv_string(&w, TAG_CONTAINER, p->container->id);
  tlv_string(&w, TAG_EXEC, p->exec_id);
  relay_send_alone(FRAME_DELETE, &w);
}

static void op_free(struct process *p) {
  struct relay *relay = p->stdio;
  if (p->exec_id && p->state >= PROCESS_ENDING) forget_exec(p);
  relay->process = NULL;
  while (relay->held) {
    struct held *h = relay->held;
    relay->held = h->next;
    free(h);
  }
  relay->held_tail = &relay->held;
  if (relay->channel) conversation_close(relay->channel);
  else relay_free(relay);
}

static const struct stdio_ops ops = {
    .write = op_write, .end_input = op_end_input, .resume = op_resume, .free = op_free};

void relay_process_start(struct relay *relay, struct request *r, pid_t pid) {
  bool terminal = tlv_get_number(r->payload, TAG_TERMINAL, 0);
  relay->process = r->process;
  process_stdio(r->process, &ops, relay, STREAM_STDOUT | (terminal ? 0u : STREAM_STDERR));
  // A number of the guest's processes means nothing here: a tool is ended by closing its channel.
  request_started(r, r->type == FRAME_TOOL ? 0 : pid);
}

void relay_exit_known(const char *container, const char *exec) {
  for (struct relay *relay = relays; relay; relay = relay->next) {
    struct process *p = relay->process;
    if (!p || !p->container || strcmp(p->container->id, container) ||
        strcmp(p->exec_id ? p->exec_id : "", exec ? exec : ""))
      continue;
    if (relay->exit_known) return; // a guest that tells it again gets no further allowance
    relay->exit_known = relay->flowing = true;
    relay->ahead = AHEAD_LIMIT;
    return drain(relay);
  }
}
