// Owns the multiplexed link between supervisor and guest agent: channels over one descriptor (virtio-serial port or
// socket), their windows and their closing handshake (docs/protocol.md). Both ends use it: the agent serves channels
// that the peer opens as conversations; the supervisor opens channels itself. Every byte from the other end is hostile:
// a broken frame, an exceeded window or a frame on a channel that is not open ends the link (`broken`), nothing else.
#pragma once
#include "conversation.h"

struct link;
struct channel;

struct link_handler {
  // Frames on channel 0 (HELLO). The payload is good until this returns.
  void (*control)(struct link *, int type, struct tlv payload);
  // The other end hung up or broke the protocol; every channel's gone() has been called. The last call.
  void (*broken)(struct link *, const char *why);
};

// Takes `fd` (non-blocking is set here). `serve` is NULL at the end that never has channels opened by the peer;
// otherwise each channel that the peer opens becomes a conversation with this handler.
struct link *link_open(int fd, const struct link_handler *handler, const struct conversation_handler *serve,
                       struct error *error);
// A frame on channel 0.
void link_send(struct link *l, int type, const void *payload, size_t length);
// Ends it: gone() for each channel, then frees; `broken` is not called.
void link_close(struct link *l);
void *link_user(struct link *l);
void link_set_user(struct link *l, void *user);

// Opens a channel with a number that is not in use. It is a conversation like any other: conversation_send / _writable
// / _consumed / _close work on it and `handler` hears of frames; the peer's REPLY, STDOUT, EXIT, … come through
// handler->frame, and stream payloads of either direction (STDIN, STDOUT, STDERR) are counted against the window, so
// that the user must give them back by conversation_consumed. handler->opened is not called.
struct conversation *link_channel(struct link *l, const struct conversation_handler *handler, struct error *error);
