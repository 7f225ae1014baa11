// Owns the making of netlink messages and the wait for the kernel's answer. Knows no link and no rule.
#pragma once
#include <linux/netlink.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

enum { NETLINK_BODY = 1024 };

// A message with its attributes. What is put beyond its room is left out and told by netlink_ask.
struct netlink_message {
  struct nlmsghdr header;
  uint8_t body[NETLINK_BODY];
};

// A socket of NETLINK_ROUTE or NETLINK_NETFILTER, or -1.
int netlink_open(int protocol, struct error *error);
// `fixed` is the header that the family has before its attributes. An answer is always asked for.
void netlink_begin(struct netlink_message *m, int type, int flags, const void *fixed, size_t length);
void netlink_put(struct netlink_message *m, int type, const void *value, size_t length);
void netlink_put_string(struct netlink_message *m, int type, const char *value);
void netlink_put_number(struct netlink_message *m, int type, uint32_t value);
// What is put until netlink_close_nest lies in the attribute, behind `fixed`. Returns what closes it.
size_t netlink_open_nest(struct netlink_message *m, int type, const void *fixed, size_t length);
void netlink_close_nest(struct netlink_message *m, size_t nest);
// Sends it and waits for the kernel's answer: 0, or -1 with errno.
int netlink_ask(int fd, struct netlink_message *m);
// One answer to what has been sent: 0, or -1 with errno.
int netlink_answer(int fd);
