// Owns sockets at paths that may be longer than an address holds (107 bytes): they are reached through their
// directory's descriptor.
#pragma once
#include <sys/un.h>

#include "error.h"

// The caller closes `*directory` (-1 where it could not be opened) when the address has been used.
int unix_address(const char *path, struct sockaddr_un *address, int *directory, struct error *error);
// A stream socket that listens there, its owner's alone, in place of what was there. `flags`: SOCK_*.
int unix_listen(const char *path, int flags, struct error *error);
