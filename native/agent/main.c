// Owns the agent's life: make the guest, open the port, say HELLO, serve. The VM ends when the agent does (panic=-1).
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "agent.h"
#include "link.h"
#include "loop.h"

static const struct backend backend = {
  .configure = on_configure, .network = on_network, .prepare = on_prepare, .resolve_user = on_resolve_user,
  .start = on_start, .exec = on_exec, .tool = on_tool, .signal = on_signal, .pause = on_pause, .resume = on_resume,
  .update = on_update, .remove = on_remove, .shutdown = on_shutdown, .exiting = on_exiting, .start_attaches = true,
};

static void child_ended(pid_t pid, int status) { service_child(pid, status); }

// Nobody sends anything else there.
static void on_control(struct link *l, int type, struct tlv payload) {
  (void)l, (void)type, (void)payload;
}

static void on_broken(struct link *l, const char *why) {
  (void)l;
  fprintf(stderr, "agent: the link broke: %s\n", why);
  loop_stop(1);
}

static void say_hello(struct link *l) {
  struct tlv_writer hello = {0};
  tlv_number(&hello, TAG_VERSION, WIRE_VERSION);
  tlv_number(&hello, TAG_PID, getpid());
  tlv_string(&hello, TAG_STATE, "ready");
  link_send(l, FRAME_HELLO, hello.data, hello.length);
  tlv_free(&hello);
}

static int serve(struct error *error) {
  static const struct link_handler handler = {.control = on_control, .broken = on_broken};
  if (guest_init(error) || loop_init(child_ended, error)) return -1;
  int port = port_open("agent", error);
  service_init(&backend);
  struct link *l = port < 0 ? NULL : link_open(port, &handler, &service_handler, error);
  if (!l) return -1;
  say_hello(l);
  loop_run();
  return error_set(error, "internal", 0, "the agent stopped");
}

int main(void) {
  struct error error = {.message = "unknown"};
  serve(&error);
  // The console is the supervisor's worker log: the one place where this can be read.
  fprintf(stderr, "agent: %s\n", error.message);
  sync();
  reboot(RB_POWER_OFF);
  return 1;
}
