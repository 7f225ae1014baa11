// Owns what the parts of the link program know of each other. It changes links and the set of admitted endpoints on the
// host for the daemon, which would otherwise start `ip` and `nft` for each container. It decides nothing and keeps
// nothing.
#pragma once
#include "error.h"
#include "wire.h"

// links.c: host's ends of endpoints. HOST_NAME is the link, TARGET the bridge, which learns no MAC from it but is told
// the one.
int link_add_veth(struct tlv list,
                  struct error *error);  // HOST_NAME NAME MAC MTU PID TARGET; FLAGS 1: there is a stale one
int link_add_port(struct tlv list, struct error *error); // HOST_NAME MAC MTU TARGET
int link_delete(struct tlv list, struct error *error);   // HOST_NAME; fine when it is not there

// elements.c: the set of endpoints that may send. SOURCE is the table of family bridge, NAME the set; INTERFACE* {
// HOST_NAME MAC ADDRESS* }.
int elements_change(struct tlv list, int admit, struct error *error);
