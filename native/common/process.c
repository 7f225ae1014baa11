// Processes: their life, who is attached, input on its way in and output on its way out. See service.h.
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "handle.h"
#include "service_private.h"

enum {
  LINGER_MS = 2000, // how long output of children that outlive a process is waited for, as dockerd does
  KEPT_STATUSES = 64,
};

struct input {
  struct input *next;
  struct conversation *from; // NULL once it is gone
  size_t at, length;
  bool end; // end of file
  uint8_t data[];
};

struct process *tools;
static int starts_pending;
static struct { pid_t pid; int status; } kept[KEPT_STATUSES];
static unsigned kept_at;

void service_start_pending(int delta) {
  starts_pending += delta;
  if (starts_pending == 0) memset(kept, 0, sizeof kept);
}

struct process *process_new(struct container *container, const char *exec_id) {
  struct process *p = calloc(1, sizeof *p);
  if (!p || (exec_id && !(p->exec_id = strdup(exec_id)))) return free(p), NULL;
  p->container = container;
  p->input_tail = &p->input;
  return p;
}

static void input_clear(struct process *p) {
  while (p->input) {
    struct input *i = p->input;
    p->input = i->next;
    if (i->from) conversation_consumed(i->from, i->length - i->at);
    free(i);
  }
  p->input_tail = &p->input;
}

static void stdio_free(struct process *p) {
  if (p->ops) p->ops->free(p);
  p->ops = NULL;
  p->stdio = NULL;
}

void process_release(struct process *p) {
  if (!p->forgotten || p->uses > 0) return;
  free(p->exec_id);
  free(p);
}

void process_forget(struct process *p) {
  if (p->forgotten) return;
  p->forgotten = true;
  timer_stop(&p->linger);
  while (p->attachments) {
    struct conversation *c = p->attachments->conversation;
    attachment_drop(p->attachments);
    conversation_close(c);
  }
  input_clear(p);
  stdio_free(p);
  for (struct process **at = p->container ? &p->container->execs : &tools; *at; at = &(*at)->next)
    if (*at == p) {
      *at = p->next;
      break;
    }
  process_release(p);
}

// --- who is attached

int process_attach(struct process *p, struct conversation *c, unsigned want) {
  struct attachment *a = calloc(1, sizeof *a);
  if (!a) return -1;
  struct attachment **tail = &p->attachments;
  while (*tail) tail = &(*tail)->next;
  *tail = a;
  *a = (struct attachment){c, p, want, NULL};
  ((struct session *)c->user)->attachment = a;
  return 0;
}

static void input_append(struct process *p, struct conversation *from, const void *data, size_t length, bool end) {
  struct input *i = malloc(sizeof *i + length);
  if (!i) {
    if (from) conversation_abort(from);
    return;
  }
  *i = (struct input){.from = from, .length = length, .end = end};
  if (length) memcpy(i->data, data, length);
  *p->input_tail = i;
  p->input_tail = &i->next;
}

void attachment_drop(struct attachment *a) {
  struct process *p = a->process;
  for (struct input *i = p->input; i; i = i->next)
    if (i->from == a->conversation) i->from = NULL;
  for (struct attachment **at = &p->attachments; *at; at = &(*at)->next)
    if (*at == a) {
      *at = a->next;
      break;
    }
  ((struct session *)a->conversation->user)->attachment = NULL;
  bool ends_input = a->want & STREAM_STDIN && p->stdin_once && p->state == PROCESS_RUNNING && !p->input_ended;
  free(a);
  if (p->forgotten) return;
  if (p->tool && p->state == PROCESS_RUNNING) {
    if (p->pid == 0) return process_forget(p); // a relay's: the guest ends it when its channel closes
    kill(p->pid, SIGKILL);
  }
  if (ends_input) {
    input_append(p, NULL, NULL, 0, true);
    process_input_ready(p);
  }
  process_maybe_resume(p);
}

// --- input

