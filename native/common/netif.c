#include "netif.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/fib_rules.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handle.h"
#include "mac.h"
#include "netlink.h"

enum { LEAVE_DOWN = 1, FIRST_ADAPTER = 2 };

static int set_up(int fd, int index, bool up) {
  struct netlink_message m;
  struct ifinfomsg info = {.ifi_index = index, .ifi_change = IFF_UP, .ifi_flags = up ? IFF_UP : 0};
  netlink_begin(&m, RTM_NEWLINK, 0, &info, sizeof info);
  return netlink_ask(fd, &m);
}

// For an ioctl about one interface; 0 or -1.
static int ask_device(int request, struct ifreq *r) {
  auto_fd fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  return fd < 0 ? -1 : ioctl(fd, (unsigned long)request, r);
}

// The index of `name` when there is no other interface but the loopback: who it is needs no looking up, which costs as
// much as all the rest.
static int only_adapter(const char *name) {
  struct ifreq next = {.ifr_ifindex = FIRST_ADAPTER + 1};
  return (int)if_nametoindex(name) == FIRST_ADAPTER && ask_device(SIOCGIFNAME, &next) != 0 ? FIRST_ADAPTER : 0;
}

static bool has_address(const char *name) {
  struct ifreq r = {.ifr_addr.sa_family = AF_INET};
  snprintf(r.ifr_name, sizeof r.ifr_name, "%s", name);
  return ask_device(SIOCGIFADDR, &r) == 0 || errno != EADDRNOTAVAIL;
}

static int index_by_mac(const uint8_t mac[6]) {
  struct ifaddrs *all;
  if (getifaddrs(&all) != 0) return 0;
  int index = 0;
  for (struct ifaddrs *i = all; i && !index; i = i->ifa_next) {
    if (!i->ifa_addr || i->ifa_addr->sa_family != AF_PACKET) continue;
    struct sockaddr_ll *ll = (struct sockaddr_ll *)i->ifa_addr;
    if (ll->sll_halen == 6 && memcmp(ll->sll_addr, mac, 6) == 0) index = ll->sll_ifindex;
  }
  freeifaddrs(all);
  return index;
}

// An address: its family, or 0 when it is none.
static int parse_ip(const char *text, uint8_t ip[16]) {
  if (inet_pton(AF_INET, text, ip) == 1) return AF_INET;
  return inet_pton(AF_INET6, text, ip) == 1 ? AF_INET6 : 0;
}

struct cidr {
  int family, prefix;
  uint8_t ip[16];
};

static size_t ip_size(int family) { return family == AF_INET ? 4 : 16; }

static int parse_cidr(const char *cidr, struct cidr *c, struct error *error) {
  char text[64];
  snprintf(text, sizeof text, "%s", cidr);
  char *slash = strchr(text, '/');
  if (slash) *slash = 0;
  c->family = parse_ip(text, c->ip);
  int bits = c->family == AF_INET ? 32 : 128;
  c->prefix = slash ? atoi(slash + 1) : bits;
  if (!c->family || c->prefix < 0 || c->prefix > bits)
    return error_set(error, "invalid-argument", 0, "%s is not an address with a prefix", cidr);
  return 0;
}

static int add_address(int fd, int index, const struct cidr *c, struct error *error) {
  struct netlink_message m;
  struct ifaddrmsg info = {
      .ifa_family = (uint8_t)c->family, .ifa_prefixlen = (uint8_t)c->prefix, .ifa_index = (uint32_t)index};
  netlink_begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof info);
  netlink_put(&m, IFA_LOCAL, c->ip, ip_size(c->family));
  netlink_put(&m, IFA_ADDRESS, c->ip, ip_size(c->family));
  if (c->family == AF_INET && c->prefix < 31) {
    uint32_t host;
    memcpy(&host, c->ip, 4);
    uint32_t all = htonl(ntohl(host) | (c->prefix == 0 ? 0xffffffffu : 0xffffffffu >> c->prefix));
    netlink_put(&m, IFA_BROADCAST, &all, 4);
  }
  if (c->family == AF_INET6) {
    // The switch hands out addresses; waiting a second for a duplicate would only delay the start.
    uint32_t flags = IFA_F_NODAD;
    netlink_put(&m, IFA_FLAGS, &flags, sizeof flags);
  }
  if (netlink_ask(fd, &m) != 0 && errno != EEXIST) return error_set(error, "internal", errno, "cannot set an address");
  return 0;
}

