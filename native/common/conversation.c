#include "conversation.h"

void conversation_send(struct conversation *c, int type, const void *payload, size_t length) {
  if (!c->closing) c->transport->send(c, type, payload, length);
}

void conversation_send_list(struct conversation *c, int type, struct tlv_writer *list) {
  if (list->failed || list->length > WIRE_MAX_PAYLOAD) conversation_abort(c);
  else conversation_send(c, type, list->data, list->length);
  tlv_free(list);
}

bool conversation_writable(struct conversation *c) { return c->closing || c->transport->writable(c); }

void conversation_consumed(struct conversation *c, size_t length) {
  if (length > 0) c->transport->consumed(c, length);
}

void conversation_close(struct conversation *c) {
  if (c->closing) return;
  c->closing = true;
  c->transport->close(c, false);
}

void conversation_abort(struct conversation *c) {
  c->closing = true;
  c->transport->close(c, true);
}
