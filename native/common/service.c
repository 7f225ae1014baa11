// Requests: decoding, the state they need, their answers. See service.h.
#include "service.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "handle.h"
#include "service_private.h"

const struct backend *service_backend;
struct session *sessions;
static struct container *containers;

void service_init(const struct backend *backend) { service_backend = backend; }
struct container *service_containers(void) { return containers; }

struct container *service_find(const char *id) {
  struct container *c = containers;
  while (c && strcmp(c->id, id) != 0) c = c->next;
  return c;
}

// --- containers

static struct container *container_get(const char *id) {
  struct container *c = service_find(id);
  if (c) return c;
  c = calloc(1, sizeof *c);
  if (!c || !(c->id = strdup(id)) || !(c->main = process_new(c, NULL))) {
    if (c) free(c->id);
    free(c);
    return NULL;
  }
  c->next = containers;
  containers = c;
  return c;
}

static void container_release(struct container *c) {
  if (!c->forgotten || c->uses > 0) return;
  free(c->id);
  free(c);
}

static void container_forget(struct container *c) {
  if (c->forgotten) return;
  c->forgotten = true;
  while (c->execs) process_forget(c->execs);
  process_forget(c->main);
  c->main = NULL;
  for (struct container **at = &containers; *at; at = &(*at)->next)
    if (*at == c) {
      *at = c->next;
      break;
    }
  container_release(c);
}

static struct process *exec_find(struct container *c, const char *id) {
  struct process *p = c->execs;
  while (p && strcmp(p->exec_id, id) != 0) p = p->next;
  return p;
}

// --- ends of a request

static void request_free(struct request *r) {
  if (r->conversation) ((struct session *)r->conversation->user)->request = NULL;
  struct process *p = r->process;
  struct container *c = r->container;
  if (p) p->uses--, process_release(p);
  if (c) c->uses--, container_release(c);
  free((void *)(uintptr_t)r->payload.data);
  free(r);
}

void request_reply(struct request *r, struct tlv_writer *list) {
  if (r->type == FRAME_PREPARE) r->container->state = CONTAINER_PREPARED;
  if (r->type == FRAME_DELETE && r->container) container_forget(r->container);
  if (r->conversation) conversation_send_list(r->conversation, FRAME_REPLY, list);
  tlv_free(list);
  if (r->type == FRAME_SHUTDOWN && r->conversation) conversation_close(r->conversation);
  request_free(r);
}

void request_ok(struct request *r) {
  struct tlv_writer empty = {0};
  request_reply(r, &empty);
}

void request_fail(struct request *r, const struct error *error) {
  if (r->conversation) {
    struct tlv_writer w = {0};
    tlv_string(&w, TAG_CODE, error->code[0] ? error->code : "internal");
    tlv_string(&w, TAG_MESSAGE, error->message);
    if (error->errnum) tlv_number(&w, TAG_ERRNO, error->errnum);
    conversation_send_list(r->conversation, FRAME_ERROR, &w);
  }
  if (r->type == FRAME_START && r->process) {
    r->container->state = CONTAINER_PREPARED;
    process_unstart(r->process);
  } else if ((r->type == FRAME_EXEC || r->type == FRAME_TOOL) && r->process) process_forget(r->process);
  request_free(r);
}

void request_failf(struct request *r, const char *code, int errnum, const char *format, ...) {
  char text[400];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  struct error error;
  error_set(&error, code, errnum, "%s", text);
  request_fail(r, &error);
}

