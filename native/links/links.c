#include "links.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <string.h>

#include "handle.h"
#include "mac.h"
#include "netlink.h"

enum { STALE = 1 };

static char *name_of(struct tlv list, enum tag tag) {
  char *name = tlv_get_string(list, tag);
  if (name && *name && strlen(name) < IFNAMSIZ) return name;
  free(name);
  return NULL;
}

static int delete_named(int fd, const char *name) {
  struct netlink_message m;
  struct ifinfomsg info = {.ifi_family = AF_UNSPEC};
  netlink_begin(&m, RTM_DELLINK, 0, &info, sizeof info);
  netlink_put_string(&m, IFLA_IFNAME, name);
  return netlink_ask(fd, &m) == 0 || errno == ENODEV ? 0 : -1;
}

// The bridge learns nothing from the port, not even from frames that no rule sees (those to 01:80:c2:00:00:0x): it is
// told where the MAC is, and what is for others does not come here.
static int fasten(int fd, unsigned index, const uint8_t mac[6]) {
  struct netlink_message m;
  struct ifinfomsg port = {.ifi_family = AF_BRIDGE, .ifi_index = (int)index};
  const uint8_t off = 0;
  netlink_begin(&m, RTM_SETLINK, 0, &port, sizeof port);
  size_t nest = netlink_open_nest(&m, IFLA_PROTINFO | NLA_F_NESTED, NULL, 0);
  netlink_put(&m, IFLA_BRPORT_LEARNING, &off, sizeof off);
  netlink_put(&m, IFLA_BRPORT_UNICAST_FLOOD, &off, sizeof off);
  netlink_close_nest(&m, nest);
  if (netlink_ask(fd, &m) != 0) return -1;
  struct ndmsg place = {
      .ndm_family = AF_BRIDGE, .ndm_ifindex = (int)index, .ndm_state = NUD_NOARP, .ndm_flags = NTF_MASTER | NTF_STICKY};
  netlink_begin(&m, RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE, &place, sizeof place);
  netlink_put(&m, NDA_LLADDR, mac, 6);
  return netlink_ask(fd, &m);
}

static int set_up(int fd, unsigned index) {
  struct netlink_message m;
  struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
  netlink_begin(&m, RTM_NEWLINK, 0, &info, sizeof info);
  return netlink_ask(fd, &m);
}

int link_add_veth(struct tlv list, struct error *error) {
  auto_free char *host = name_of(list, TAG_HOST_NAME), *inner = name_of(list, TAG_NAME),
                 *bridge = name_of(list, TAG_TARGET);
  auto_free char *mac_text = tlv_get_string(list, TAG_MAC);
  uint32_t mtu = (uint32_t)tlv_get_number(list, TAG_MTU, 1500), pid = (uint32_t)tlv_get_number(list, TAG_PID, 0);
  uint8_t mac[6];
  if (!host || !inner || !bridge || pid < 2 || !mac_text || mac_parse(mac_text, mac) != 0)
    return error_set(error, "invalid-argument", 0, "a pair of links is not described");
  auto_fd fd = netlink_open(NETLINK_ROUTE, error);
  if (fd < 0) return -1;
  if (tlv_get_number(list, TAG_FLAGS, 0) & STALE && delete_named(fd, host) != 0)
    return error_set(error, "internal", errno, "cannot remove the stale link %s", host);
  unsigned master = if_nametoindex(bridge);
  if (!master) return error_set(error, "internal", errno, "the bridge %s does not exist", bridge);
  struct netlink_message m;
  struct ifinfomsg info = {.ifi_family = AF_UNSPEC}, peer = {.ifi_family = AF_UNSPEC};
  netlink_begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof info);
  netlink_put_string(&m, IFLA_IFNAME, host);
  netlink_put_number(&m, IFLA_MTU, mtu);
  netlink_put_number(&m, IFLA_MASTER, master);
  size_t link = netlink_open_nest(&m, IFLA_LINKINFO, NULL, 0);
  netlink_put_string(&m, IFLA_INFO_KIND, "veth");
  size_t data = netlink_open_nest(&m, IFLA_INFO_DATA, NULL, 0);
  size_t other = netlink_open_nest(&m, VETH_INFO_PEER, &peer, sizeof peer);
  netlink_put_string(&m, IFLA_IFNAME, inner);
  netlink_put(&m, IFLA_ADDRESS, mac, sizeof mac);
  netlink_put_number(&m, IFLA_MTU, mtu);
  // Born there, so that it is never seen on the host.
  netlink_put_number(&m, IFLA_NET_NS_PID, pid);
  netlink_close_nest(&m, other);
  netlink_close_nest(&m, data);
  netlink_close_nest(&m, link);
  if (netlink_ask(fd, &m) != 0) return error_set(error, "internal", errno, "cannot make the link %s", host);
  unsigned index = if_nametoindex(host);
  if (index && fasten(fd, index, mac) == 0 && set_up(fd, index) == 0) return 0;
  return error_set(error, "internal", errno, "cannot put the link %s on its bridge", host);
}

int link_add_port(struct tlv list, struct error *error) {
  auto_free char *host = name_of(list, TAG_HOST_NAME), *bridge = name_of(list, TAG_TARGET);
  auto_free char *mac_text = tlv_get_string(list, TAG_MAC);
  uint8_t mac[6];
  if (!host || !bridge || !mac_text || mac_parse(mac_text, mac) != 0)
    return error_set(error, "invalid-argument", 0, "a port is not described");
  unsigned index = if_nametoindex(host), master = if_nametoindex(bridge);
  if (!index || !master)
    return error_set(error, "internal", errno, "the link %s does not exist", index ? bridge : host);
  auto_fd fd = netlink_open(NETLINK_ROUTE, error);
  if (fd < 0) return -1;
  struct netlink_message m;
  struct ifinfomsg info = {.ifi_family = AF_UNSPEC, .ifi_index = (int)index};
  netlink_begin(&m, RTM_NEWLINK, 0, &info, sizeof info);
  netlink_put_number(&m, IFLA_MTU, (uint32_t)tlv_get_number(list, TAG_MTU, 1500));
  netlink_put_number(&m, IFLA_MASTER, master);
  if (netlink_ask(fd, &m) == 0 && fasten(fd, index, mac) == 0 && set_up(fd, index) == 0) return 0;
  return error_set(error, "internal", errno, "cannot put the link %s on its bridge", host);
}

int link_delete(struct tlv list, struct error *error) {
  auto_free char *host = name_of(list, TAG_HOST_NAME);
  if (!host) return error_set(error, "invalid-argument", 0, "no link is named");
  auto_fd fd = netlink_open(NETLINK_ROUTE, error);
  if (fd < 0) return -1;
  return delete_named(fd, host) == 0 ? 0 : error_set(error, "internal", errno, "cannot remove the link %s", host);
}
