/*
 * What the server does with what it receives, and when it ends a connection of
 * its own accord: as the command line says.
 */
#ifndef SERVER_SERVICE_H
#define SERVER_SERVICE_H

#include <stdbool.h>
#include <stdint.h>

enum service_mode {
	SERVICE_ECHO, /* sends it back */
	SERVICE_DNS, /* answers queries */
	SERVICE_SINK, /* swallows it */
	SERVICE_PING, /* says Pong to Ping */
};

/* Times in nanoseconds. All zero: a plain echo. */
struct service {
	enum service_mode mode;
	uint64_t delay; /* of each answer; 0: none */
	uint64_t stall; /* does nothing for that long, 0: never, ... */
	uint64_t stall_every; /* ... in each such period of the wall clock */
	uint64_t close_after; /* so many answers; 0: never */
	uint64_t idle_timeout; /* 0: never */
	double drop; /* share of messages, 0 .. 1 */
	uint64_t seed; /* of what is dropped */
};

const char *service_mode_name(enum service_mode);

/* Each returns NULL or what is wrong and what would be right, a constant
 * string. */
const char *service_parse_mode(const char *text, enum service_mode *);
const char *service_parse_stall(const char *text, struct service *);

/* Whether the options go together. */
const char *service_check(const struct service *);

/*
 * Whether it does nothing now, wall nanoseconds since the epoch: from each whole
 * multiple of stall_every on, for stall. *next: nanoseconds until that changes.
 * All workers have the same wall clock, and hosts that are synchronised.
 */
bool service_stalled(const struct service *, uint64_t wall, uint64_t *next);

/* Echoes whatever comes, at once and for as long as the peer likes. */
bool service_is_plain(const struct service *);

/* Messages are looked at one by one: not for a plain echo or a sink, whatever
 * their times. */
bool service_by_message(const struct service *);

#endif