void request_started(struct request *r, pid_t pid) {
  struct process *p = r->process;
  p->pid = pid;
  if (r->type == FRAME_START) r->container->state = CONTAINER_RUNNING;
  struct conversation *c = r->conversation;
  if (c) {
    struct tlv_writer w = {0};
    tlv_number(&w, TAG_PID, pid);
    conversation_send_list(c, FRAME_REPLY, &w);
    bool attaches = r->type == FRAME_START ? service_backend->start_attaches
                                           : !(tlv_get_number(r->payload, TAG_FLAGS, 0) & EXEC_DETACHED);
    unsigned want = STREAM_STDOUT | STREAM_STDERR | (p->stdin_open ? STREAM_STDIN : 0u);
    if (attaches && process_attach(p, c, want) != 0) conversation_abort(c);
  }
  p->uses++;
  bool abandoned = p->tool && !c;
  request_free(r);
  process_begin(p);
  if (abandoned) process_forget(p);
  p->uses--;
  process_release(p);
}

static void session_end(struct conversation *c) {
  struct session *s = c->user;
  if (!s) return;
  if (s->request) s->request->conversation = NULL;
  if (s->attachment) attachment_drop(s->attachment);
  for (struct session **at = &sessions; *at; at = &(*at)->next)
    if (*at == s) {
      *at = s->next;
      break;
    }
  c->user = NULL;
  free(s);
}

struct conversation *request_take(struct request *r, const struct conversation_handler *handler,
                                  struct tlv_writer *list) {
  struct conversation *c = r->conversation;
  if (c) conversation_send_list(c, FRAME_REPLY, list);
  tlv_free(list);
  request_free(r);
  if (c) {
    session_end(c);
    c->handler = handler;
  }
  return c;
}

void service_event(const char *event, struct container *container, const char *message) {
  for (struct session *s = sessions; s; s = s->next) {
    if (!s->watching) continue;
    struct tlv_writer w = {0};
    tlv_string(&w, TAG_EVENT, event);
    if (container) tlv_string(&w, TAG_CONTAINER, container->id);
    if (message) tlv_string(&w, TAG_MESSAGE, message);
    tlv_number(&w, TAG_TIME, realtime_ns());
    conversation_send_list(s->conversation, FRAME_EVENT, &w);
  }
}

// --- requests

typedef void hook(struct request *);

static void run(struct request *r, hook *h) {
  if (h) h(r);
  else request_failf(r, "unsupported", 0, "This sandbox cannot do that.");
}

static void state_write(struct tlv_writer *w, const struct process *p, const char *state) {
  tlv_string(w, TAG_STATE, state);
  tlv_number(w, TAG_PID, p->pid);
  tlv_number(w, TAG_STARTED, p->started_ns);
  if (p->state >= PROCESS_ENDING) exit_write(w, p);
}

static void answer_state(struct request *r) {
  struct tlv_writer w = {0};
  for (struct container *c = containers; c; c = c->next) {
    if (c->state == CONTAINER_ABSENT) continue;
    struct tlv_writer one = {0};
    tlv_string(&one, TAG_CONTAINER, c->id);
    state_write(&one, c->main,
                c->state == CONTAINER_RUNNING  ? "running"
                : c->state == CONTAINER_EXITED ? "exited"
                                               : "prepared");
    for (struct process *p = c->execs; p; p = p->next) {
      if (p->state == PROCESS_STARTING) continue;
      struct tlv_writer exec = {0};
      tlv_string(&exec, TAG_EXEC, p->exec_id);
      state_write(&exec, p, p->state == PROCESS_RUNNING ? "running" : "exited");
      tlv_bytes(&one, TAG_EXEC, exec.data, exec.length);
      tlv_free(&exec);
    }
    tlv_bytes(&w, TAG_CONTAINER, one.data, one.length);
    tlv_free(&one);
  }
  request_reply(r, &w);
}

static void attach(struct request *r) {
  struct conversation *c = r->conversation;
  struct process *p = r->container->main;
  unsigned want = (unsigned)tlv_get_number(r->payload, TAG_FLAGS, STREAM_STDOUT | STREAM_STDERR);
  p->uses++;
  request_ok(r);
  if (p->state == PROCESS_ENDED) {
    struct tlv_writer w = {0};
    exit_write(&w, p);
    conversation_send_list(c, FRAME_EXIT, &w);
    conversation_close(c);
  } else if (process_attach(p, c, want) != 0) conversation_abort(c);
  p->uses--;
}

