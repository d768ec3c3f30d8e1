/*
 * Limits of this process and this host that a run with many connections meets.
 */
#ifndef LIB_LIMITS_H
#define LIB_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Descriptors that a process needs besides its connections. */
#define LIMITS_SPARE_DESCRIPTORS 64

/*
 * Raises this process's soft RLIMIT_NOFILE to its hard one and returns what it
 * is then. The hard limit is the administrator's word and is left alone even
 * by root. Never fails: less than is needed is for the caller to say.
 */
uint64_t limits_raise_descriptors(void);

/*
 * How many processes it takes, at least, for that many connections under the
 * descriptor limit (the hard one, as above).
 */
uint64_t limits_workers_least(uint64_t connections);

/* The same, but at least one for each processor. */
unsigned int limits_workers(uint64_t connections);

#define LIMITS_WORKERS_MOST 4096

/* How many processors this process may use, 1 .. LIMITS_WORKERS_MOST. */
unsigned int limits_processors(void);

/* How many descriptors this process has open; 0 if that cannot be told. */
uint64_t limits_descriptors_open(void);

/* net.core.somaxconn, which cuts listen()'s backlog silently; 0 if unreadable. */
uint64_t limits_somaxconn(void);

/*
 * The first and the last port that connect() chooses from: ip_local_port_range,
 * which holds for IPv6, too. False if that is unreadable.
 */
bool limits_port_range(unsigned long *first, unsigned long *last);

/*
 * The local ports that connect() chooses from: ip_local_port_range without the
 * reserved ones; 0 if unreadable. (It holds for IPv6, too.)
 */
uint64_t limits_local_ports(void);

/* Of the ports low to high, how many a list such as "8080,9148-9150" takes. */
uint64_t limits_reserved(
    const char *list, unsigned long low, unsigned long high);

/* Sets bit port % 8 of byte port / 8 for each reserved port of this host. */
void limits_reserved_ports(uint8_t bits[8192]);

/* What bounds how many connections this host can open: the product. */
struct limits_ways {
	uint64_t ports; /* 0: unknown */
	uint64_t sources; /* addresses */
	uint64_t targets; /* addresses x ports */
	bool widest; /* ip_local_port_range cannot be made wider */
};

#define LIMITS_TEXT 200

/*
 * Whether connections are more than there can be. Then missing says how many
 * more sources or targets it takes.
 */
bool limits_ways_short(const struct limits_ways *, uint64_t connections,
    char missing[LIMITS_TEXT]);

#endif
