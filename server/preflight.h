/*
 * What tcpserver looks at before it serves: whether its processes have the
 * descriptors, and this host the limits, for what was asked. What is impossible
 * ends the program with STATUS_COULD_NOT_RUN.
 */
#ifndef SERVER_PREFLIGHT_H
#define SERVER_PREFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/options.h"

/* How many workers -w asks for, with that many descriptors each. */
unsigned int server_preflight_workers(
    const struct server_options *, uint64_t limit);

/* The parent's own descriptors. Says the limit where verbose. */
void server_preflight_descriptors(
    const struct server_options *, unsigned int workers, uint64_t limit);

/* --check: prints the table. True if nothing is too low. */
bool server_preflight_show(const struct server_options *, unsigned int workers);

/* Room for --max-connections; --force goes on where there is none. */
void server_preflight_room(const struct server_options *, unsigned int workers);

#endif
