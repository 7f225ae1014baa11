// Owns one conversation with whoever asks: its frames in and out, and its back-pressure, over one of two transports:
// a unix connection (conversation_listen) or a channel of the guest's link (link.h). Knows nothing of requests.
//
//   accepted/opened ─frames▶ handler->frame() … ─hang-up, broken frame or conversation_close▶ handler->gone() ─▶ freed
//
// Sending never blocks and never fails: frames queue. Whoever produces stream frames in bulk asks conversation_writable
// first and waits for handler->writable; what it sends beyond that (at most what is left in a pipe at a process's end)
// queues.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "wire.h"

struct conversation;

// What a conversation's user wants to know; one for all conversations of a server.
struct conversation_handler {
  void (*opened)(struct conversation *);
  // A whole frame. The payload is only good until this returns. For a FRAME_STDIN the bytes count as held by the user
  // until conversation_consumed has given them back; the peer is stopped when too many are held.
  void (*frame)(struct conversation *, int type, struct tlv payload);
  // conversation_writable has become true again.
  void (*writable)(struct conversation *);
  // The peer has hung up or was broken, or everything queued before conversation_close is out. The last call.
  void (*gone)(struct conversation *);
};

// The transport's side; users call the functions below.
struct transport {
  void (*send)(struct conversation *, int type, const void *payload, size_t length);
  bool (*writable)(struct conversation *);
  void (*consumed)(struct conversation *, size_t length);
  void (*close)(struct conversation *, bool now);
};

struct conversation {
  const struct transport *transport;
  const struct conversation_handler *handler;
  bool closing; // conversation_close was called: nothing more is read or sent
  void *user;   // the handler's: the service keeps its state here
};

// Queues a frame. Stream payloads ≤ WIRE_MAX_CHUNK. Dropped when the conversation is closing.
void conversation_send(struct conversation *c, int type, const void *payload, size_t length);
// Sends and frees the list; a list that ran out of memory closes the conversation instead.
void conversation_send_list(struct conversation *c, int type, struct tlv_writer *list);
// Whether a further full stream frame may be sent without piling up.
bool conversation_writable(struct conversation *c);
// Gives back `length` bytes of STDIN payload that have been passed on.
void conversation_consumed(struct conversation *c, size_t length);
// Ends it after what is queued has gone out (`gone` is then called), or at once.
void conversation_close(struct conversation *c);
void conversation_abort(struct conversation *c);

// Ends the loop with code 0 once everything that was said has been taken by the peers' sockets, or after `limit_ms`:
// output that a slow reader has yet to take must not be cut off by the end of a program that holds it.
void conversation_end_all(int limit_ms);

// Listens, once, on a unix stream socket (made anew, mode 0600) and opens a conversation for each connection. Paths
// longer than sun_path are bound by way of /proc/self/fd.
int conversation_listen(const char *path, const struct conversation_handler *handler, struct error *error);
