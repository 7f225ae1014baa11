// Owns what is settled once for the whole VM: its name, clock, entropy, sysctls, network, and what is made ahead: spare
// disk, control group.
#include <errno.h>
#include <fcntl.h>
#include <linux/random.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>

#include "agent.h"
#include "handle.h"
#include "netif.h"

enum { CONFIGURE_WITHOUT_NETWORK = 1, CONFIGURE_DROP_SPARE = 2 };
// The host's word has been on its way for some milliseconds. Up to a quarter of a second is worked off, so that no
// program sees time go back.
enum { CLOCK_RIGHT_MS = 20, CLOCK_WORKED_OFF_MS = 250 };

static int clock_set(int64_t now_ns) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  int64_t wrong_us = (now_ns - ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec)) / 1000,
          much_us = wrong_us < 0 ? -wrong_us : wrong_us;
  if (much_us < CLOCK_RIGHT_MS * 1000) return 0;
  if (much_us < CLOCK_WORKED_OFF_MS * 1000) return adjtime(&(struct timeval){.tv_usec = wrong_us}, NULL);
  return clock_settime(CLOCK_REALTIME,
                       &(struct timespec){.tv_sec = now_ns / 1000000000, .tv_nsec = now_ns % 1000000000});
}

// Bytes of the host's generator, counted as full entropy, and a reseed at once: a VM that was cloned or booted without
// a source would otherwise give what its siblings give.
static int add_entropy(struct tlv seed, struct error *error) {
  if (!seed.length || seed.length > 4096)
    return error_set(error, "invalid-argument", 0, "The length of the seed is not valid");
  auto_free struct rand_pool_info *pool = malloc(sizeof *pool + seed.length);
  auto_fd fd = open("/dev/urandom", O_RDWR | O_CLOEXEC);
  if (!pool || fd < 0) return error_set(error, "internal", errno, "Could not open the guest's random generator");
  pool->entropy_count = (int)seed.length * 8;
  pool->buf_size = (int)seed.length;
  memcpy(pool->buf, seed.data, seed.length);
  if (ioctl(fd, RNDADDENTROPY, pool) || ioctl(fd, RNDRESEEDCRNG))
    return error_set(error, "internal", errno, "Could not seed the guest's random generator");
  return 0;
}

// A clone has its template's adapter, also where it is to have no network.
static int adapters_remove(struct error *error) {
  auto_dir adapters = opendir("/sys/class/net");
  struct dirent *e;
  while (adapters && (e = readdir(adapters))) {
    char path[320];
    // `device` leads to the virtio device, whose parent is the one on the bus. The loopback has none.
    snprintf(path, sizeof path, "/sys/class/net/%s/device/../remove", e->d_name);
    if (e->d_name[0] != '.' && access(path, F_OK) == 0 && file_write(path, "1", 1, error)) return -1;
  }
  return 0;
}

static int configure(struct tlv list, struct error *error) {
  struct tlv seed;
  int flags = (int)tlv_get_number(list, TAG_FLAGS, 0);
  auto_free char *spare = tlv_get_string(list, TAG_DISK);
  if (flags & CONFIGURE_WITHOUT_NETWORK && adapters_remove(error)) return -1;
  auto_free char *cgroup = tlv_get_string(list, TAG_CGROUP), *made = NULL;
  if (cgroup && cgroup_make(cgroup, &made, error)) return -1;
  if ((flags & CONFIGURE_DROP_SPARE && spare_drop(error)) || (spare && spare_mount(spare, error))) return -1;
  if (tlv_find(list, TAG_DATA, &seed) == 1 && add_entropy(seed, error)) return -1;
  int64_t now = tlv_get_number(list, TAG_TIME, 0);
  if (now > 0 && clock_set(now)) return error_set(error, "internal", errno, "Could not set the guest's clock");
  struct tlv name;
  if (tlv_find(list, TAG_HOSTNAME, &name) == 1 && sethostname((const char *)name.data, name.length))
    return error_set(error, "invalid-argument", errno, "Could not set the host name");
  if (tlv_find(list, TAG_DOMAINNAME, &name) == 1 && setdomainname((const char *)name.data, name.length))
    return error_set(error, "invalid-argument", errno, "Could not set the domain name");
  return sysctls_apply(list, error);
}

void on_configure(struct request *r) {
  struct error error;
  if (configure(r->payload, &error)) request_fail(r, &error);
  else request_ok(r);
}

void on_network(struct request *r) {
  struct error error;
  if (netif_configure(r->payload, &error)) request_fail(r, &error);
  else request_ok(r);
}
