/*
 * The other end of a TCP connection, where it is a socket of this host and network
 * namespace too: what its kernel side knows and this end cannot.
 */
#ifndef LIB_SOCKDIAG_PEER_H
#define LIB_SOCKDIAG_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sockdiag_peer {
	bool established; /* false: the handshake is not complete there */
	bool accepted; /* false: it is in the accept queue */
	uint64_t unread; /* bytes that its program has not read */
};

/* A socket to ask by, owned by the caller; -1 with errno set. */
int sockdiag_peer_open(void);

/*
 * Of the connected socket fd. False: this host has no such socket, the other end is
 * closed, or the kernel does not tell. Does not block; about 5 us.
 */
bool sockdiag_peer_find(int asked_by, int fd, struct sockdiag_peer *);

/* The same from the kernel's message, length bytes, which may be anything. */
bool sockdiag_peer_parse(
    const void *message, size_t length, struct sockdiag_peer *);

#endif
