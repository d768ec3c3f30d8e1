/*
 * A socket that is connected to itself. connect() may choose the very port that
 * it connects to as the local one; where nobody listens there, its SYN meets
 * itself (simultaneous open), and the connection sends back all that it is sent.
 */
#ifndef CLIENT_SELF_CONNECT_H
#define CLIENT_SELF_CONNECT_H

#include <errno.h>
#include <stdbool.h>

/* Under this errno it is counted as failed; connect() itself never gives it. */
#define SELF_CONNECT_ERRNO ELOOP

struct routes;

/*
 * Whether it can happen at all: a target is an address of this host, and its port
 * one of those that connect() chooses from. Looks at this host, once a run.
 */
bool self_connect_possible(const struct routes *);

/* Whether this connected socket is one: two system calls. */
bool self_connect_is(int fd);

#endif
