#include "link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "buffer.h"

enum {
  LINK_QUEUE_LIMIT = 256 << 10, // bytes under way on the descriptor beyond which channels keep their frames
  MAX_CHANNELS = 4096,
};

// open ─conversation_close, queue sent▶ CLOSE sent, gone() ─CLOSE comes▶ freed
// open ─CLOSE comes▶ CLOSE sent, gone() ▶ freed
struct channel {
  struct conversation base;
  struct link *link;
  uint32_t id;
  struct buffer queue; // whole frames that wait for credit or for the descriptor
  size_t credit;       // stream bytes that may still be sent
  size_t held;         // stream bytes of the peer not yet given back
  size_t give_back;    // consumed, not yet told
  bool blocked, gone, close_sent, close_came;
  struct channel *next;
};

struct link {
  struct watch watch;
  const struct link_handler *handler;
  const struct conversation_handler *serve;
  void *user;
  struct buffer in, out;
  struct channel *channels;
  uint32_t next_id, count;
  const char *why; // set once it is to end
  bool closed_here, parsing;
  struct timer later;
};

static void later(struct timer *t);

static void soon(struct link *l) {
  if (!l->later.armed) timer_start(&l->later, 0, later);
}

static void break_link(struct link *l, const char *why) {
  if (!l->why) l->why = why;
  soon(l);
}

static bool is_stream(int type) { return type == FRAME_STDIN || type == FRAME_STDOUT || type == FRAME_STDERR; }

static void set_events(struct link *l) { loop_modify(&l->watch, EPOLLIN | (l->out.length ? EPOLLOUT : 0u)); }

static void flush(struct link *l) {
  while (l->out.length > 0) {
    ssize_t n = write(l->watch.fd, l->out.data + l->out.at, l->out.length);
    if (n < 0) {
      if (errno != EAGAIN && errno != EINTR) break_link(l, "the link cannot be written to");
      break;
    }
    buffer_take(&l->out, (size_t)n);
  }
  buffer_rest(&l->out);
  set_events(l);
}

static void put(struct link *l, uint32_t id, int type, const void *payload, size_t length) {
  if (l->why) return;
  uint8_t header[WIRE_HEADER_BYTES];
  frame_encode(header, (uint32_t)length, id, (enum frame_type)type);
  if (buffer_append(&l->out, header, sizeof header) != 0 || buffer_append(&l->out, payload, length) != 0)
    return break_link(l, "out of memory");
}

static void send_close(struct channel *c) {
  if (c->close_sent) return;
  c->close_sent = true;
  buffer_free(&c->queue);
  put(c->link, c->id, FRAME_CLOSE, NULL, 0);
}

// Moves what may go from a channel's queue to the descriptor's.
static void advance(struct channel *c) {
  struct link *l = c->link;
  while (c->queue.length >= WIRE_HEADER_BYTES && l->out.length < LINK_QUEUE_LIMIT) {
    struct frame_header header;
    const uint8_t *frame = c->queue.data + c->queue.at;
    frame_decode(frame, &header);
    if (is_stream(header.type)) {
      if (header.length > c->credit) break;
      c->credit -= header.length;
    }
    size_t whole = WIRE_HEADER_BYTES + header.length;
    if (buffer_append(&l->out, frame, whole) != 0) return break_link(l, "out of memory");
    buffer_take(&c->queue, whole);
  }
  buffer_rest(&c->queue);
  if (c->base.closing && c->queue.length == 0) {
    send_close(c);
    soon(l);
  }
}

static bool channel_writable(struct conversation *base) {
  struct channel *c = container_of(base, struct channel, base);
  if (c->close_sent) return true;
  if (c->queue.length == 0 && c->credit >= WIRE_MAX_CHUNK && c->link->out.length < LINK_QUEUE_LIMIT) return true;
  c->blocked = true;
  return false;
}

static void channel_send(struct conversation *base, int type, const void *payload, size_t length) {
  struct channel *c = container_of(base, struct channel, base);
  struct link *l = c->link;
  if (c->close_sent || l->why) return;
  if (c->queue.length == 0 && l->out.length < LINK_QUEUE_LIMIT && (!is_stream(type) || length <= c->credit)) {
    if (is_stream(type)) c->credit -= length;
    put(l, c->id, type, payload, length);
  } else {
    uint8_t header[WIRE_HEADER_BYTES];
    frame_encode(header, (uint32_t)length, c->id, (enum frame_type)type);
    if (buffer_append(&c->queue, header, sizeof header) != 0 || buffer_append(&c->queue, payload, length) != 0)
      return break_link(l, "out of memory");
  }
  // While parsing, everything goes out in one write at its end.
  if (!l->parsing) flush(l);
}

