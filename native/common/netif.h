// Owns the network interfaces inside the current network namespace (rtnetlink): names, MAC, MTU, addresses, routes, up.
#pragma once
#include "error.h"
#include "wire.h"

// Carries out a NETWORK request: `lo` up, then each INTERFACE { NAME HOST_NAME MAC ADDRESS* GATEWAY TABLE MTU }. The
// link is found by HOST_NAME, or else by MAC, or else by NAME, is renamed, and comes up. With a TABLE its routes are
// there, for what is sent from its addresses; the gateway of one without is the default route. IPv4 and IPv6.
// Idempotent.
int netif_configure(struct tlv request, struct error *error);
int netif_loopback_up(struct error *error);
