/*
 * HOST operands: lists of addresses, ranges, prefixes and names, each with a port
 * of its own or none, become the targets of a run.
 */
#ifndef CLIENT_HOSTS_H
#define CLIENT_HOSTS_H

#include <stdint.h>

#include "client/options.h"
#include "client/routes.h"

/*
 * Fills in routes, which the caller clears; lists are taken over. A name is
 * resolved, and stands for its first address that accepts a connection within
 * patience nanoseconds (0: none is tried, and the first one is taken), or with
 * --all-addresses for all of them. Sets the family where the sources decide it.
 * Ends the program where a name does not resolve (STATUS_COULD_NOT_RUN), where a
 * link-local address has no interface, or where the families do not fit
 * (STATUS_USAGE).
 */
void hosts_find(
    struct options_target *, uint64_t patience, struct routes *routes);

#endif
