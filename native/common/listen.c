// Conversations over unix stream sockets.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "buffer.h"
#include "conversation.h"
#include "unix_socket.h"
#include "handle.h"

enum {
  HELD_LIMIT = 64 << 10,  // STDIN bytes the user may hold before reading stops
  QUEUE_LIMIT = 64 << 10, // bytes queued for sending beyond which the conversation is not writable
  READ_SIZE = 64 << 10,
  LOOK_MS = 2,
  // How long a closed connection is read empty: closing it with unread bytes would throw away what was sent.
  FAREWELL_MS = 5000,
};

struct connection {
  struct conversation base;
  struct watch watch;
  int fd;
  struct buffer in, out;
  size_t held;
  bool eof, blocked, gone, farewell;
  bool parked; // hung up while input waits: out of the loop until there is room; output is thrown away
  struct timer later; // work that must not run inside a caller: parsing on, teardown
  struct connection *next; // all of them
};

static struct connection *connections;

static void later(struct timer *t);

static void soon(struct connection *c) {
  if (!c->later.armed) timer_start(&c->later, 0, later);
}

static void set_events(struct connection *c) {
  uint32_t events = (c->base.closing || c->held < HELD_LIMIT ? EPOLLIN : 0u) | (c->out.length ? EPOLLOUT : 0u);
  loop_modify(&c->watch, events);
}

static void destroy(struct connection *c) {
  struct connection **at = &connections;
  while (*at != c) at = &(*at)->next;
  *at = c->next;
  timer_stop(&c->later);
  loop_remove(&c->watch);
  close(c->fd);
  buffer_free(&c->in);
  buffer_free(&c->out);
  free(c);
}

static void finish(struct connection *c, bool now) {
  if (!c->gone) {
    c->gone = true;
    c->base.closing = true;
    c->base.handler->gone(&c->base);
  }
  if (now || c->eof || c->parked || c->farewell) return destroy(c);
  c->farewell = true;
  shutdown(c->fd, SHUT_WR);
  buffer_free(&c->in);
  loop_modify(&c->watch, EPOLLIN);
  timer_start(&c->later, FAREWELL_MS, later);
}

