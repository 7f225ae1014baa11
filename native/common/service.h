// Owns the serving side of docs/protocol.md: requests and their answers, the table of containers and processes, who is
// attached to whose streams, exit statuses kept until deleted, watchers. Supervisor and guest agent both are a service
// with a backend; what differs between them is behind struct backend and struct stdio_ops.
//
//   container: absent ─PREPARE▶ prepared ─START▶ running ─its process ends▶ exited ─DELETE▶ absent
//   process:   starting ─request_started▶ running ─process_exited▶ ending ─all output has come▶ ended (EXIT is told)
//
// Order is promised: REPLY to START/EXEC, then output, then EXIT; backend->exiting before anybody is told of an exit.
#pragma once
#include "conversation.h"

enum { STREAM_STDIN = 1, STREAM_STDOUT = 2, STREAM_STDERR = 4, EXEC_DETACHED = 8 };

struct exit_status {
  int code; // 0–255; 128 + signal where a signal ended it
  int signal;
  bool oom_killed;
  int64_t finished_ns;
};

enum process_state { PROCESS_STARTING, PROCESS_RUNNING, PROCESS_ENDING, PROCESS_ENDED };
enum container_state { CONTAINER_ABSENT, CONTAINER_PREPARED, CONTAINER_STARTING, CONTAINER_RUNNING, CONTAINER_EXITED };

struct process;
struct container;
struct request;

// How a process's stdio is reached: streams.h has the one for descriptors; a relay brings its own.
struct stdio_ops {
  // Takes input: returns how many bytes it took (fewer when the process is slow; then call process_input_ready when it
  // can take more), or -1 when the process reads no more (the rest is thrown away).
  long (*write)(struct process *, const void *data, size_t length);
  // End of file, after everything written.
  void (*end_input)(struct process *);
  // Output may flow (again). Until the first call none may be passed on. Sources pass on with process_output and stop
  // by themselves when process_takes_output is false.
  void (*resume)(struct process *);
  // 0 or -1; NULL when it has no terminal.
  int (*resize)(struct process *, unsigned rows, unsigned columns, struct error *);
  // The process has exited: pass on at once, without regard to process_takes_output, what it has left (bounded: a
  // pipe). May be NULL.
  void (*drain)(struct process *);
  // Closes and frees stdio. Called once, when all output has come or the process is forgotten.
  void (*free)(struct process *);
};

struct process {
  struct container *container; // NULL for a TOOL
  char *exec_id;               // NULL for a main process and a TOOL
  enum process_state state;
  pid_t pid;                   // as the one who runs it sees it; 0 when a relay runs it
  int64_t started_ns;
  struct exit_status exit;
  bool tool;                   // killed when its client hangs up
  bool stdin_open;             // input is wanted at all: otherwise it is thrown away
  bool stdin_once;  // end of an attached client's input is the end of the process's (always so for EXEC and TOOL)
  const struct stdio_ops *ops; // NULL until process_stdio
  void *stdio;                 // the ops' own
  void *user;                  // the backend's own
  // below: the service's
  unsigned open_streams;       // STREAM_STDOUT | STREAM_STDERR still to end
  bool lingered, input_ended;
  struct attachment *attachments;
  struct input *input, **input_tail;
  struct timer linger;
  unsigned uses;
  bool forgotten;
  struct process *next;
};

struct container {
  char *id;
  enum container_state state;
  struct process *main; // exists from the first ATTACH or PREPARE on
  struct process *execs;
  void *user; // the backend's own
  // below: the service's
  unsigned uses;
  bool forgotten;
  struct container *next;
};

// A request under way; lives until one of the request_* endings, also when its client hangs up before.
struct request {
  int type;
  struct tlv payload;            // a copy: good as long as the request
  struct conversation *conversation; // NULL once the client has hung up
  struct container *container;   // CONTAINER of the payload, or NULL (kept alive while the request lives)
  struct process *process;       // START, EXEC, TOOL: the new one; SIGNAL, RESIZE: the one meant
  void *user;                    // the backend's own
};