// The route that comes with an address, once more in the table.
static int add_subnet(int fd, int index, const struct cidr *c, uint32_t table, struct error *error) {
  uint8_t net[16] = {0};
  for (int bit = 0; bit < c->prefix; bit++) net[bit / 8] |= (uint8_t)(c->ip[bit / 8] & 0x80 >> bit % 8);
  struct netlink_message m;
  struct rtmsg info = {.rtm_family = (uint8_t)c->family,
                       .rtm_dst_len = (uint8_t)c->prefix,
                       .rtm_table = RT_TABLE_UNSPEC,
                       .rtm_protocol = RTPROT_BOOT,
                       .rtm_scope = RT_SCOPE_LINK,
                       .rtm_type = RTN_UNICAST};
  netlink_begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof info);
  netlink_put(&m, RTA_DST, net, ip_size(c->family));
  netlink_put(&m, RTA_OIF, &index, sizeof index);
  netlink_put_number(&m, RTA_TABLE, table);
  return netlink_ask(fd, &m) == 0 || errno == EEXIST
             ? 0
             : error_set(error, "internal", errno, "cannot set the route of an address");
}

// What is sent from the address asks the table.
static int add_rule(int fd, const struct cidr *c, uint32_t table, struct error *error) {
  struct netlink_message m;
  struct fib_rule_hdr info = {.family = (uint8_t)c->family,
                              .src_len = (uint8_t)(ip_size(c->family) * 8),
                              .table = RT_TABLE_UNSPEC,
                              .action = FR_ACT_TO_TBL};
  netlink_begin(&m, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, &info, sizeof info);
  netlink_put(&m, FRA_SRC, c->ip, ip_size(c->family));
  netlink_put_number(&m, FRA_TABLE, table);
  netlink_put_number(&m, FRA_PRIORITY, table);
  return netlink_ask(fd, &m) == 0 || errno == EEXIST
             ? 0
             : error_set(error, "internal", errno, "cannot set the rule of an address");
}

static int add_gateway(int fd, int index, const char *gateway, uint32_t table, struct error *error) {
  uint8_t ip[16];
  int family = parse_ip(gateway, ip);
  if (!family) return error_set(error, "invalid-argument", 0, "%s is not an address of a gateway", gateway);
  struct netlink_message m;
  struct rtmsg info = {.rtm_family = (uint8_t)family,
                       .rtm_table = RT_TABLE_UNSPEC,
                       .rtm_protocol = RTPROT_BOOT,
                       .rtm_scope = RT_SCOPE_UNIVERSE,
                       .rtm_type = RTN_UNICAST};
  netlink_begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, &info, sizeof info);
  netlink_put(&m, RTA_GATEWAY, ip, ip_size(family));
  netlink_put(&m, RTA_OIF, &index, sizeof index);
  netlink_put_number(&m, RTA_TABLE, table ? table : RT_TABLE_MAIN);
  if (netlink_ask(fd, &m) != 0 && errno != EEXIST)
    return error_set(error, "internal", errno, "cannot set the gateway %s", gateway);
  return 0;
}

// What it had before, IPv4 alone: taking an interface down takes its IPv6 addresses away.
static int remove_addresses(int fd, int index, struct error *error) {
  struct ifaddrs *all;
  if (getifaddrs(&all) != 0) return error_set(error, "internal", errno, "cannot list the addresses");
  int failed = 0;
  for (struct ifaddrs *i = all; i && !failed; i = i->ifa_next) {
    if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET || (int)if_nametoindex(i->ifa_name) != index) continue;
    const struct sockaddr_in *address = (const struct sockaddr_in *)i->ifa_addr,
                             *mask = (const struct sockaddr_in *)i->ifa_netmask;
    struct netlink_message m;
    struct ifaddrmsg info = {.ifa_family = AF_INET,
                             .ifa_prefixlen = (uint8_t)__builtin_popcount(mask->sin_addr.s_addr),
                             .ifa_index = (uint32_t)index};
    netlink_begin(&m, RTM_DELADDR, 0, &info, sizeof info);
    netlink_put(&m, IFA_LOCAL, &address->sin_addr, 4);
    if (netlink_ask(fd, &m) != 0 && errno != EADDRNOTAVAIL)
      failed = error_set(error, "internal", errno, "cannot take an address away");
  }
  freeifaddrs(all);
  return failed;
}

