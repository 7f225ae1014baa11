// Owns what is done to running containers: signals, freezing, limits; and the end of the VM.
#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "agent.h"

static struct guest *running(struct request *r) {
  struct guest *g = r->container ? r->container->user : NULL;
  if (g && g->cgroup) return g;
  request_failf(r, "container-not-running", 0, "The container is not running.");
  return NULL;
}

static void answer(struct request *r, int failed, const struct error *error) {
  if (failed) request_fail(r, error);
  else request_ok(r);
}

void on_signal(struct request *r) {
  struct error error;
  struct guest *g = running(r);
  if (!g) return;
  int signal = (int)tlv_get_number(r->payload, TAG_SIGNAL, 0), failed = 0;
  if (tlv_get_number(r->payload, TAG_FLAGS, 0) & 1) failed = cgroup_signal_all(g->cgroup, signal, &error);
  else if (r->process->pid <= 1 || kill(r->process->pid, signal))
    failed =
        error_set(&error, errno == ESRCH ? "container-not-running" : "internal", errno, "Could not send the signal");
  answer(r, failed, &error);
}

void on_pause(struct request *r) {
  struct error error;
  struct guest *g = running(r);
  if (g) answer(r, cgroup_freeze(g->cgroup, true, &error), &error);
}

void on_resume(struct request *r) {
  struct error error;
  struct guest *g = running(r);
  if (g) answer(r, cgroup_freeze(g->cgroup, false, &error), &error);
}

void on_update(struct request *r) {
  struct error error;
  struct guest *g = running(r);
  if (g) answer(r, cgroup_apply(g->cgroup, r->payload, &error), &error);
}

void on_exiting(struct process *p) {
  struct guest *g = p->container ? p->container->user : NULL;
  // For the main process alone, as Docker has it. The kernel counts kills by any shortage, the VM's own included.
  if (g && g->cgroup && !p->exec_id) p->exit.oom_killed = cgroup_oom_kills(g->cgroup) > 0;
}

// The host ends the VM once this is answered: everything is on its disks then.
void on_shutdown(struct request *r) {
  for (struct container *c = service_containers(); c; c = c->next) guest_forget(c, false, NULL);
  sync();
  request_ok(r);
}
