// Owns nothing but the making of the VM's interfaces; addresses are the guest's, the bridge is the engine's.
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "handle.h"
#include "vm.h"

static int set_up(const char *name, bool up, struct error *error) {
  auto_fd s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq r = {0};
  strncpy(r.ifr_name, name, IFNAMSIZ - 1);
  if (s < 0 || ioctl(s, SIOCGIFFLAGS, &r)) return error_set(error, "internal", errno, "cannot look at %s", name);
  r.ifr_flags = (short)(up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP);
  return ioctl(s, SIOCSIFFLAGS, &r) ? error_set(error, "internal", errno, "cannot bring up or down %s", name) : 0;
}

static int tap_open(const char *name, struct error *error) {
  if (!*name || strlen(name) >= IFNAMSIZ)
    return error_set(error, "invalid-argument", 0, "%s is not a valid interface name", name);
  auto_fd fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  strncpy(r.ifr_name, name, IFNAMSIZ - 1);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &r))
    return error_set(error, "sandbox-failed", errno, "cannot make the interface %s", name);
  return set_up(name, true, error) ? -1 : steal_fd(&fd);
}

int taps_open(struct taps *taps, struct error *error) {
  size_t count = 0;
  char **names = tlv_get_strings(plan.raw, TAG_HOST_NAME, &count);
  taps->count = 0;
  if (!names) return error_set(error, "internal", errno, "cannot read the names of the interfaces");
  int result = 0;
  if (count > MOST_TAPS)
    result = error_set(error, "invalid-argument", 0, "a VM can have at most %d interfaces", MOST_TAPS);
  for (char **name = names; !result && *name; name++) {
    int fd = tap_open(*name, error);
    if (fd < 0) result = -1;
    else taps->fds[taps->count++] = fd;
  }
  strings_free(names);
  return result;
}

int tap_rename(int tap, const char *name, struct error *error) {
  auto_fd s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  struct ifreq r = {0};
  if (!*name || strlen(name) >= IFNAMSIZ)
    return error_set(error, "invalid-argument", 0, "%s is not a valid interface name", name);
  if (s < 0 || tap < 0 || ioctl(tap, TUNGETIFF, &r))
    return error_set(error, "internal", errno, "cannot find the VM's interface");
  // One that is up cannot be renamed.
  if (set_up(r.ifr_name, false, error)) return -1;
  strncpy(r.ifr_newname, name, IFNAMSIZ - 1);
  if (ioctl(s, SIOCSIFNAME, &r)) return error_set(error, "sandbox-failed", errno, "cannot make the interface %s", name);
  return set_up(name, true, error);
}
