/*
 * The connections of a worker: each is served as the options say (server/service)
 * until one of the two sides ends it.
 *
 * Bounded memory: a connection costs one small struct. What a peer has not taken
 * is held, and until it is gone nothing more is read from that peer: of an echo,
 * at most one read (SESSION_READ_SIZE); where messages are looked at one by one,
 * at most one that has begun, and the answers to one read and that one. Answers
 * that are to wait have a bound of their own (SESSION_WAITING), and all together
 * (SESSIONS_WAITING).
 */
#ifndef SERVER_SESSION_H
#define SERVER_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#define SESSION_READ_SIZE 65536

/* Bytes of memory for answers that wait: of a connection (as many as a client
 * can tell apart, 65,536 small ones), and of all connections of all workers. */
#define SESSION_WAITING	 ((size_t)8 << 20)
#define SESSIONS_WAITING ((size_t)256 << 20)

struct counts;
struct event_base;
struct first_bytes;
struct service;
struct sessions; /* all of a worker's */

struct sessions_config {
	struct event_base *base;
	const struct service *service;
	struct first_bytes *first_bytes; /* that are no DNS query are kept */
	struct counts *counts; /* where it counts bytes, messages and ends */
	unsigned int worker; /* its index, ... */
	unsigned int workers; /* ... of so many */
	bool verbose; /* a line for each end on stderr */

	/* One has been closed, and booked. */
	void (*closed)(void *arg);
	/* One was closed as closed_unwatched: epoll_ctl() failed with this. */
	void (*unwatched)(int error, void *arg);
	void *arg;
};

/* None yet. Lack of memory ends the program, here and below. */
struct sessions *sessions_new(const struct sessions_config *);

/* Serves a connection, non-blocking, whose descriptor is its own from now on.
 * arg: the sessions. */
void sessions_add(int fd, void *arg);

/* Closes the one that was added first, and books it in this counter (as
 * closed_after, if its last answer is sent). False if there is none. */
bool sessions_close_oldest(struct sessions *, uint64_t *counter);

/* None may be left. */
void sessions_free(struct sessions *);

#endif
