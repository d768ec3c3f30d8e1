/*
 * Makes a socket and has it connect, without blocking, and without a long search
 * for a local port.
 */
#ifndef CLIENT_CONNECTOR_H
#define CLIENT_CONNECTOR_H

#include <stdint.h>

#include "client/local_ports.h"

struct route;

/* Windows of local ports, and ports with bind(), that are tried in one call: in
 * all about 0.1 ms. */
#define CONNECTOR_WINDOWS 8
#define CONNECTOR_BINDS	  16

/* How this kernel can be kept from a long search. */
enum local_ports_how connector_probe(void);

/* Where the local port comes from. */
struct connector {
	const struct local_ports *ports; /* NULL: connect() chooses */
	struct local_ports_cursor *cursor; /* of this way */
	uint32_t start; /* see local_ports_start() */
};

/*
 * Returns the socket, connecting or connected, and stores when connect() was
 * called, monotonic nanoseconds; or -1 and errno: EADDRNOTAVAIL when none of the
 * local ports is free for this way, EAGAIN when that is not known yet: the search
 * goes on with the next call.
 */
int connector_open(
    const struct route *, const struct connector *, uint64_t *begun);

#endif
