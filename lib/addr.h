/*
 * Addresses of targets.
 */
#ifndef LIB_ADDR_H
#define LIB_ADDR_H

#include <sys/socket.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ADDR_MOST   256 /* addresses of one name that are looked at */
#define ADDR_FORMAT 80 /* "[address%interface]:port" */

#define ADDR_INTERFACES 200

/* What is wrong where addr_is_odd(). */
#define ADDR_ODD_TEXT                                                     \
	"an IPv4 address is four decimal numbers without leading zeros, " \
	"such as 10.0.0.8"

struct addr {
	struct sockaddr_storage sa;
	socklen_t length;
};

/*
 * Resolves host (a name or a literal) for TCP; family is AF_INET, AF_INET6 or
 * AF_UNSPEC. Stores up to ADDR_MOST addresses in the resolver's order, none twice,
 * and
 * returns NULL, or returns what went wrong, a constant string. Blocks.
 */
const char *addr_resolve(const char *host, uint16_t port, int family,
    struct addr out[ADDR_MOST], size_t *count);

/*
 * Splits "HOST:PORT", "[HOST]:PORT" and "[HOST]" in place; an IPv6 address
 * without brackets has no port. Returns HOST, and *port, 0 where there is none;
 * or NULL, and *why is a constant string with what is wrong.
 */
char *addr_split_port(char *text, uint16_t *port, const char **why);

/*
 * Whether text is an IPv4 address in a form that only some programs take, and
 * read in different ways: octal, hexadecimal, or of fewer than four numbers
 * (10.0.0.010, 0x7f.1, 127.1), or digits and dots that are none (10.0.0.256).
 * addr_resolve() refuses it.
 */
bool addr_is_odd(const char *text);

/*
 * The first of count > 0 addresses that accepts a connection within timeout
 * nanoseconds; NULL if none does. A single address is not tried: no
 * connection is made that nobody asked for. Where there are several, the one
 * that was tried is reset, to leave nothing in TIME_WAIT. Blocks.
 */
const struct addr *addr_choose(
    const struct addr *, size_t count, uint64_t timeout);

/*
 * Whether text is an IPv6 address that is good on one interface only (fe80::/10),
 * and names none.
 */
bool addr_lacks_interface(const char *text);

/* "lo, eth0": those of this host, as many as there is room for. */
void addr_interfaces(char out[ADDR_INTERFACES]);

enum addr_owner { ADDR_OURS, ADDR_OTHERS, ADDR_UNKNOWN };

/*
 * Whether it is an address of this host, or of this network namespace. Unknown
 * where the kernel lets anything be bound, or there is no socket.
 */
enum addr_owner addr_owner(const struct addr *);

/* "192.0.2.1:53" or "[2001:db8::1]:53". */
void addr_format(const struct addr *, char out[ADDR_FORMAT]);

#endif
