// QEMU's monitor is the supervisor's; a client may borrow it, one at a time, as raw bytes. Before that the files it
// names are handed to QEMU, which nobody but their opener can do: `add-fd` with the descriptor beside it. No JSON is
// understood here: replies are lines with "return" or "error" at their first brace.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "buffer.h"
#include "handle.h"
#include "vm.h"

enum { MAX_LINE = 1 << 20 };

static struct watch monitor = {.fd = -1};
static struct buffer in, out;
static struct request *waiting;      // its files are being handed over
static size_t waiting_at;            // where in its list
static struct conversation *borrower;
static size_t borrowed;              // bytes at the end of `out` that are the borrower's
static bool greeted;
static bool ready;                   // capabilities have been negotiated, and what a clone needs has been asked for
static int answers_wanted = 1;       // until it is

// What QEMU says waits in the socket, and QEMU with it, while a borrower is slow; what a borrower says waits while QEMU
// is.
static bool takes_lines(void) { return !borrower || conversation_writable(borrower); }

static void set_events(void) {
  loop_modify(&monitor, (takes_lines() ? EPOLLIN : 0u) | (out.length ? EPOLLOUT : 0u));
}

static void flush_out(void) {
  while (out.length) {
    ssize_t n = write(monitor.fd, out.data + out.at, out.length);
    if (n <= 0) break;
    buffer_take(&out, (size_t)n);
  }
  size_t passed = borrowed > out.length ? borrowed - out.length : 0;
  borrowed -= passed;
  if (passed && borrower) conversation_consumed(borrower, passed);
  set_events();
}

static void finish(const struct error *error);

// A command with the descriptor that it speaks of. Nothing else may wait in `out`.
static int send_with(const char *command, int fd) {
  char control[CMSG_SPACE(sizeof(int))] = {0};
  size_t n = strlen(command);
  struct iovec v = {(char *)command, n};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &fd, sizeof(int));
  return sendmsg(monitor.fd, &m, MSG_NOSIGNAL) == (ssize_t)n ? 0 : -1;
}