static void start(struct request *r) {
  struct container *c = r->container;
  if (c->state == CONTAINER_ABSENT)
    return request_failf(r, "container-not-found", 0, "The container was not prepared.");
  if (c->state != CONTAINER_PREPARED) return request_failf(r, "conflict", 0, "The container has already been started.");
  c->state = CONTAINER_STARTING;
  r->process = c->main;
  r->process->uses++;
  r->process->stdin_open = tlv_get_number(r->payload, TAG_STDIN, 0) == 1;
  r->process->stdin_once = service_backend->start_attaches || tlv_get_number(r->payload, TAG_STDIN_ONCE, 0) == 1;
  run(r, service_backend->start);
}

static void exec(struct request *r, const char *id) {
  struct container *c = r->container;
  if (c->state != CONTAINER_RUNNING)
    return request_failf(r, "container-not-running", 0, "The container is not running.");
  if (!id || exec_find(c, id)) return request_failf(r, "conflict", 0, "The exec's id is missing or already in use.");
  struct process *p = process_new(c, id);
  if (!p) return request_failf(r, "internal", ENOMEM, "cannot make a process");
  p->stdin_open = tlv_get_number(r->payload, TAG_STDIN, 0) == 1;
  p->stdin_once = true;
  p->next = c->execs;
  c->execs = p;
  r->process = p;
  p->uses++;
  run(r, service_backend->exec);
}

static void tool(struct request *r) {
  struct process *p = process_new(NULL, NULL);
  if (!p) return request_failf(r, "internal", ENOMEM, "cannot make a process");
  p->tool = p->stdin_once = true;
  p->stdin_open = tlv_get_number(r->payload, TAG_STDIN, 0) == 1;
  p->next = tools;
  tools = p;
  r->process = p;
  p->uses++;
  run(r, service_backend->tool);
}

// SIGNAL, RESIZE: the process meant must run.
static bool target(struct request *r, const char *exec_id) {
  struct process *p = exec_id ? exec_find(r->container, exec_id) : r->container->main;
  if (!p) return request_failf(r, "exec-not-found", 0, "No such exec."), false;
  if (p->state != PROCESS_RUNNING)
    return request_failf(r, exec_id ? "conflict" : "container-not-running", 0, "The process is not running."), false;
  r->process = p;
  p->uses++;
  return true;
}

static void resize(struct request *r) {
  struct process *p = r->process;
  if (service_backend->resize) return service_backend->resize(r);
  int64_t rows = tlv_get_number(r->payload, TAG_ROWS, 0), columns = tlv_get_number(r->payload, TAG_COLUMNS, 0);
  struct error error = {0};
  if (rows < 0 || rows > 65535 || columns < 0 || columns > 65535)
    return request_failf(r, "invalid-argument", 0, "The size of the terminal is not valid.");
  if (!p->ops || !p->ops->resize) return request_failf(r, "conflict", 0, "The process has no terminal.");
  if (p->ops->resize(p, (unsigned)rows, (unsigned)columns, &error) != 0) return request_fail(r, &error);
  request_ok(r);
}

static void forget(struct request *r, const char *exec_id) {
  struct container *c = r->container;
  if (exec_id) {
    struct process *p = c ? exec_find(c, exec_id) : NULL;
    if (p && p->state != PROCESS_ENDED) return request_failf(r, "conflict", 0, "The exec is running.");
    if (p) process_forget(p);
    r->type = FRAME_STATE; // its reply forgets no container
    return request_ok(r);
  }
  if (c && (c->state == CONTAINER_RUNNING || c->state == CONTAINER_STARTING))
    return request_failf(r, "container-running", 0, "The container is running.");
  if (service_backend->remove) service_backend->remove(r);
  else request_ok(r);
}

