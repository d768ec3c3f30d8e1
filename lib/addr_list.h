/*
 * Lists of IP addresses as people type them. No address is in a list twice.
 */
#ifndef LIB_ADDR_LIST_H
#define LIB_ADDR_LIST_H

#include <stddef.h>
#include <stdint.h>

#include "lib/addr.h"

#define ADDR_LIST_MOST 65536 /* addresses in a list */

/* An IP address, 24 bytes: lists of them are long. */
struct addr_ip {
	uint16_t family; /* AF_INET or AF_INET6 */
	uint16_t port; /* 0: none of its own */
	uint32_t scope_id; /* the interface of a link-local address, or 0 */
	uint8_t bytes[16]; /* network order; of IPv4 4, and then zeros */
};

/* Empty when zeroed. The list owns what at points to. */
struct addr_list {
	struct addr_ip *at;
	size_t count; /* 0 .. ADDR_LIST_MOST */
};

/*
 * Appends the addresses that text says, in its order: items separated by
 * commas, without blanks, each of them one of
 *
 *	ADDRESS		a literal; names are never resolved. Link-local ones
 *			may have an interface: fe80::1%eth0; in brackets or
 *			without
 *	FIRST-LAST	all from FIRST to LAST, of one family and interface
 *	ADDRESS/BITS	the hosts of a prefix, whose other bits are 0: all
 *			but network and broadcast of IPv4 up to /30, all but
 *			the lowest (the subnet's routers) of IPv6 up to /126.
 *			An interface goes before the slash.
 *
 * Returns NULL, or a constant string with what is wrong and what would be
 * right; the list is then as it was. Wrong is also what would make the list
 * longer than ADDR_LIST_MOST, found out before anything is allocated, or bring
 * an address into it twice. Any bytes may be in text. Takes milliseconds for a
 * full list. Ends the program where memory runs out.
 */
const char *addr_list_parse(const char *text, struct addr_list *list);

/* The same; each address that is appended has this port of its own. */
const char *addr_list_parse_port(
    const char *text, uint16_t port, struct addr_list *list);

/*
 * The first link-local address that has no interface; NULL: none. The kernel
 * refuses to connect to one, and to bind one.
 */
const struct addr_ip *addr_list_lacks_interface(const struct addr_list *list);

/*
 * Appends one address, for what addr_resolve() found; port takes the place of
 * its own.
 * Returns NULL, or a constant string with what is wrong, the list then being as
 * it was: it is full, the address is in it already, or is not an IP address.
 * Looks at the whole list each time. Ends the program where memory runs out.
 */
const char *addr_list_append(
    struct addr_list *list, const struct addr *, uint16_t port);

/* Frees what the list owns, and leaves it empty. */
void addr_list_free(struct addr_list *list);

/* The socket address of an address and its own port, or else the given one. */
void addr_from_ip(const struct addr_ip *, uint16_t port, struct addr *out);

#endif