// In quarters of the window: a frame per chunk would double the link's traffic. A peer that doesn't read is told
// nothing more, and its window runs out; otherwise what it sends would grow our queue.
static void tell_consumed(struct channel *c) {
  struct link *l = c->link;
  if (c->close_sent || c->give_back < WIRE_LINK_WINDOW / 4 || l->out.length >= LINK_QUEUE_LIMIT) return;
  uint8_t raw[8];
  for (int i = 0; i < 8; i++) raw[i] = (uint8_t)((uint64_t)c->give_back >> (8 * i));
  c->give_back = 0;
  put(l, c->id, FRAME_WINDOW, raw, sizeof raw);
  if (!l->parsing) flush(l);
}

static void channel_consumed(struct conversation *base, size_t length) {
  struct channel *c = container_of(base, struct channel, base);
  if (length > c->held) length = c->held;
  c->held -= length;
  c->give_back += length;
  tell_consumed(c);
}

static void channel_close(struct conversation *base, bool now) {
  struct channel *c = container_of(base, struct channel, base);
  if (now || c->queue.length == 0) send_close(c);
  soon(c->link);
}

static const struct transport channel_transport = {channel_send, channel_writable, channel_consumed, channel_close};

static void tell_gone(struct channel *c) {
  if (c->gone) return;
  c->gone = true;
  c->base.closing = true;
  c->base.handler->gone(&c->base);
}

static void destroy(struct link *l) {
  const struct link_handler *handler = l->handler;
  for (struct channel *c = l->channels; c; c = c->next) tell_gone(c);
  while (l->channels) {
    struct channel *c = l->channels;
    l->channels = c->next;
    buffer_free(&c->queue);
    free(c);
  }
  timer_stop(&l->later);
  int fd = l->watch.fd;
  loop_remove(&l->watch);
  if (!l->closed_here) handler->broken(l, l->why);
  close(fd);
  buffer_free(&l->in);
  buffer_free(&l->out);
  free(l);
}

// Tells and frees outside of everybody's calls.
static void later(struct timer *t) {
  struct link *l = container_of(t, struct link, later);
  if (l->why) return destroy(l);
  for (struct channel **at = &l->channels; *at;) {
    struct channel *c = *at;
    if (c->close_sent) tell_gone(c);
    if (c->close_sent && c->close_came) {
      for (at = &l->channels; *at != c; at = &(*at)->next) {}
      *at = c->next;
      l->count--;
      buffer_free(&c->queue);
      free(c);
    } else at = &c->next;
  }
  flush(l);
}

static struct channel *find(struct link *l, uint32_t id) {
  struct channel *c = l->channels;
  while (c && c->id != id) c = c->next;
  return c;
}

static struct channel *add(struct link *l, uint32_t id, const struct conversation_handler *handler) {
  struct channel *c = l->count < MAX_CHANNELS ? calloc(1, sizeof *c) : NULL;
  if (!c) return NULL;
  *c = (struct channel){.base = {.transport = &channel_transport, .handler = handler},
                        .link = l,
                        .id = id,
                        .credit = WIRE_LINK_WINDOW,
                        .next = l->channels};
  l->channels = c;
  l->count++;
  return c;
}

static int window_frame(struct channel *c, struct tlv payload) {
  if (payload.length != 8) return -1;
  uint64_t n = 0;
  for (int i = 0; i < 8; i++) n |= (uint64_t)payload.data[i] << (8 * i);
  if (n > WIRE_LINK_WINDOW - c->credit) return -1;
  c->credit += n;
  advance(c);
  return 0;
}

