#include "netlink.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

static size_t room(const struct netlink_message *m) { return sizeof *m - NLMSG_ALIGN(m->header.nlmsg_len); }

int netlink_open(int protocol, struct error *error) {
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  return fd >= 0 ? fd : error_set(error, "internal", errno, "cannot speak to the kernel about the network");
}

void netlink_begin(struct netlink_message *m, int type, int flags, const void *fixed, size_t length) {
  memset(m, 0, sizeof *m);
  m->header.nlmsg_type = (uint16_t)type;
  m->header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
  m->header.nlmsg_len = (uint32_t)NLMSG_LENGTH(length);
  memcpy(m->body, fixed, length);
}

void netlink_put(struct netlink_message *m, int type, const void *value, size_t length) {
  struct rtattr *a = (struct rtattr *)((char *)m + NLMSG_ALIGN(m->header.nlmsg_len));
  if (m->header.nlmsg_type == NLMSG_NOOP || RTA_SPACE(length) > room(m)) {
    m->header.nlmsg_type = NLMSG_NOOP;
    return;
  }
  a->rta_type = (uint16_t)type;
  a->rta_len = (uint16_t)RTA_LENGTH(length);
  if (length) memcpy(RTA_DATA(a), value, length);
  m->header.nlmsg_len = NLMSG_ALIGN(m->header.nlmsg_len) + (uint32_t)RTA_ALIGN(a->rta_len);
}

void netlink_put_string(struct netlink_message *m, int type, const char *value) {
  netlink_put(m, type, value, strlen(value) + 1);
}

void netlink_put_number(struct netlink_message *m, int type, uint32_t value) {
  netlink_put(m, type, &value, sizeof value);
}

size_t netlink_open_nest(struct netlink_message *m, int type, const void *fixed, size_t length) {
  size_t nest = NLMSG_ALIGN(m->header.nlmsg_len);
  netlink_put(m, type, fixed, length);
  return nest;
}

void netlink_close_nest(struct netlink_message *m, size_t nest) {
  if (m->header.nlmsg_type == NLMSG_NOOP) return;
  struct rtattr *a = (struct rtattr *)((char *)m + nest);
  a->rta_len = (uint16_t)(m->header.nlmsg_len - nest);
}

int netlink_answer(int fd) {
  union { struct nlmsghdr header; uint8_t room[4096]; } answer;
  ssize_t n;
  while ((n = recv(fd, &answer, sizeof answer, 0)) < 0 && errno == EINTR) {}
  if (n < 0) return -1;
  if (n < (ssize_t)NLMSG_LENGTH(sizeof(struct nlmsgerr)) || answer.header.nlmsg_type != NLMSG_ERROR) {
    errno = EPROTO;
    return -1;
  }
  errno = -((struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;
  return errno ? -1 : 0;
}

int netlink_ask(int fd, struct netlink_message *m) {
  struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
  if (m->header.nlmsg_type == NLMSG_NOOP) {
    errno = E2BIG;
    return -1;
  }
  if (sendto(fd, m, m->header.nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof kernel) < 0) return -1;
  return netlink_answer(fd);
}
