/*
 * Which local ports a connect() may take.
 *
 * Left alone, connect() searches the whole of ip_local_port_range for a port
 * that is free for its target: milliseconds once many are taken or in TIME_WAIT,
 * and the event loop stands still meanwhile. So each connect() is given a few
 * ports only: a window, which moves over the range and begins again at its
 * start. Ports come out of TIME_WAIT in the order in which they were used, so
 * the window finds free ones at once.
 *
 * This module only counts; connector.h has the system calls.
 */
#ifndef CLIENT_LOCAL_PORTS_H
#define CLIENT_LOCAL_PORTS_H

#include <stdbool.h>
#include <stdint.h>

/* Ports that one connect() looks at: some microseconds when all are taken. */
#define LOCAL_PORTS_WIDTH 64

enum local_ports_how {
	LOCAL_PORTS_ANY, /* connect() searches the range: it is unknown */
	LOCAL_PORTS_WINDOW, /* IP_LOCAL_PORT_RANGE, Linux 6.3 and later */
	LOCAL_PORTS_BIND, /* bind() to one port after the other, before 6.3 */
};

struct local_ports {
	enum local_ports_how how;
	uint16_t first; /* 1 <= first <= last, unless how is ANY */
	uint16_t last;
	uint8_t reserved[8192]; /* a bit a port; only bind() needs it */
};

/* Where one worker is with one way. All zero: it has not begun. */
struct local_ports_cursor {
	uint16_t next; /* first port of the window; 0: not begun */
	uint32_t missed; /* ports looked at since one was found */
};

/*
 * Reads this host's range and reserved ports. how: what connector_probe() says;
 * it becomes LOCAL_PORTS_ANY where the range cannot be read.
 */
void local_ports_read(struct local_ports *, enum local_ports_how how);

/* Where worker index of so many begins, in ports after some port: apart from one
 * another, and elsewhere in each run. */
uint32_t local_ports_start(
    const struct local_ports *, unsigned int index, unsigned int workers);

/*
 * The window that is next: *low to *high, of one port for bind(). start: of
 * local_ports_start(). Not with LOCAL_PORTS_ANY.
 */
void local_ports_window(const struct local_ports *, struct local_ports_cursor *,
    uint32_t start, uint16_t *low, uint16_t *high);

/* A port of that window was taken: the next window begins one port later. */
void local_ports_found(const struct local_ports *, struct local_ports_cursor *);

/*
 * None of that window was free: the next one begins behind it. True when the
 * whole range has been seen since a port was found, and none of it is free; the
 * count begins again then.
 */
bool local_ports_missed(
    const struct local_ports *, struct local_ports_cursor *, uint16_t high);

#endif
