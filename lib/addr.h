/*
 * Addresses of targets.
 */
#ifndef LIB_ADDR_H
#define LIB_ADDR_H

#include <sys/socket.h>

#include <stddef.h>
#include <stdint.h>

#define ADDR_MOST   16 /* addresses of one name that are looked at */
#define ADDR_FORMAT 80 /* "[address%interface]:port" */

struct addr {
	struct sockaddr_storage sa;
	socklen_t length;
};

/*
 * Resolves host (a name or a literal) for TCP; family is AF_INET, AF_INET6 or
 * AF_UNSPEC. Stores up to ADDR_MOST addresses in the resolver's order and
 * returns NULL, or returns what went wrong, a constant string. Blocks.
 */
const char *addr_resolve(const char *host, uint16_t port, int family,
    struct addr out[ADDR_MOST], size_t *count);

/*
 * The first of count > 0 addresses that accepts a connection within timeout
 * nanoseconds, or else the first one. A single address is not tried: no
 * connection is made that nobody asked for. Where there are several, the one
 * that was tried is reset, to leave nothing in TIME_WAIT. Blocks.
 */
const struct addr *addr_choose(
    const struct addr *, size_t count, uint64_t timeout);

enum addr_owner { ADDR_OURS, ADDR_OTHERS, ADDR_UNKNOWN };

/*
 * Whether it is an address of this host, or of this network namespace. Unknown
 * where the kernel lets anything be bound, or there is no socket.
 */
enum addr_owner addr_owner(const struct addr *);

/* "192.0.2.1:53" or "[2001:db8::1]:53". */
void addr_format(const struct addr *, char out[ADDR_FORMAT]);

#endif