static int send_file(struct tlv file, struct error *error) {
  auto_free char *path = tlv_get_string(file, TAG_PATH);
  bool writable = tlv_get_number(file, TAG_FLAGS, 0) & 1;
  auto_fd fd = path ? open(path, (writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY) : -1;
  if (fd < 0) return error_set(error, "internal", errno, "Could not open a disk of the VM");
  char command[128];
  snprintf(command, sizeof command, "{\"execute\":\"add-fd\",\"arguments\":{\"fdset-id\":%lld}}\n",
           (long long)tlv_get_number(file, TAG_OFFSET, -1));
  return send_with(command, fd) ? error_set(error, "internal", errno, "Could not hand a disk to the VM") : 0;
}

// Hands over the next file of the waiting request; when none is left the request ends.
static void next_file(void) {
  int tag;
  struct tlv value;
  struct error error = {0};
  while (tlv_next(waiting->payload, &waiting_at, &tag, &value) == 1) {
    if (tag != TAG_FILE) continue;
    if (send_file(value, &error)) finish(&error);
    return;
  }
  finish(NULL);
}

static void take_lines(void);

static void client_frame(struct conversation *c, int type, struct tlv payload) {
  if (type != FRAME_STDIN || buffer_append(&out, payload.data, payload.length)) return conversation_abort(c);
  borrowed += payload.length;
  flush_out();
}

static void client_writable(struct conversation *c) {
  (void)c;
  take_lines();
}

static void client_gone(struct conversation *c) {
  if (borrower != c) return;
  borrower = NULL;
  borrowed = 0;
  take_lines();
}

static const struct conversation_handler client = {NULL, client_frame, client_writable, client_gone};

static void finish(const struct error *error) {
  struct request *r = waiting;
  struct tlv_writer empty = {0};
  waiting = NULL;
  if (error) request_fail(r, error);
  else borrower = request_take(r, &client, &empty);
}

// A clone runs on as soon as its state has come, since the template ran when it was saved.
static void greet(void) {
  if (greeted) return vm_broken("QEMU sent a second greeting.");
  greeted = true;
  static const char capabilities[] = "{\"execute\":\"qmp_capabilities\"}\n";
  static const char take[] = "{\"execute\":\"getfd\",\"arguments\":{\"fdname\":\"saved\"}}\n";
  static const char clone[] =
      "{\"execute\":\"migrate-set-capabilities\",\"arguments\":{\"capabilities\":[{\"capability\":\"x-ignore-shared\","
      "\"state\":true}]}}\n"
      "{\"execute\":\"migrate-incoming\",\"arguments\":{\"uri\":\"fd:saved\"}}\n";
  buffer_append(&out, capabilities, sizeof capabilities - 1);
  flush_out();
  struct error error = {0};
  auto_fd saved = memory_open(TAG_SAVED, &error);
  if (saved < 0 && error.code[0]) return vm_broken(error.message);
  if (saved >= 0 && send_with(take, saved)) return vm_broken("The template's state cannot be handed to QEMU.");
  if (saved >= 0) answers_wanted++;
  if (vm_has_flag(PLAN_CLONE | PLAN_PARENT)) {
    buffer_append(&out, clone, sizeof clone - 1);
    answers_wanted += 2;
  }
  flush_out();
}

static void take_line(const char *line, size_t length) {
  bool bad = length > 8 && memmem(line, length, "\"error\": {", 10) == line + 1;
  bool good = length > 9 && memmem(line, length, "\"return\":", 9) == line + 1;
  if (memmem(line, length, "\"QMP\":", 6) == line + 1) return greet();
  if (!ready && (good || bad)) {
    if (bad) return vm_broken("QEMU cannot make a clone of the VM's template.");
    if (--answers_wanted) return;
    ready = true;
    if (vm_has_flag(PLAN_UP)) vm_cloned();
    if (waiting) next_file();
  } else if (waiting && (good || bad)) {
    struct error error;
    if (bad) error_set(&error, "internal", 0, "QEMU did not take a disk");
    if (bad) finish(&error);
    else next_file();
  } else if (borrower) {
    for (size_t at = 0, n; at < length; at += n) {
      n = length - at < WIRE_MAX_CHUNK ? length - at : WIRE_MAX_CHUNK;
      conversation_send(borrower, FRAME_STDOUT, line + at, n);
    }
  }
}

static void take_lines(void) {
  uint8_t *end = NULL;
  while (in.length && takes_lines() && (end = memchr(in.data + in.at, '\n', in.length))) {
    size_t length = (size_t)(end - (in.data + in.at)) + 1;
    take_line((const char *)in.data + in.at, length);
    buffer_take(&in, length);
  }
  // What has no end yet, and what a hung-up QEMU left in its socket.
  if (in.length > MAX_LINE) vm_broken("The VM's monitor sent a line without an end.");
  buffer_rest(&in);
  set_events();
}

static void monitor_ready(struct watch *w, uint32_t events) {
  if (events & EPOLLOUT) flush_out();
  if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
  uint8_t *room = buffer_reserve(&in, 65536);
  ssize_t n = room ? read(w->fd, room, 65536) : -1;
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) { // the worker's end is noticed by its parent
    int fd = w->fd;
    loop_remove(w);
    close(fd);
    return;
  }
  in.length += (size_t)n;
  take_lines();
}

void qmp_close(void) {
  int fd = monitor.fd;
  loop_remove(&monitor);
  close_fd(&fd);
  buffer_free(&in);
  buffer_free(&out);
  ready = greeted = false;
  borrowed = 0;
  answers_wanted = 1;
}

int qmp_open(int fd, struct error *error) {
  static const char go_on[] = "{\"execute\":\"cont\"}\n";
  if (loop_add(&monitor, fd, EPOLLIN, monitor_ready, error)) return -1;
  // A fork has been greeted as its parent, and stands still.
  greeted = vm_has_flag(PLAN_FORK);
  if (greeted) buffer_append(&out, go_on, sizeof go_on - 1), flush_out();
  return 0;
}

void qmp_request(struct request *r) {
  if (waiting || borrower) return request_failf(r, "conflict", 0, "The VM's monitor is already in use.");
  if (monitor.fd < 0) return request_failf(r, "sandbox-gone", 0, "The VM ended.");
  waiting = r;
  waiting_at = 0;
  if (ready) next_file();
}

void qmp_fail(void) {
  if (!waiting) return;
  struct error error;
  error_set(&error, "sandbox-gone", 0, "The VM ended.");
  finish(&error);
}
