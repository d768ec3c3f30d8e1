/*
 * The listening socket.
 */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stdint.h>

#include "lib/addr.h"

struct listener {
	int fd;
	struct addr addr; /* as bound: with port 0, the port that it got */
	unsigned int backlog; /* as the kernel cut it */
	int fell_back; /* IPv6 is off: it listens on 0.0.0.0 */
};

/*
 * Listens on host (NULL: `::`, which takes IPv4 too, or 0.0.0.0 where IPv6 is
 * off) and port (0: any that is free). backlog 0: as large as the kernel allows.
 * The socket is non-blocking, without Nagle's delay, closed on exec, and the
 * caller's. Returns NULL or what went wrong, with errno set or 0.
 */
const char *listener_open(
    struct listener *, const char *host, uint16_t port, unsigned int backlog);

#endif
