// The kind hyperv: one VM for the sandbox, whose agent does what is asked for. This file owns the VM's life and what
// the supervisor adds to the agent's answers (logs, exit files).
//
//   booting ◀─late, once: another worker─┐
//   booting ─HELLO on the link▶ ready ─SHUTDOWN answered, or late▶ ending ─worker reaped▶ program ends with 0
//      └───────────────────────────┴─link broken, or worker ended by itself▶ failed: watchers are told, program ends
//      with 1
//
// A VM that dies takes its containers without an exit status: there is none, and nobody makes one up.
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "handle.h"
#include "vm.h"

// A guest that boots under emulation on a busy machine hangs now and then (measured: once in a hundred boots); the next
// one doesn't.
enum {
  BOOT_LIMIT_MS = 60000, CLONE_LIMIT_MS = 20000, BOOT_TRIES = 2, SHUTDOWN_AT_ONCE = 1, SHUTDOWN_LIMIT_MS = 10000,
  TELL_MS = 100, REAP_MS = 500,
};

static struct worker worker = {.pid = -1, .process = -1, .agent = -1, .qmp = -1, .output = -1};
static struct link *agent;
static enum { BOOTING, READY, ENDING, FAILED } state;
static struct request *shutting_down;
static bool agent_shut_down, booting_again;
static struct taps taps;
static int tries;
static struct timer boot_limit, shutdown_limit, leave, lost;
static char broken_why[200];

static void leave_now(struct timer *t) {
  (void)t;
  worker_kill(&worker);
  loop_stop(1);
}

static void fail_vm(const char *why) {
  if (state == FAILED || state == ENDING) return;
  state = FAILED;
  timer_stop(&lost);
  char tail[200], message[400];
  console_tail(tail, sizeof tail);
  snprintf(message, sizeof message, "%s%s%s", why, *tail ? " The last of its console: " : "", tail);
  console_save();
  fprintf(stderr, "supervisor: %s\n", message);
  worker_kill(&worker);
  own_requests_end();
  relay_gone(message);
  qmp_fail();
  if (agent) link_close(agent);
  agent = NULL;
  service_event("sandbox-failed", NULL, message);
  if (shutting_down) {
    request_ok(shutting_down);
    shutting_down = NULL;
  }
  // What has been told must reach them before our end cuts their connections.
  timer_start(&leave, TELL_MS, leave_now);
}

void vm_broken(const char *why) { fail_vm(why); }

// --- the agent's link

void vm_answered(void) { timer_stop(&boot_limit); }

// The agent of a template or a parent is copied as it is: nothing of this supervisor's may be under way in it.
static void requests_begin(void) {
  if (vm_has_flag(PLAN_TEMPLATE | PLAN_PARENT)) vm_answered();
  else own_requests_begin(agent);
}

static void on_control(struct link *l, int type, struct tlv payload) {
  if (type != FRAME_HELLO || state != BOOTING) return fail_vm("The guest sent an unexpected message.");
  if (tlv_get_number(payload, TAG_VERSION, 0) != WIRE_VERSION)
    return fail_vm("The guest speaks another version of the protocol: run set-up again.");
  state = READY;
  relay_ready(l);
  requests_begin();
}

// The template's agent has said HELLO long ago.
void vm_cloned(void) {
  if (state != BOOTING || !agent) return;
  state = READY;
  relay_ready(agent);
  requests_begin();
}

static void link_lost(struct timer *t) {
  (void)t;
  fail_vm(broken_why);
}

// Mostly the worker has died, and its parent is about to hear how, which is the better reason.
static void on_broken(struct link *l, const char *why) {
  (void)l;
  agent = NULL;
  own_requests_end();
  relay_ready(NULL);
  snprintf(broken_why, sizeof broken_why, "The link to the VM broke: %s.", why);
  if (state != FAILED && state != ENDING) timer_start(&lost, REAP_MS, link_lost);
}

static void boot_late(struct timer *t) {
  (void)t;
  // A clone that fails is its maker's to replace by one that boots.
  if (tries >= BOOT_TRIES || state != BOOTING || vm_has_flag(PLAN_UP)) return fail_vm("The VM did not boot in time.");
  fprintf(stderr, "supervisor: the VM did not boot in time; trying another\n");
  console_save();
  booting_again = true;
  link_close(agent);
  agent = NULL;
  qmp_close();
  console_leave();
  worker_kill(&worker);
}

static int boot(struct error *error) {
  static const struct link_handler handler = {.control = on_control, .broken = on_broken};
  tries++;
  booting_again = false;
  if (worker_start(&worker, &taps, error) || console_watch(worker.output, error) || qmp_open(worker.qmp, error))
    return -1;
  if (!(agent = link_open(worker.agent, &handler, NULL, error))) return -1;
  timer_start(&boot_limit, vm_has_flag(PLAN_UP) ? CLONE_LIMIT_MS : BOOT_LIMIT_MS, boot_late);
  return 0;
}