static bool input_wanted(const struct process *p) {
  return (p->state == PROCESS_STARTING || (p->stdin_open && p->state == PROCESS_RUNNING)) && !p->input_ended;
}

void process_input(struct process *p, struct conversation *from, struct tlv data) {
  bool allowed = ((struct session *)from->user)->attachment->want & STREAM_STDIN;
  if (data.length == 0) {
    // Before the start nobody knows yet whether the end of one client's input is the end of all.
    if (!allowed || !input_wanted(p) || (p->state != PROCESS_STARTING && !p->stdin_once)) return;
    input_append(p, from, NULL, 0, true);
  } else if (!allowed || !input_wanted(p)) {
    return conversation_consumed(from, data.length);
  } else {
    size_t taken = 0;
    if (!p->input && p->state == PROCESS_RUNNING) {
      long n = p->ops->write(p, data.data, data.length);
      if (n < 0) {
        p->input_ended = true;
        n = (long)data.length;
      }
      taken = (size_t)n;
      conversation_consumed(from, taken);
    }
    if (taken < data.length) input_append(p, from, data.data + taken, data.length - taken, false);
    return;
  }
  process_input_ready(p);
}

void process_input_ready(struct process *p) {
  if (p->state == PROCESS_STARTING) return;
  while (p->input) {
    struct input *i = p->input;
    if (!p->stdin_open || !p->ops || p->input_ended || p->state != PROCESS_RUNNING) return input_clear(p);
    if (i->end) {
      if (p->stdin_once) {
        p->input_ended = true;
        p->ops->end_input(p);
        return input_clear(p);
      }
    } else {
      long n = p->ops->write(p, i->data + i->at, i->length - i->at);
      if (n < 0) p->input_ended = true;
      if (n < 0) continue;
      i->at += (size_t)n;
      if (i->from) conversation_consumed(i->from, (size_t)n);
      if (i->at < i->length) return;
    }
    p->input = i->next;
    if (!p->input) p->input_tail = &p->input;
    free(i);
  }
}

// --- output

void process_stdio(struct process *p, const struct stdio_ops *ops, void *stdio, unsigned streams) {
  p->ops = ops;
  p->stdio = stdio;
  p->open_streams = streams;
}

bool process_takes_output(const struct process *p) {
  for (struct attachment *a = p->attachments; a; a = a->next)
    if (a->want & (STREAM_STDOUT | STREAM_STDERR) && !conversation_writable(a->conversation)) return false;
  return true;
}

void process_maybe_resume(struct process *p) {
  if (p->ops && (p->state == PROCESS_RUNNING || p->state == PROCESS_ENDING) && process_takes_output(p))
    p->ops->resume(p);
}

static bool is_main(const struct process *p) { return p->container && !p->exec_id; }

void process_output(struct process *p, int stream, const void *data, size_t length) {
  if (length == 0) return;
  if (is_main(p) && service_backend->output) service_backend->output(p, stream, data, length);
  unsigned flag = stream == FRAME_STDOUT ? STREAM_STDOUT : STREAM_STDERR;
  for (struct attachment *a = p->attachments; a; a = a->next)
    if (a->want & flag) conversation_send(a->conversation, stream, data, length);
}

static void process_end(struct process *p);

void process_output_end(struct process *p, int stream) {
  unsigned flag = stream == FRAME_STDOUT ? STREAM_STDOUT : STREAM_STDERR;
  if (!(p->open_streams & flag)) return;
  p->open_streams &= ~flag;
  for (struct attachment *a = p->attachments; a; a = a->next)
    if (a->want & flag) conversation_send(a->conversation, stream, NULL, 0);
  if (p->state == PROCESS_ENDING && p->open_streams == 0) process_end(p);
}

// --- start and end

void process_unstart(struct process *p) {
  p->state = PROCESS_STARTING;
  p->open_streams = 0;
  stdio_free(p);
}

static struct exit_status decode(int status) {
  struct exit_status e = {.finished_ns = realtime_ns()};
  if (WIFSIGNALED(status)) e.signal = WTERMSIG(status);
  e.code = e.signal ? 128 + e.signal : WEXITSTATUS(status);
  return e;
}

