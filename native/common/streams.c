#include "streams.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "handle.h"

enum {
  READ_SIZE = 64 << 10,
  PIPE_SIZE = 256 << 10,
  TURNS = 4,                // reads of one stream before others get their turn
  DRAIN_LIMIT =
      4 << 20,  // more than any pipe holds by default; a child that outlives the process and floods is not waited for
  TERMINAL_REOPEN_MS = 100, // a terminal that nobody holds open at the moment is looked at again
};

struct source {
  struct watch watch;
  int fd; // -1 once it has ended
  int stream;
  struct local *local;
};

struct local {
  struct process *process;
  struct source out, err;
  struct watch in;
  int in_fd;
  bool terminal;
  int busy;
  bool dead;
  struct timer reopen;
};

static uint8_t scratch[READ_SIZE];

static void release(struct local *l) {
  if (l->dead && l->busy == 0) free(l);
}

static void source_end(struct source *s) {
  loop_remove(&s->watch);
  close(s->fd);
  s->fd = -1;
  if (!s->local->dead) process_output_end(s->local->process, s->stream);
}

static void readable(struct watch *w, uint32_t events);

static void reopen(struct timer *t) {
  struct local *l = container_of(t, struct local, reopen);
  if (l->out.fd >= 0 && l->out.watch.fd < 0) loop_add(&l->out.watch, l->out.fd, EPOLLIN, readable, NULL);
}

// Reads and passes on; with `limit` 0 as long as everybody can take more and for some turns, otherwise up to that many
// bytes.
static void pump(struct source *s, size_t limit) {
  struct local *l = s->local;
  struct process *p = l->process;
  size_t total = 0;
  for (int turn = 0; !l->dead && s->fd >= 0 && (limit ? total < limit : turn < TURNS); turn++) {
    if (!limit && !process_takes_output(p)) {
      // Out of the loop rather than masked: a hang-up would be reported again and again.
      return loop_remove(&s->watch);
    }
    ssize_t n = read(s->fd, scratch, sizeof scratch);
    if (n > 0) {
      total += (size_t)n;
      process_output(p, s->stream, scratch, (size_t)n);
    } else if (n < 0 && errno == EINTR) {
      continue;
    } else if (n < 0 && errno == EAGAIN) {
      if (process_lingered(p)) source_end(s);
      return;
    } else if (n < 0 && l->terminal && p->state == PROCESS_RUNNING) {
      loop_remove(&s->watch);
      return timer_start(&l->reopen, TERMINAL_REOPEN_MS, reopen);
    } else {
      return source_end(s);
    }
  }
}

static void readable(struct watch *w, uint32_t events) {
  (void)events;
  struct source *s = container_of(w, struct source, watch);
  struct local *l = s->local;
  l->busy++;
  pump(s, 0);
  l->busy--;
  release(l);
}

static void local_resume(struct process *p) {
  struct local *l = p->stdio;
  l->busy++;
  struct source *sources[] = {&l->out, &l->err};
  for (int i = 0; i < 2 && !l->dead; i++) {
    struct source *s = sources[i];
    if (s->fd < 0) continue;
    if (process_lingered(p)) pump(s, 0);
    if (!l->dead && s->fd >= 0 && s->watch.fd < 0 && !l->reopen.armed)
      loop_add(&s->watch, s->fd, EPOLLIN, readable, NULL);
  }
  l->busy--;
  release(l);
}

static void local_drain(struct process *p) {
  struct local *l = p->stdio;
  timer_stop(&l->reopen);
  l->busy++;
  if (l->out.fd >= 0) pump(&l->out, DRAIN_LIMIT);
  if (!l->dead && l->err.fd >= 0) pump(&l->err, DRAIN_LIMIT);
  l->busy--;
  if (!l->dead) local_resume(p);
  release(l);
}

static void input_possible(struct watch *w, uint32_t events) {
  (void)events;
  struct local *l = container_of(w, struct local, in);
  loop_remove(w);
  process_input_ready(l->process);
}

static long local_write(struct process *p, const void *data, size_t length) {
  struct local *l = p->stdio;
  if (l->in_fd < 0) return -1;
  size_t done = 0;
  while (done < length) {
    ssize_t n = write(l->in_fd, (const char *)data + done, length - done);
    if (n > 0) done += (size_t)n;
    else if (n < 0 && errno == EINTR) continue;
    else if (n < 0 && errno == EAGAIN) {
      if (l->in.fd < 0) loop_add(&l->in, l->in_fd, EPOLLOUT, input_possible, NULL);
      break;
    } else return -1;
  }
  return (long)done;
}

static void local_end_input(struct process *p) {
  struct local *l = p->stdio;
  // A terminal has no end: its users press Ctrl+D.
  if (l->terminal || l->in_fd < 0) return;
  loop_remove(&l->in);
  close(l->in_fd);
  l->in_fd = -1;
}