static void dispatch(struct request *r) {
  auto_free char *id = tlv_get_string(r->payload, TAG_CONTAINER), *exec_id = tlv_get_string(r->payload, TAG_EXEC);
  const struct backend *b = service_backend;
  bool makes = r->type == FRAME_PREPARE || r->type == FRAME_ATTACH;
  if (id) r->container = makes ? container_get(id) : service_find(id);
  if (r->container) r->container->uses++;
  switch (r->type) {
    case FRAME_CONFIGURE: return run(r, b->configure);
    case FRAME_NETWORK: return run(r, b->network);
    case FRAME_STATE: return answer_state(r);
    case FRAME_WATCH:
      ((struct session *)r->conversation->user)->watching = true;
      return request_ok(r);
    case FRAME_TOOL: return tool(r);
    case FRAME_DELETE: return forget(r, exec_id);
    case FRAME_SHUTDOWN: return run(r, b->shutdown);
    case FRAME_QMP: return run(r, b->qmp);
    case FRAME_ADOPT: return run(r, b->adopt);
  }
  if (!r->container) return request_failf(r, "container-not-found", 0, "No such container in this sandbox.");
  switch (r->type) {
    case FRAME_PREPARE:
      if (r->container->state != CONTAINER_ABSENT)
        return request_failf(r, "conflict", 0, "The container has already been prepared.");
      return run(r, b->prepare);
    case FRAME_RESOLVE_USER: return run(r, b->resolve_user);
    case FRAME_START: return start(r);
    case FRAME_ATTACH: return attach(r);
    case FRAME_EXEC: return exec(r, exec_id);
    case FRAME_SIGNAL: {
      int64_t signal = tlv_get_number(r->payload, TAG_SIGNAL, 0);
      if (signal < 1 || signal > 64) return request_failf(r, "invalid-argument", 0, "No such signal.");
      return target(r, exec_id) ? run(r, b->signal) : (void)0;
    }
    case FRAME_RESIZE: return target(r, exec_id) ? resize(r) : (void)0;
    case FRAME_PAUSE: return run(r, b->pause);
    case FRAME_RESUME: return run(r, b->resume);
    case FRAME_UPDATE: return run(r, b->update);
    default: return request_failf(r, "unsupported", 0, "No request has that number.");
  }
}

// --- the conversations' handler

static void opened(struct conversation *c) {
  struct session *s = calloc(1, sizeof *s);
  if (!s) return conversation_abort(c);
  s->conversation = c;
  s->next = sessions;
  sessions = s;
  c->user = s;
  if (!service_backend->says_hello) return;
  struct tlv_writer w = {0};
  tlv_number(&w, TAG_VERSION, WIRE_VERSION);
  tlv_number(&w, TAG_PID, getpid());
  conversation_send_list(c, FRAME_HELLO, &w);
}

static void frame(struct conversation *c, int type, struct tlv payload) {
  struct session *s = c->user;
  if (!s) return conversation_abort(c);
  if (type == FRAME_STDIN && s->attachment) return process_input(s->attachment->process, c, payload);
  // Out of turn: nobody can tell any more which answer belongs to what.
  if (type == FRAME_STDIN || s->request || s->attachment || s->watching) return conversation_abort(c);
  struct request *r = calloc(1, sizeof *r);
  uint8_t *copy = malloc(payload.length + 1);
  if (!r || !copy) {
    free(r);
    free(copy);
    return conversation_abort(c);
  }
  if (payload.length) memcpy(copy, payload.data, payload.length);
  *r = (struct request){.type = type, .payload = {copy, payload.length}, .conversation = c};
  s->request = r;
  dispatch(r);
}

static void writable(struct conversation *c) {
  struct session *s = c->user;
  if (s && s->attachment) process_maybe_resume(s->attachment->process);
}

const struct conversation_handler service_handler = {opened, frame, writable, session_end};