// As Docker has it: an interface without an IPv6 address speaks none. A kernel without IPv6 has no such file.
static void set_ipv6(const char *name, bool on) {
  char path[96];
  snprintf(path, sizeof path, "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
  auto_fd fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd >= 0 && write(fd, on ? "0" : "1", 1) != 1) return;
}

static bool has_ipv6(struct tlv list) {
  size_t at = 0;
  int tag;
  struct tlv value;
  while (tlv_next(list, &at, &tag, &value) == 1)
    if (tag == TAG_ADDRESS && memchr(value.data, ':', value.length)) return true;
  return false;
}

static int configure_one(int fd, struct tlv list, struct error *error) {
  auto_free char *name = tlv_get_string(list, TAG_NAME), *host_name = tlv_get_string(list, TAG_HOST_NAME);
  auto_free char *mac_text = tlv_get_string(list, TAG_MAC), *gateway = tlv_get_string(list, TAG_GATEWAY);
  uint8_t mac[6];
  if (!name || !*name || strlen(name) >= IFNAMSIZ)
    return error_set(error, "invalid-argument", 0, "the name of an interface is missing or too long");
  if (mac_text && mac_parse(mac_text, mac) != 0)
    return error_set(error, "invalid-argument", 0, "%s is not a MAC address", mac_text);
  int index = host_name ? (int)if_nametoindex(host_name) : 0;
  if (!index) index = only_adapter(name);
  if (!index && mac_text) index = index_by_mac(mac);
  if (!index) index = (int)if_nametoindex(name);
  if (!index)
    return error_set(error, "sandbox-failed", 0, "the network interface %s does not exist",
                     host_name ? host_name : name);
  struct netlink_message m;
  struct ifinfomsg info = {.ifi_index = index, .ifi_change = IFF_UP};
  netlink_begin(&m, RTM_NEWLINK, 0, &info, sizeof info);
  netlink_put(&m, IFLA_IFNAME, name, strlen(name) + 1);
  if (mac_text) netlink_put(&m, IFLA_ADDRESS, mac, 6);
  uint32_t mtu = (uint32_t)tlv_get_number(list, TAG_MTU, 0), table = (uint32_t)tlv_get_number(list, TAG_TABLE, 0);
  if (mtu) netlink_put(&m, IFLA_MTU, &mtu, sizeof mtu);
  // Down first: an interface that is up cannot be renamed.
  char present[IFNAMSIZ];
  if (if_indextoname((unsigned)index, present) && has_address(present) && remove_addresses(fd, index, error) != 0)
    return -1;
  bool down = tlv_get_number(list, TAG_FLAGS, 0) & LEAVE_DOWN;
  if (set_up(fd, index, false) != 0 || netlink_ask(fd, &m) != 0)
    return error_set(error, "internal", errno, "cannot set up the network interface %s", name);
  if (down) return 0;
  set_ipv6(name, has_ipv6(list));
  if (set_up(fd, index, true) != 0)
    return error_set(error, "internal", errno, "cannot bring the network interface %s up", name);
  size_t at = 0;
  int tag;
  struct tlv value;
  while (tlv_next(list, &at, &tag, &value) == 1) {
    if (tag != TAG_ADDRESS) continue;
    auto_free char *text = tlv_dup(value);
    struct cidr c;
    if (!text) return error_set(error, "invalid-argument", 0, "an address holds a NUL byte");
    if (parse_cidr(text, &c, error) != 0 || add_address(fd, index, &c, error) != 0) return -1;
    if (table && (add_subnet(fd, index, &c, table, error) != 0 || add_rule(fd, &c, table, error) != 0)) return -1;
  }
  return gateway ? add_gateway(fd, index, gateway, table, error) : 0;
}

int netif_loopback_up(struct error *error) {
  auto_fd fd = netlink_open(NETLINK_ROUTE, error);
  if (fd < 0) return -1;
  return set_up(fd, (int)if_nametoindex("lo"), true) == 0
             ? 0
             : error_set(error, "internal", errno, "cannot bring the loopback up");
}

int netif_configure(struct tlv request, struct error *error) {
  auto_fd fd = netlink_open(NETLINK_ROUTE, error);
  if (fd < 0 || netif_loopback_up(error) != 0) return -1;
  size_t at = 0;
  int tag;
  struct tlv value;
  while (tlv_next(request, &at, &tag, &value) == 1)
    if (tag == TAG_INTERFACE && configure_one(fd, value, error) != 0) return -1;
  return 0;
}
