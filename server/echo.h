/*
 * One worker of the server: accepts, and sends back whatever it receives, on
 * the connection that it came from, never more than it received.
 *
 * Bounded memory: a connection costs one small struct. Only what a peer has not
 * taken is buffered, at most one read of it (ECHO_READ_SIZE), and until it is
 * gone nothing more is read from that peer.
 *
 * Out of descriptors (EMFILE, ENFILE, no memory) or at the most connections
 * allowed, it stops accepting, says so once, and goes on when one closes or a
 * moment later; the others are served all the time.
 */
#ifndef SERVER_ECHO_H
#define SERVER_ECHO_H

#include <stdbool.h>
#include <stdint.h>

#define ECHO_READ_SIZE 65536

struct worker;

struct echo_config {
	int listen_fd; /* taken over: closed at the end */
	uint64_t max_connections; /* 0: as many as the kernel allows */
	bool verbose; /* a line for each connection on stderr */
};

/* The worker's main function; its slot of shared memory is a struct counts. */
int echo_run(struct worker *, const struct echo_config *);

#endif
