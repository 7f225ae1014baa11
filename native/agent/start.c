// Owns START and EXEC in the guest: the container's control group, and what is in its namespaces. How the process gets
// there is common/launch.h.
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>

#include "agent.h"
#include "handle.h"

static int settle_names(struct launch *l, struct error *error) {
  auto_free char *host = tlv_get_string(l->plan, TAG_HOSTNAME);
  auto_free char *domain = tlv_get_string(l->plan, TAG_DOMAINNAME);
  if (host && sethostname(host, strlen(host)))
    return error_set(error, "invalid-argument", errno, "Could not set the host name");
  if (domain && setdomainname(domain, strlen(domain)))
    return error_set(error, "invalid-argument", errno, "Could not set the domain name");
  return 0;
}

// It is already in its cgroup and namespaces, all but the cgroup namespace, whose root is where one is at that time.
static int make_container(struct launch *l, struct error *error) {
  if (unshare(CLONE_NEWCGROUP) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
    return error_set(error, "internal", errno, "Could not make the container's namespaces");
  return settle_names(l, error) || rootfs_enter(l, error) ? -1 : 0;
}

static uint64_t namespace_flags(struct tlv plan) {
  static const struct {
    const char *name;
    uint64_t flag;
  } known[] = {{"pid", CLONE_NEWPID}, {"mount", CLONE_NEWNS}, {"ipc", CLONE_NEWIPC}, {"uts", CLONE_NEWUTS}};
  uint64_t flags = CLONE_NEWNS; // always: a container never changes the guest's own mounts
  size_t at = 0;
  int tag;
  struct tlv value;
  while (tlv_next(plan, &at, &tag, &value) == 1)
    for (size_t i = 0; tag == TAG_NAMESPACE && i < sizeof known / sizeof *known; i++)
      if (value.length == strlen(known[i].name) && !memcmp(value.data, known[i].name, value.length))
        flags |= known[i].flag;
  return flags;
}

static int start(struct request *r, struct guest *g, struct error *error) {
  auto_free char *name = tlv_get_string(r->payload, TAG_CGROUP);
  if (!name) return error_set(error, "invalid-argument", 0, "START names no cgroup.");
  if ((!g->cgroup && cgroup_make(name, &g->cgroup, error)) || cgroup_apply(g->cgroup, r->payload, error)) return -1;
  struct birth birth = {
      .join = -1, .place.group = -1, .namespaces = namespace_flags(r->payload), .enter = make_container, .user = g};
  int failed = birthplace_add(&birth.place, g->cgroup, error) ||
               device_filter_attach(birth.place.group, r->payload, error) || launch(r, &birth, error);
  birthplace_close(&birth.place);
  return failed ? -1 : 0;
}

void on_start(struct request *r) {
  struct error error;
  if (start(r, r->container->user, &error)) request_fail(r, &error);
}

void on_exec(struct request *r) {
  struct process *init = r->container ? r->container->main : NULL;
  struct guest *g = r->container ? r->container->user : NULL;
  if (!init || !g || init->state != PROCESS_RUNNING)
    return request_failf(r, "container-not-running", 0, "The container is not running.");
  launch_beside(r, init->pid, (char *const[]){g->cgroup, NULL});
}