// What a backend does. Each takes the request and ends it now or later by exactly one request_* call. NULL answers
// `unsupported`.
struct backend {
  void (*configure)(struct request *);
  void (*network)(struct request *);
  void (*prepare)(struct request *); // request->container exists (absent); on request_reply it becomes prepared
  void (*resolve_user)(struct request *);
  void (*start)(struct request *);   // ends by request_started or request_fail
  void (*exec)(struct request *);    // the same
  void (*tool)(struct request *);    // the same
  void (*signal)(struct request *);  // TAG_SIGNAL is checked (1–64)
  void (*resize)(struct request *);  // NULL: process->ops->resize
  void (*pause)(struct request *);
  void (*resume)(struct request *);
  void (*update)(struct request *);
  // DELETE of a container that isn't running (or of an unknown one: container NULL); undo PREPARE. Execs are the
  // service's.
  void (*remove)(struct request *);
  void (*shutdown)(struct request *);
  void (*adopt)(struct request *);   // a sandbox that waited becomes somebody's
  void (*qmp)(struct request *);     // raw: see request_take
  // The status is known, nobody has been told: fill in oom_killed, write the exit file. May be NULL.
  void (*exiting)(struct process *);
  // All output has come, EXIT and the event are queued. May be NULL.
  void (*ended)(struct process *);
  // Tap: each piece of a main process's output, before it is sent. May be NULL.
  void (*output)(struct process *, int stream, const void *data, size_t length); // stream: FRAME_STDOUT or FRAME_STDERR
  // START makes its own conversation the main process's streams (the agent; the supervisor wants ATTACH).
  bool start_attaches;
  // Sent first on each conversation. The agent says HELLO on the link's channel 0 instead.
  bool says_hello;
};

// The service is one per program. Use its handler for conversation_listen and link_open.
void service_init(const struct backend *backend);
extern const struct conversation_handler service_handler;
// Tell of every child that loop_init's callback reports; false when it is none of a known process. Statuses of children
// that end while a start is pending are kept, so that a process may end before its pid is known.
bool service_child(pid_t pid, int wait_status);
// Every container of the table, for backends.
struct container *service_containers(void);
struct container *service_find(const char *id); // NULL
// EVENT to all watchers; container may be NULL.
void service_event(const char *event, struct container *container, const char *message);

// --- ends of a request
void request_ok(struct request *r);                               // empty REPLY
void request_reply(struct request *r, struct tlv_writer *list);   // REPLY; frees the list
void request_fail(struct request *r, const struct error *error);  // ERROR
__attribute__((format(printf, 4, 5))) void request_failf(struct request *r, const char *code, int errnum,
                                                         const char *format, ...);
// START, EXEC, TOOL: the process runs. Sets state and time, replies PID, attaches, lets output flow.
void request_started(struct request *r, pid_t pid);
// Ends the request with a REPLY and hands the conversation over to another handler (QMP, relays). NULL when the client
// is gone.
struct conversation *request_take(struct request *r, const struct conversation_handler *handler,
                                  struct tlv_writer *list);
// A start waits for a pid between these two (nestable): statuses of unknown children are kept meanwhile.
// request_started and request_fail do not call it.
void service_start_pending(int delta);

// --- a process's life, called by backends and stdio
// Gives a starting process its stdio. `streams`: which of STREAM_STDOUT | STREAM_STDERR will be ended by
// process_output_end.
void process_stdio(struct process *p, const struct stdio_ops *ops, void *stdio, unsigned streams);
bool process_takes_output(const struct process *p);
void process_output(struct process *p, int stream, const void *data, size_t length);
void process_output_end(struct process *p, int stream); // idempotent
void process_input_ready(struct process *p);
// Its exit is known (for local children the service itself calls it). Output may still come until both streams have
// ended.
void process_exited(struct process *p, const struct exit_status *status);
// Whether output that lingers after the exit need no longer be waited for: sources then end their streams when nothing
// is at hand.
bool process_lingered(const struct process *p);
