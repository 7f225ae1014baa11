// The set of endpoints is of the type `ifname . ether_addr . ipv4_addr` (networks/plan.ts); each part of a key fills
// whole words.
#include "links.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "handle.h"
#include "mac.h"
#include "netlink.h"

enum { SPARE = 64 };

struct key {
  char link[IFNAMSIZ];
  uint8_t mac[8], address[4];
};

static int change_one(int fd, const char *table, const char *set, const struct key *key, int admit) {
  struct nfgenmsg family = {.nfgen_family = NFPROTO_BRIDGE}, any = {.res_id = htons(NFNL_SUBSYS_NFTABLES)};
  struct {
    struct nlmsghdr header;
    struct nfgenmsg family;
  } begin = {{.nlmsg_len = sizeof begin, .nlmsg_type = NFNL_MSG_BATCH_BEGIN, .nlmsg_flags = NLM_F_REQUEST}, any},
    end = begin;
  end.header.nlmsg_type = NFNL_MSG_BATCH_END;
  struct netlink_message m;
  netlink_begin(&m, NFNL_SUBSYS_NFTABLES << 8 | (admit ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM),
                admit ? NLM_F_CREATE : 0, &family, sizeof family);
  netlink_put_string(&m, NFTA_SET_ELEM_LIST_TABLE, table);
  netlink_put_string(&m, NFTA_SET_ELEM_LIST_SET, set);
  size_t list = netlink_open_nest(&m, NFTA_SET_ELEM_LIST_ELEMENTS | NLA_F_NESTED, NULL, 0);
  size_t element = netlink_open_nest(&m, NFTA_LIST_ELEM | NLA_F_NESTED, NULL, 0);
  size_t wrapped = netlink_open_nest(&m, NFTA_SET_ELEM_KEY | NLA_F_NESTED, NULL, 0);
  netlink_put(&m, NFTA_DATA_VALUE, key, sizeof *key);
  netlink_close_nest(&m, wrapped);
  netlink_close_nest(&m, element);
  netlink_close_nest(&m, list);
  if (m.header.nlmsg_type == NLMSG_NOOP) {
    errno = E2BIG;
    return -1;
  }
  struct iovec parts[] = {{&begin, sizeof begin}, {&m, NLMSG_ALIGN(m.header.nlmsg_len)}, {&end, sizeof end}};
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  struct msghdr batch = {.msg_name = &kernel, .msg_namelen = sizeof kernel, .msg_iov = parts, .msg_iovlen = 3};
  if (sendmsg(fd, &batch, 0) < 0) return -1;
  return netlink_answer(fd);
}

static int change_interface(int fd, const char *table, const char *set, struct tlv one, int admit,
                            struct error *error) {
  auto_free char *link = tlv_get_string(one, TAG_HOST_NAME), *mac = tlv_get_string(one, TAG_MAC);
  struct key key = {0};
  if (!link || strlen(link) >= sizeof key.link || !mac || mac_parse(mac, key.mac) != 0)
    return error_set(error, "invalid-argument", 0, "an endpoint is not described");
  memcpy(key.link, link, strlen(link));
  size_t at = 0;
  int tag;
  struct tlv value;
  while (tlv_next(one, &at, &tag, &value) == 1) {
    if (tag != TAG_ADDRESS) continue;
    auto_free char *address = tlv_dup(value);
    if (!address || inet_pton(AF_INET, address, key.address) != 1)
      return error_set(error, "invalid-argument", 0, "an endpoint has no IPv4 address");
    // What is to go and is not there has gone.
    if (change_one(fd, table, set, &key, admit) != 0 && (admit || errno != ENOENT))
      return error_set(error, "internal", errno, "cannot change the endpoints that may send");
  }
  return 0;
}

int elements_change(struct tlv list, int admit, struct error *error) {
  auto_free char *table = tlv_get_string(list, TAG_SOURCE), *set = tlv_get_string(list, TAG_NAME);
  if (!table || !set || strlen(table) > SPARE || strlen(set) > SPARE)
    return error_set(error, "invalid-argument", 0, "no set is named");
  auto_fd fd = netlink_open(NETLINK_NETFILTER, error);
  if (fd < 0) return -1;
  size_t at = 0;
  int tag;
  struct tlv value;
  while (tlv_next(list, &at, &tag, &value) == 1)
    if (tag == TAG_INTERFACE && change_interface(fd, table, set, value, admit, error) != 0) return -1;
  return 0;
}
