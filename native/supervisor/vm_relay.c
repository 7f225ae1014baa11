// Requests on their way to the agent and back: one channel for each. While the VM boots they wait. An answer that makes
// no sense ends the VM. Streams are vm_process.c's.
#include <string.h>

#include "handle.h"
#include "vm.h"

struct relay *relays;
static struct link *agent;
static const char *gone_why;

void relay_free(struct relay *relay) {
  for (struct relay **at = &relays; *at; at = &(*at)->next)
    if (*at == relay) {
      *at = relay->next;
      break;
    }
  free(relay);
}

static void finish(struct relay *relay, bool good) {
  struct request *r = relay->request;
  relay->request = NULL;
  if (relay->done) relay->done(r, good);
}

static void fail(struct relay *relay, const char *code, const char *why) {
  struct request *r = relay->request;
  finish(relay, false);
  request_failf(r, code, 0, "%s", why);
}

static void copy_list(struct tlv_writer *w, struct tlv list, int without) {
  size_t at = 0;
  int tag;
  struct tlv value;
  while (tlv_next(list, &at, &tag, &value) == 1)
    if (tag != without) tlv_bytes(w, (enum tag)tag, value.data, value.length);
}

// A guest's words may end on somebody's terminal.
static void copy_printable(char *to, size_t size, const char *from) {
  size_t n = 0;
  for (; from[n] && n < size - 1; n++) to[n] = (unsigned char)from[n] < ' ' || from[n] == 127 ? ' ' : from[n];
  to[n] = 0;
}

static void take_error(struct relay *relay, struct tlv payload) {
  struct error error = {.code = "internal", .message = "The guest refused without a reason."};
  auto_free char *code = tlv_get_string(payload, TAG_CODE), *message = tlv_get_string(payload, TAG_MESSAGE);
  if (code) copy_printable(error.code, sizeof error.code, code);
  if (message) copy_printable(error.message, sizeof error.message, message);
  struct request *r = relay->request;
  finish(relay, false);
  request_fail(r, &error);
  conversation_close(relay->channel);
}

static bool makes_process(const struct request *r) {
  return r->type == FRAME_START || r->type == FRAME_EXEC || r->type == FRAME_TOOL;
}

static void take_reply(struct relay *relay, struct tlv payload) {
  struct request *r = relay->request;
  if (makes_process(r)) {
    pid_t pid = (pid_t)tlv_get_number(payload, TAG_PID, 0);
    finish(relay, true);
    return relay_process_start(relay, r, pid);
  }
  struct tlv_writer copy = {0};
  copy_list(&copy, payload, -1);
  finish(relay, true);
  request_reply(r, &copy);
  conversation_close(relay->channel);
}

static void on_frame(struct conversation *c, int type, struct tlv payload) {
  struct relay *relay = c->user;
  if (relay->request && type == FRAME_REPLY) take_reply(relay, payload);
  else if (relay->request && type == FRAME_ERROR) take_error(relay, payload);
  else if (!relay->request && relay->process) relay_process_frame(relay, type, payload);
  else if (relay->request) vm_broken("The guest gave an answer that was not asked for.");
  // Otherwise: the rest of a process that has been forgotten here.
  else if (type == FRAME_STDOUT || type == FRAME_STDERR) conversation_consumed(c, payload.length);
}

static void on_writable(struct conversation *c) {
  struct relay *relay = c->user;
  if (relay->process) process_input_ready(relay->process);
}

static void on_gone(struct conversation *c) {
  struct relay *relay = c->user;
  relay->channel = NULL;
  if (relay->request) fail(relay, "sandbox-gone", gone_why ? gone_why : "The VM ended.");
  // With a process, stdio's free() is still to come.
  if (!relay->process) relay_free(relay);
}

static const struct conversation_handler handler = {NULL, on_frame, on_writable, on_gone};

static void send_out(struct relay *relay) {
  struct error error = {0};
  struct request *r = relay->request;
  relay->opened = true;
  relay->channel = link_channel(agent, &handler, &error);
  if (!relay->channel) {
    fail(relay, "internal", "No channel to the guest is left.");
    return relay_free(relay);
  }
  relay->channel->user = relay;
  // A detached process is attached to by us: its exit comes that way.
  struct tlv_writer copy = {0};
  copy_list(&copy, r->payload, r->type == FRAME_EXEC ? TAG_FLAGS : -1);
  conversation_send_list(relay->channel, r->type, &copy);
}

void relay_request(struct request *r, relay_done *done) {
  struct relay *relay = calloc(1, sizeof *relay);
  if (!relay || gone_why) {
    if (done) done(r, false);
    free(relay);
    return request_failf(r, gone_why ? "sandbox-gone" : "internal", 0, "%s",
                         gone_why ? gone_why : "No memory is left.");
  }
  *relay = (struct relay){.request = r, .done = done};
  relay->held_tail = &relay->held;
  struct relay **tail = &relays;
  while (*tail) tail = &(*tail)->next;
  *tail = relay;
  if (agent) send_out(relay);
}

void relay_ready(struct link *l) {
  agent = l;
  if (!l) return;
  // In the order in which they came; answering one never frees another.
  for (struct relay *relay = relays; relay;) {
    struct relay *next = relay->next;
    if (!relay->opened) send_out(relay);
    relay = next;
  }
}

void relay_gone(const char *why) {
  static char kept[400];
  snprintf(kept, sizeof kept, "%s", why);
  gone_why = kept;
  agent = NULL;
  for (struct relay *relay = relays; relay;) {
    struct relay *next = relay->next;
    if (!relay->opened) {
      fail(relay, "sandbox-failed", kept);
      relay_free(relay);
    }
    relay = next;
  }
}