static int local_resize(struct process *p, unsigned rows, unsigned columns, struct error *error) {
  struct local *l = p->stdio;
  if (!l->terminal) return error_set(error, "conflict", 0, "The process has no terminal.");
  struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
  if (ioctl(l->in_fd, TIOCSWINSZ, &size) != 0) return error_set(error, "internal", errno, "cannot resize the terminal");
  return 0;
}

static void local_free(struct process *p) {
  struct local *l = p->stdio;
  l->dead = true;
  timer_stop(&l->reopen);
  loop_remove(&l->in);
  loop_remove(&l->out.watch);
  loop_remove(&l->err.watch);
  if (l->in_fd >= 0) close(l->in_fd);
  if (l->out.fd >= 0) close(l->out.fd);
  if (l->err.fd >= 0) close(l->err.fd);
  l->out.fd = l->err.fd = l->in_fd = -1;
  release(l);
}

static const struct stdio_ops local_ops = {local_write,  local_end_input, local_resume,
                                           local_resize, local_drain,     local_free};

static int adopt(struct process *p, int in, int out, int err, bool terminal, struct error *error) {
  struct local *l = calloc(1, sizeof *l);
  if (!l) return error_set(error, "internal", ENOMEM, "cannot keep a process's streams");
  l->process = p;
  l->in_fd = in;
  l->terminal = terminal;
  l->out = (struct source){.watch = {.fd = -1}, .fd = out, .stream = FRAME_STDOUT, .local = l};
  l->err = (struct source){.watch = {.fd = -1}, .fd = err, .stream = FRAME_STDERR, .local = l};
  l->in.fd = -1;
  unsigned streams = (out >= 0 ? STREAM_STDOUT : 0u) | (err >= 0 ? STREAM_STDERR : 0u);
  process_stdio(p, &local_ops, l, streams);
  return 0;
}

void stdio_ends_close(struct stdio_ends *ends) {
  close_fd(&ends->in);
  close_fd(&ends->out);
  close_fd(&ends->err);
  *ends = (struct stdio_ends){-1, -1, -1};
}

int stdio_pipes(struct process *p, bool discard, struct stdio_ends *ends, struct error *error) {
  *ends = (struct stdio_ends){-1, -1, -1};
  int in[2] = {-1, -1}, out[2] = {-1, -1}, err[2] = {-1, -1};
  int null = -1;
  if ((!p->stdin_open || discard) && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0) goto failed;
  if (p->stdin_open) {
    if (pipe2(in, O_CLOEXEC) != 0) goto failed;
  } else if ((in[0] = fcntl(null, F_DUPFD_CLOEXEC, 3)) < 0) goto failed;
  if (discard) {
    if ((out[1] = fcntl(null, F_DUPFD_CLOEXEC, 3)) < 0 || (err[1] = fcntl(null, F_DUPFD_CLOEXEC, 3)) < 0) goto failed;
  } else if (pipe2(out, O_CLOEXEC) != 0 || pipe2(err, O_CLOEXEC) != 0) goto failed;
  // A writer that may run ahead makes fewer, larger pieces of its output.
  if (out[0] >= 0) fcntl(out[0], F_SETPIPE_SZ, PIPE_SIZE);
  // Only our ends: the flag belongs to the open file, and each end of a pipe is one of its own.
  int ours[] = {in[1], out[0], err[0]};
  for (int i = 0; i < 3; i++)
    if (ours[i] >= 0) fcntl(ours[i], F_SETFL, fcntl(ours[i], F_GETFL) | O_NONBLOCK);
  if (adopt(p, in[1], out[0], err[0], false, error) != 0) goto close_all;
  close_fd(&null);
  *ends = (struct stdio_ends){in[0], out[1], err[1]};
  return 0;
failed:
  error_set(error, "internal", errno, "cannot make a process's streams");
close_all:
  for (int i = 0; i < 2; i++) {
    close_fd(&in[i]);
    close_fd(&out[i]);
    close_fd(&err[i]);
  }
  close_fd(&null);
  return -1;
}

int stdio_terminal(struct process *p, int master, unsigned rows, unsigned columns, struct error *error) {
  fcntl(master, F_SETFL, fcntl(master, F_GETFL) | O_NONBLOCK);
  fcntl(master, F_SETFD, FD_CLOEXEC);
  if (rows && columns) {
    struct winsize size = {.ws_row = (unsigned short)rows, .ws_col = (unsigned short)columns};
    ioctl(master, TIOCSWINSZ, &size);
  }
  // Input has a descriptor of its own: the loop takes each only once.
  auto_fd in = fcntl(master, F_DUPFD_CLOEXEC, 3);
  if (in < 0) return error_set(error, "internal", errno, "cannot keep a terminal");
  if (adopt(p, in, master, -1, true, error) != 0) return -1;
  steal_fd(&in);
  return 0;
}
