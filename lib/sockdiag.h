/*
 * What the kernel knows of this host's TCP sockets (NETLINK_SOCK_DIAG), those of
 * this network namespace, whoever's they are.
 *
 * Asked for is who is at the far end of connections, or, of listening sockets,
 * what they listen on. The kernel filters by port, so that what is not wanted is
 * never copied; addresses are looked at here.
 *
 * A count of very many connections comes in pieces, about 250 sockets each, so
 * that its caller can do other things in between; 1.6 s of processor time a
 * million. It is no picture of one moment.
 */
#ifndef LIB_SOCKDIAG_H
#define LIB_SOCKDIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr_list.h"

/* X(name, number): include/net/tcp_states.h */
#define SOCKDIAG_STATES(X) \
	X(established, 1)  \
	X(syn_sent, 2)     \
	X(syn_recv, 3)     \
	X(fin_wait1, 4)    \
	X(fin_wait2, 5)    \
	X(time_wait, 6)    \
	X(close_wait, 8)   \
	X(last_ack, 9)     \
	X(closing, 11)

#define SOCKDIAG_FIELD(name, number) uint64_t name;

struct sockdiag_states {
	SOCKDIAG_STATES(SOCKDIAG_FIELD)
};

/* The accept queues of listening sockets. */
struct sockdiag_queues {
	uint64_t listeners; /* sockets; 0: nobody listens there on this host */
	uint64_t queued; /* connections, in all of them */
	uint64_t fullest; /* in the one that has the most */
	uint64_t limit; /* the least of any; one more fits in */
	uint64_t drops; /* SYNs and last ACKs, of all since they listen */
	bool drops_known; /* older kernels do not tell */
	uint64_t others; /* sockets that listen on anything else */
};

/*
 * What these listening sockets have dropped between looks: the kernel's own counters
 * (ListenOverflows and the like) are of all servers of the network namespace.
 */
struct sockdiag_drops {
	uint64_t count;
	bool known; /* of each of them, whenever somebody looked */
	bool alone; /* nothing else was seen to listen in the namespace */
	/* this module's */
	bool looked;
	bool lost; /* one has closed: what it dropped last is not known */
	uint64_t listeners;
	uint64_t last;
};

enum sockdiag_progress {
	SOCKDIAG_MORE,
	SOCKDIAG_DONE,
	SOCKDIAG_FAILED, /* errno is set */
};

struct sockdiag;

/*
 * For these addresses (none: any; 0.0.0.0 and :: are the loopback, as for
 * connect()) and these ports, at least one. Copies both. NULL with errno set
 * where there is no memory.
 */
struct sockdiag *sockdiag_new(const struct addr_ip *hosts, size_t host_count,
    const uint16_t *ports, size_t port_count);
void sockdiag_free(struct sockdiag *);

/*
 * Begins to count the connections to them, not while a count is on its way. 0 or
 * an errno: ENOENT where the kernel has no sock_diag.
 */
int sockdiag_begin(struct sockdiag *);

/* Reads a piece, without blocking. The counts are whole when it is done. */
enum sockdiag_progress sockdiag_read(struct sockdiag *);
const struct sockdiag_states *sockdiag_states(const struct sockdiag *);

/* Gives up what is on its way. */
void sockdiag_stop(struct sockdiag *);

/*
 * The sockets of this host that listen on one of them, or on every address and
 * such a port. Short, and so blocks; 0 or an errno.
 */
int sockdiag_queues(const struct sockdiag *, struct sockdiag_queues *out);

/* Sockets that have dropped something before are looked at: that does not count. */
void sockdiag_drops_begin(
    struct sockdiag_drops *, const struct sockdiag_queues *now);

/* One look; the first one of all zeros where the sockets are new. */
void sockdiag_drops_look(
    struct sockdiag_drops *, const struct sockdiag_queues *now);

/*
 * A message of the kernel's, length bytes, of which whole sockets are added to
 * what was counted. For tests, too.
 */
enum sockdiag_progress sockdiag_parse(
    struct sockdiag *, const void *message, size_t length);

#endif