static void frame(struct link *l, const struct frame_header *header, struct tlv payload) {
  if (header->channel == 0) return l->handler->control ? l->handler->control(l, header->type, payload) : (void)0;
  struct channel *c = find(l, header->channel);
  if (c && c->close_came) {
    // Both have closed; the number is used again before our own clearing up has run.
    later(&l->later);
    c = find(l, header->channel);
    if (c) return break_link(l, "a frame came on a channel that was closed");
  }
  if (!c) {
    if (!l->serve || header->type == FRAME_CLOSE || header->type == FRAME_WINDOW)
      return break_link(l, "a frame came on a channel that is not open");
    c = add(l, header->channel, l->serve);
    if (!c) return break_link(l, "too many channels are open");
    if (l->serve->opened) l->serve->opened(&c->base);
  }
  if (header->type == FRAME_CLOSE) {
    c->close_came = true;
    c->base.closing = true;
    send_close(c);
    return soon(l);
  }
  if (header->type == FRAME_WINDOW) {
    if (window_frame(c, payload) != 0) break_link(l, "a window was returned that was never used");
    return;
  }
  if (is_stream(header->type)) {
    if (header->length > WIRE_MAX_CHUNK || header->length > WIRE_LINK_WINDOW - c->held - c->give_back)
      return break_link(l, "a stream exceeded its window");
    c->held += header->length;
  }
  if (!c->base.closing) c->base.handler->frame(&c->base, header->type, payload);
}

static void parse(struct link *l) {
  l->parsing = true;
  while (!l->why && l->in.length >= WIRE_HEADER_BYTES) {
    struct frame_header header;
    const uint8_t *at = l->in.data + l->in.at;
    if (frame_decode(at, &header) != 0) {
      break_link(l, "a frame has an invalid header");
      break;
    }
    if (l->in.length < WIRE_HEADER_BYTES + header.length) break;
    frame(l, &header, (struct tlv){at + WIRE_HEADER_BYTES, header.length});
    buffer_take(&l->in, WIRE_HEADER_BYTES + header.length);
  }
  l->parsing = false;
  buffer_rest(&l->in);
}

// Channels that wait for the descriptor, in turn: the list is rotated so that none starves.
static void wake_channels(struct link *l) {
  for (struct channel *c = l->channels; c; c = c->next) {
    advance(c);
    tell_consumed(c);
  }
  for (struct channel *c = l->channels; c && l->out.length < LINK_QUEUE_LIMIT / 2; c = c->next) {
    if (!c->blocked || c->base.closing || c->queue.length > 0 || c->credit < WIRE_MAX_CHUNK) continue;
    c->blocked = false;
    c->base.handler->writable(&c->base);
  }
  if (l->channels && l->channels->next && l->out.length >= LINK_QUEUE_LIMIT) {
    struct channel *first = l->channels, *last = first;
    while (last->next) last = last->next;
    l->channels = first->next;
    first->next = NULL;
    last->next = first;
  }
}

static void ready(struct watch *w, uint32_t events) {
  struct link *l = container_of(w, struct link, watch);
  if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
    uint8_t *tail = buffer_reserve(&l->in, WIRE_MAX_CHUNK);
    ssize_t n = tail ? read(w->fd, tail, WIRE_MAX_CHUNK) : -1;
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) return break_link(l, "the other end is gone");
    if (n > 0) {
      l->in.length += (size_t)n;
      parse(l);
    } else if (events & EPOLLHUP) return break_link(l, "the other end is gone");
  }
  flush(l);
  wake_channels(l);
  flush(l);
}

struct link *link_open(int fd, const struct link_handler *handler, const struct conversation_handler *serve,
                       struct error *error) {
  struct link *l = calloc(1, sizeof *l);
  if (!l) return error_set(error, "internal", ENOMEM, "cannot open the link"), NULL;
  l->handler = handler;
  l->serve = serve;
  l->next_id = 1;
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  if (loop_add(&l->watch, fd, EPOLLIN, ready, error) != 0) return free(l), NULL;
  return l;
}

void link_send(struct link *l, int type, const void *payload, size_t length) {
  put(l, 0, type, payload, length);
  if (!l->parsing) flush(l);
}

void link_close(struct link *l) {
  l->closed_here = true;
  break_link(l, "closed");
}

void *link_user(struct link *l) { return l->user; }
void link_set_user(struct link *l, void *user) { l->user = user; }

struct conversation *link_channel(struct link *l, const struct conversation_handler *handler, struct error *error) {
  if (l->why) return error_set(error, "sandbox-gone", 0, "the link to the guest is closed"), NULL;
  while (l->next_id == 0 || find(l, l->next_id)) l->next_id++;
  struct channel *c = add(l, l->next_id++, handler);
  if (!c) return error_set(error, "conflict", 0, "too many conversations with the guest are open"), NULL;
  return &c->base;
}