void vm_worker_ended(pid_t pid, int status) {
  if (pid != worker.pid) return;
  worker.pid = -1;
  if (state == ENDING) {
    if (shutting_down) request_ok(shutting_down);
    shutting_down = NULL;
    conversation_end_all(LAST_WORDS_MS);
    return;
  }
  if (state == BOOTING && booting_again) {
    struct error error;
    if (boot(&error)) fail_vm(error.message);
    return;
  }
  char message[128];
  if (status < 0) snprintf(message, sizeof message, "The VM's worker process ended.");
  else if (WIFSIGNALED(status))
    snprintf(message, sizeof message, "The VM's worker process was killed by signal %d.", WTERMSIG(status));
  else snprintf(message, sizeof message, "The VM's worker process ended with %d.", WEXITSTATUS(status));
  fail_vm(message);
}

// No child of ours is the service's: its processes are the guest's.
static bool child_ended(pid_t pid, int status) {
  vm_worker_ended(pid, status);
  return true;
}

// --- requests

static void on_relay(struct request *r) { relay_request(r, NULL); }

static void prepared(struct request *r, bool good) {
  if (good) return;
  log_close(r->container->user);
  r->container->user = NULL;
}

static void on_prepare(struct request *r) {
  struct error error = {0};
  exit_file_remove(r->container->id);
  r->container->user = log_open(r->payload, &error);
  if (!r->container->user && error.code[0]) return request_fail(r, &error);
  relay_request(r, prepared);
}

static void removed(struct request *r, bool good) {
  if (!good || !r->container) return;
  log_close(r->container->user);
  r->container->user = NULL;
  exit_file_remove(r->container->id);
}

static void on_remove(struct request *r) {
  // Nothing of it has reached the guest.
  if (!r->container || r->container->state == CONTAINER_ABSENT) {
    removed(r, true);
    return request_ok(r);
  }
  relay_request(r, removed);
}

static bool any_running(void) {
  for (struct container *c = service_containers(); c; c = c->next)
    if (c->main->state == PROCESS_RUNNING || c->main->state == PROCESS_ENDING) return true;
  return false;
}

static void end_worker(void) {
  if (state == FAILED || state == ENDING) return;
  state = ENDING;
  timer_stop(&shutdown_limit);
  timer_stop(&boot_limit);
  // Its disks are as the guest's last sync left them, in the host's page cache: a kill loses nothing.
  worker_kill(&worker);
}

static void shutdown_late(struct timer *t) {
  (void)t;
  end_worker();
}

void vm_agent_shut_down(void) {
  agent_shut_down = true;
  if (!any_running()) end_worker();
}

static void on_shutdown(struct request *r) {
  bool at_once = tlv_get_number(r->payload, TAG_FLAGS, 0) & SHUTDOWN_AT_ONCE;
  if (shutting_down) return request_failf(r, "conflict", 0, "The sandbox is already being shut down.");
  if (state == FAILED) return request_ok(r);
  shutting_down = r;
  // A VM that still boots has nothing to lose, and what is thrown away needs no end in order.
  if (state == BOOTING || at_once) return end_worker();
  struct tlv_writer empty = {0};
  relay_send_alone(FRAME_SHUTDOWN, &empty);
  timer_start(&shutdown_limit, SHUTDOWN_LIMIT_MS, shutdown_late);
}

// A VM that waited for somebody to need it: its directory has been renamed, and its interface is.
static void on_adopt(struct request *r) {
  struct error error = {0};
  auto_free char *directory = tlv_get_string(r->payload, TAG_PATH),
                 *interface = tlv_get_string(r->payload, TAG_HOST_NAME);
  if (service_containers()) return request_failf(r, "conflict", 0, "The VM already has a container.");
  if (!directory) return request_failf(r, "invalid-argument", 0, "The sandbox has no directory.");
  if (plan_move(directory, &error) || (interface && tap_rename(taps.count ? taps.fds[0] : -1, interface, &error)))
    return request_fail(r, &error);
  request_ok(r);
}

static void on_exiting(struct process *p) {
  if (!p->exec_id) exit_file_write(p);
}

static void on_ended(struct process *p) {
  if (agent_shut_down && !p->exec_id && !any_running()) end_worker();
}

static void on_output(struct process *p, int stream, const void *data, size_t length) {
  if (p->container->user) log_write(p->container->user, stream, data, length);
}

static const struct backend backend = {
    .configure = on_relay,
    .network = on_relay,
    .prepare = on_prepare,
    .resolve_user = on_relay,
    .start = on_relay,
    .exec = on_relay,
    .tool = on_relay,
    .signal = on_relay,
    .resize = on_relay,
    .pause = on_relay,
    .resume = on_relay,
    .update = on_relay,
    .remove = on_remove,
    .shutdown = on_shutdown,
    .adopt = on_adopt,
    .qmp = qmp_request,
    .exiting = on_exiting,
    .ended = on_ended,
    .output = on_output,
    .says_hello = true,
};

static int setup(struct error *error) {
  return keeper_start(error) || taps_open(&taps, error) || clock_watch(error) || boot(error) ? -1 : 0;
}

const struct kind kind_hyperv = {&backend, setup, child_ended};