// 0, or -1 when the connection is broken.
static int flush(struct connection *c) {
  while (c->out.length > 0) {
    ssize_t n = send(c->fd, c->out.data + c->out.at, c->out.length, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
    buffer_take(&c->out, (size_t)n);
  }
  buffer_rest(&c->out);
  return 0;
}

static int parse(struct connection *c) {
  while (!c->base.closing && c->held < HELD_LIMIT && c->in.length >= WIRE_HEADER_BYTES) {
    struct frame_header header;
    if (frame_decode(c->in.data + c->in.at, &header) != 0 || header.channel != 0) return -1;
    if (c->in.length < WIRE_HEADER_BYTES + header.length) break;
    if (header.type == FRAME_STDIN) {
      if (header.length > WIRE_MAX_CHUNK) return -1;
      c->held += header.length;
    }
    struct tlv payload = {c->in.data + c->in.at + WIRE_HEADER_BYTES, header.length};
    c->base.handler->frame(&c->base, header.type, payload);
    buffer_take(&c->in, WIRE_HEADER_BYTES + header.length);
  }
  buffer_rest(&c->in);
  return 0;
}

static size_t wanted(const struct connection *c) {
  struct frame_header header;
  if (c->in.length < WIRE_HEADER_BYTES || frame_decode(c->in.data + c->in.at, &header) != 0)
    return c->in.capacity > 4096 ? READ_SIZE : 2048;
  size_t whole = WIRE_HEADER_BYTES + header.length;
  return whole > c->in.length && whole - c->in.length > READ_SIZE ? whole - c->in.length : READ_SIZE;
}

// Reads what there is, one buffer a turn so that conversations share. 0, or -1 at the end.
static int receive(struct connection *c) {
  size_t size = wanted(c);
  uint8_t *tail = buffer_reserve(&c->in, size);
  if (!tail) return -1;
  ssize_t n = recv(c->fd, tail, size, 0);
  if (n < 0) return errno == EAGAIN || errno == EINTR ? 0 : -1;
  if (n == 0) {
    c->eof = true;
    return -1;
  }
  c->in.length += (size_t)n;
  return parse(c);
}

static void later(struct timer *t) {
  struct connection *c = container_of(t, struct connection, later);
  if (c->farewell) return destroy(c);
  if (c->base.closing) {
    if (c->out.length == 0) finish(c, false);
    return;
  }
  if (parse(c) != 0) return finish(c, true);
  set_events(c);
}

static void ready(struct watch *w, uint32_t events) {
  struct connection *c = container_of(w, struct connection, watch);
  if (c->base.closing) {
    // Only flushing, or reading away what the peer still sends.
    char scrap[16384];
    ssize_t n = events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? recv(c->fd, scrap, sizeof scrap, 0) : -1;
    if (n == 0 || (n < 0 && errno != EAGAIN && events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return finish(c, true);
    if (c->farewell) return;
    if (flush(c) != 0) return finish(c, true);
    if (c->out.length == 0) return finish(c, false);
    return set_events(c);
  }
  if (events & EPOLLOUT) {
    if (flush(c) != 0) return finish(c, true);
    if (c->blocked && c->out.length <= QUEUE_LIMIT / 2) {
      c->blocked = false;
      c->base.handler->writable(&c->base);
    }
  }
  if (c->held >= HELD_LIMIT) {
    // What a peer that hung up has sent must still arrive.
    if (events & (EPOLLHUP | EPOLLERR)) {
      loop_remove(w);
      c->parked = true;
      buffer_free(&c->out);
      if (c->blocked) c->base.handler->writable(&c->base);
      c->blocked = false;
    }
    return;
  }
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR) && receive(c) != 0) return finish(c, true);
  set_events(c);
}

static void unix_send(struct conversation *base, int type, const void *payload, size_t length) {
  struct connection *c = container_of(base, struct connection, base);
  if (c->parked) return;
  uint8_t header[WIRE_HEADER_BYTES];
  frame_encode(header, (uint32_t)length, 0, (enum frame_type)type);
  size_t sent = 0;
  if (c->out.length == 0) {
    struct iovec parts[2] = {{header, sizeof header}, {(void *)(uintptr_t)payload, length}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    ssize_t n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    // An error shows again as EPOLLERR or EPOLLHUP; the bytes are then lost with the connection.
    sent = n < 0 ? 0 : (size_t)n;
  }
  size_t head = sent < sizeof header ? sent : sizeof header;
  if (buffer_append(&c->out, header + head, sizeof header - head) != 0 ||
      buffer_append(&c->out, (const uint8_t *)payload + (sent - head), length - (sent - head)) != 0)
    return conversation_abort(base);
  if (c->out.length > QUEUE_LIMIT) c->blocked = true;
  set_events(c);
}

static bool unix_writable(struct conversation *base) {
  struct connection *c = container_of(base, struct connection, base);
  if (c->parked || c->out.length <= QUEUE_LIMIT) return true;
  c->blocked = true;
  return false;
}

static void unix_consumed(struct conversation *base, size_t length) {
  struct connection *c = container_of(base, struct connection, base);
  bool stopped = c->held >= HELD_LIMIT;
  c->held -= length < c->held ? length : c->held;
  if (!stopped || c->held >= HELD_LIMIT || base->closing) return;
  if (c->parked) {
    if (loop_add(&c->watch, c->fd, 0, ready, NULL) != 0) return conversation_abort(base);
    c->parked = false;
  }
  soon(c);
}

static void unix_close(struct conversation *base, bool now) {
  struct connection *c = container_of(base, struct connection, base);
  if (c->gone) return;
  if (now) buffer_free(&c->out);
  if (now) c->eof = true;
  if (c->out.length == 0) soon(c);
  set_events(c);
}

static const struct transport unix_transport = {unix_send, unix_writable, unix_consumed, unix_close};

struct listener {
  struct watch watch;
  const struct conversation_handler *handler;
  struct timer retry;
};

static void listen_again(struct timer *t) {
  struct listener *l = container_of(t, struct listener, retry);
  loop_modify(&l->watch, EPOLLIN);
}

static void accept_one(struct watch *w, uint32_t events) {
  (void)events;
  struct listener *l = container_of(w, struct listener, watch);
  auto_fd fd = accept4(w->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  if (fd < 0) {
    if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return;
    // Out of descriptors: without a pause the loop would spin.
    loop_modify(w, 0);
    return timer_start(&l->retry, 100, listen_again);
  }
  struct connection *c = calloc(1, sizeof *c);
  if (!c) return;
  c->base = (struct conversation){.transport = &unix_transport, .handler = l->handler};
  if (loop_add(&c->watch, fd, EPOLLIN, ready, NULL) != 0) return free(c);
  c->fd = steal_fd(&fd);
  c->next = connections;
  connections = c;
  if (l->handler->opened) l->handler->opened(&c->base);
}

static struct timer ending;
static int64_t ends_by_ms;

static void end_when_sent(struct timer *t) {
  bool waits = false;
  for (struct connection *c = connections; c; c = c->next) waits |= c->out.length > 0;
  if (!waits || monotonic_ms() >= ends_by_ms) return loop_stop(0);
  timer_start(t, LOOK_MS, end_when_sent);
}

void conversation_end_all(int limit_ms) {
  ends_by_ms = monotonic_ms() + limit_ms;
  end_when_sent(&ending);
}

int conversation_listen(const char *path, const struct conversation_handler *handler, struct error *error) {
  auto_fd fd = unix_listen(path, SOCK_NONBLOCK, error);
  if (fd < 0) return -1;
  static struct listener l; // one a program, as long as it lives
  l.handler = handler;
  if (loop_add(&l.watch, fd, EPOLLIN, accept_one, error) != 0) return -1;
  steal_fd(&fd);
  return 0;
}