void process_begin(struct process *p) {
  p->state = PROCESS_RUNNING;
  p->started_ns = realtime_ns();
  process_input_ready(p);
  for (unsigned i = 0; i < KEPT_STATUSES; i++)
    if (p->pid > 0 && kept[i].pid == p->pid) {
      struct exit_status e = decode(kept[i].status);
      kept[i].pid = 0;
      return process_exited(p, &e);
    }
  process_maybe_resume(p);
}

static void lingered(struct timer *t) {
  struct process *p = container_of(t, struct process, linger);
  p->lingered = true;
  process_maybe_resume(p);
}

bool process_lingered(const struct process *p) { return p->lingered; }

void process_exited(struct process *p, const struct exit_status *status) {
  if (p->state != PROCESS_RUNNING) return;
  p->state = PROCESS_ENDING;
  p->exit = *status;
  if (is_main(p)) p->container->state = CONTAINER_EXITED;
  if (p->container && service_backend->exiting) service_backend->exiting(p);
  input_clear(p);
  p->uses++;
  if (p->open_streams && p->ops && p->ops->drain) p->ops->drain(p);
  if (p->state == PROCESS_ENDING) {
    if (p->open_streams == 0) process_end(p);
    else timer_start(&p->linger, LINGER_MS, lingered);
  }
  p->uses--;
  process_release(p);
}

void exit_write(struct tlv_writer *w, const struct process *p) {
  tlv_number(w, TAG_EXIT_CODE, p->exit.code);
  if (p->exit.signal) tlv_number(w, TAG_EXIT_SIGNAL, p->exit.signal);
  if (p->exit.oom_killed) tlv_number(w, TAG_OOM_KILLED, 1);
  tlv_number(w, TAG_FINISHED, p->exit.finished_ns);
}

static void tell_watchers(struct process *p) {
  for (struct session *s = sessions; s; s = s->next) {
    if (!s->watching) continue;
    struct tlv_writer w = {0};
    tlv_string(&w, TAG_EVENT, "exited");
    tlv_string(&w, TAG_CONTAINER, p->container->id);
    if (p->exec_id) tlv_string(&w, TAG_EXEC, p->exec_id);
    exit_write(&w, p);
    tlv_number(&w, TAG_TIME, p->exit.finished_ns);
    conversation_send_list(s->conversation, FRAME_EVENT, &w);
  }
}

static void process_end(struct process *p) {
  p->state = PROCESS_ENDED;
  p->uses++;
  timer_stop(&p->linger);
  stdio_free(p);
  while (p->attachments) {
    struct conversation *c = p->attachments->conversation;
    struct tlv_writer w = {0};
    exit_write(&w, p);
    conversation_send_list(c, FRAME_EXIT, &w);
    attachment_drop(p->attachments);
    conversation_close(c);
  }
  if (p->container) {
    if (is_main(p) && p->exit.oom_killed) service_event("oom", p->container, NULL);
    tell_watchers(p);
    if (service_backend->ended) service_backend->ended(p);
  } else process_forget(p);
  p->uses--;
  process_release(p);
}

static struct process *by_pid(struct process *list, pid_t pid) {
  while (list && !(list->pid == pid && list->state == PROCESS_RUNNING)) list = list->next;
  return list;
}

bool service_child(pid_t pid, int wait_status) {
  struct process *p = by_pid(tools, pid);
  for (struct container *c = service_containers(); c && !p; c = c->next) {
    p = by_pid(c->main, pid);
    if (!p) p = by_pid(c->execs, pid);
  }
  if (p) {
    struct exit_status e = decode(wait_status);
    process_exited(p, &e);
    return true;
  }
  if (starts_pending > 0) {
    kept[kept_at % KEPT_STATUSES].pid = pid;
    kept[kept_at++ % KEPT_STATUSES].status = wait_status;
  }
  return false;
}
