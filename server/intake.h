/*
 * How a worker comes to its connections: it accepts them from its listening
 * sockets, and, where there are several workers, takes them out of its inbox.
 *
 * A worker serves no more than it has room for. One that is full accepts with
 * a descriptor that it keeps free for this, and passes the connection to the
 * worker with the most room. What comes into the inbox of a full worker goes on
 * in the same way. When nobody has room, and when the system refuses (EMFILE,
 * ENFILE, no memory), it takes nothing in, which is said once, until one of its
 * own connections closes or a moment has passed: the kernel keeps what waits.
 */
#ifndef SERVER_INTAKE_H
#define SERVER_INTAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

struct counts;
struct handover;
struct intake;
struct worker;

struct intake_config {
	const int *listeners; /* non-blocking; the caller's */
	size_t listener_count;
	struct handover *handover; /* NULL: there is no other worker */
	bool verbose; /* a line for each connection on stderr */

	/* A connection to serve; the descriptor is the callee's now. */
	void (*serve)(int fd, void *arg);
	void *arg;
};

/*
 * The worker's slot of shared memory is a struct counts_slot, in which it counts
 * what it accepts, hands over and takes over. Takes nothing in yet. Ends the
 * program where something is missing for it.
 */
struct intake *intake_new(struct worker *, const struct intake_config *);

/* Takes connections in; serves no more than most at once. */
void intake_begin(struct intake *, uint64_t most);

/* One that it gave to serve() has been closed, and booked. */
void intake_closed(struct intake *);

/*
 * Takes nothing in until it is released: the kernel keeps what comes, and what
 * has been passed to this worker waits in its inbox. Others see no room here.
 * Costs the same with any number of ports.
 */
void intake_hold(struct intake *);
void intake_release(struct intake *);

/* Takes nothing in any more; what it has not passed on it closes and books.
 * intake_closed() may still be called. */
void intake_end(struct intake *);

void intake_free(struct intake *);

/*
 * With verbose: a line on stderr, counted if it is left out. peer NULL: unknown, as
 * it is gone.
 */
void intake_say(struct counts *, const struct addr *peer, const char *what);

#endif
