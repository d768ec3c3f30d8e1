/*
 * The listening sockets: one address, one or several ports.
 *
 * One process listens as it is (LISTENER_ALONE). Where several listen on the
 * same ports, each opens sockets of its own with SO_REUSEPORT (LISTENER_SHARED),
 * and the kernel spreads the connections. That option would let in a second
 * server as well; so the parent first holds every port with a socket that
 * cannot be shared (LISTENER_PLACEHOLDER), lets the others join it only then,
 * and keeps it until all of them listen.
 */
#ifndef SERVER_LISTENER_H
#define SERVER_LISTENER_H

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

enum listener_role {
	LISTENER_ALONE,
	LISTENER_PLACEHOLDER, /* bound, takes no connection */
	LISTENER_SHARED,
};

struct listener {
	struct addr addr; /* as bound, with the port that was bound last */
	int *fds; /* one for each port, -1: closed */
	uint16_t *ports; /* the caller's; 0 becomes the port that it got */
	size_t count; /* > 0 */
	unsigned int backlog; /* as the kernel cuts it */
	int fell_back; /* IPv6 is off: it listens on 0.0.0.0 */
	int any; /* no host was given */
};

/*
 * For host (NULL: `::`, which takes IPv4 too, or 0.0.0.0 where IPv6 is off) and
 * count > 0 ports, each once (0: any that is free). backlog 0: as large as the
 * kernel allows. Opens nothing yet. Returns NULL or what went wrong. The
 * address is resolved here, once: all workers listen on the same one.
 */
const char *listener_prepare(struct listener *, const char *host,
    uint16_t *ports, size_t count, unsigned int backlog);

/*
 * Opens a socket for each port; none may be open. They are non-blocking,
 * without Nagle's delay, and closed on exec. Returns NULL or what went wrong,
 * with errno set and none open; addr then has the port that it was.
 */
const char *listener_open(struct listener *, enum listener_role);

/* The port that was opened last, or that could not be opened. */
uint16_t listener_port(const struct listener *);

/*
 * Where it listens: "[::]:4242", or "[::]:7000-7199,53 (201 ports)", of very
 * many ranges only the first ones. The caller frees it. Ends the program where
 * memory runs out.
 */
char *listener_format(const struct listener *);

/* The index of the last port of the range that begins with the one at first. */
size_t listener_range(const struct listener *, size_t first);

/* Closes them, if they are open. */
void listener_close(struct listener *);

/* Closes them and frees what prepare made. */
void listener_free(struct listener *);

#endif
