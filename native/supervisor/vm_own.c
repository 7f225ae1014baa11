// What the supervisor itself asks of the agent: news of exits, forgetting of execs, the shutdown. Nobody waits for
// these answers but us.
#include <string.h>

#include "handle.h"
#include "vm.h"

static struct link *agent;

static void alone_frame(struct conversation *c, int type, struct tlv payload) {
  (void)payload;
  if (type != FRAME_REPLY && type != FRAME_ERROR) return vm_broken("The guest gave an answer that was not asked for.");
  bool was_shutdown = c->user != NULL;
  conversation_close(c);
  if (was_shutdown) vm_agent_shut_down();
}

static void gone(struct conversation *c) { (void)c; }

void relay_send_alone(int type, struct tlv_writer *list) {
  static const struct conversation_handler handler = {NULL, alone_frame, NULL, gone};
  struct error error;
  struct conversation *c = agent ? link_channel(agent, &handler, &error) : NULL;
  if (!c) return tlv_free(list);
  c->user = type == FRAME_SHUTDOWN ? &agent : NULL;
  conversation_send_list(c, type, list);
}

// An exit is told before its last output has come through, so that a client that reads slowly doesn't hide it.
static void watch_frame(struct conversation *c, int type, struct tlv payload) {
  (void)c;
  if (type == FRAME_REPLY) return vm_answered();
  if (type != FRAME_EVENT) return vm_broken("The guest gave an answer that was not asked for.");
  auto_free char *event = tlv_get_string(payload, TAG_EVENT), *container = tlv_get_string(payload, TAG_CONTAINER),
                 *exec = tlv_get_string(payload, TAG_EXEC);
  if (event && container && strcmp(event, "exited") == 0) relay_exit_known(container, exec);
}

void own_requests_begin(struct link *l) {
  clock_guest(l);
  static const struct conversation_handler handler = {NULL, watch_frame, NULL, gone};
  struct error error;
  struct tlv_writer empty = {0};
  agent = l;
  struct conversation *c = link_channel(l, &handler, &error);
  if (c) conversation_send_list(c, FRAME_WATCH, &empty);
}

void own_requests_end(void) {
  agent = NULL;
  clock_guest(NULL);
}
