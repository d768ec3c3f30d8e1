/*
 * The connections of a worker: each is read from, and gets back what it sent,
 * never more than that, until one of the two sides ends it.
 *
 * Bounded memory: a connection costs one small struct. Only what a peer has not
 * taken is buffered, at most one read of it (SESSION_READ_SIZE), and until it is
 * gone nothing more is read from that peer.
 */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#define SESSION_READ_SIZE 65536

struct counts;
struct event_base;
struct sessions; /* all of a worker's */

struct sessions_config {
	struct event_base *base;
	struct counts *counts; /* where it counts bytes, messages and ends */
	bool verbose; /* a line for each end on stderr */

	/* One has been closed, and booked. */
	void (*closed)(void *arg);
	void *arg;
};

/* None yet. Lack of memory ends the program, here and below. */
struct sessions *sessions_new(const struct sessions_config *);

/* Serves a connection, non-blocking, whose descriptor is its own from now on.
 * arg: the sessions. */
void sessions_add(int fd, void *arg);

/* Closes the one that was added first, and books it as closed locally. False if
 * there is none. */
bool sessions_close_oldest(struct sessions *);

/* None may be left. */
void sessions_free(struct sessions *);

#endif
