/*
 * What the command line says, in one part for each reader.
 *
 * Everything is checked here that needs no look at this host or the other; what
 * is wrong ends the program with STATUS_USAGE and says what would be right.
 */
#ifndef CLIENT_OPTIONS_H
#define CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/addr_list.h"
#include "lib/port_list.h"

/* Where to. */
struct options_target {
	char **hosts;
	size_t host_count;
	struct port_list ports;
	struct addr_list sources;
	int family;
};

/* What load. Times in nanoseconds, rates a second. */
struct options_load {
	uint64_t connections;
	uint64_t workers; /* 0: as many as it takes */
	double query_rate;
	double open_rate;
	uint64_t duration; /* CLOCK_NEVER: until told */
	uint64_t seed;
	uint64_t timeout;
	uint64_t connect_timeout;
	bool probe;
	bool reset; /* close with a RST */
	bool have_query_rate;
};

/* What is printed where. */
struct options_output {
	uint64_t report_every; /* 0: only where stderr is a terminal */
	const char *json; /* NULL: none; "-": stdout */
	const char *histogram;
	const char *series;
	int verbose;
	bool log_queries;
};

/* Results to add up, instead of a run. */
struct options_merge {
	bool asked;
	char **files;
	size_t count;
};

struct options {
	struct options_target target;
	struct options_load load;
	struct options_output output;
	struct options_merge merge;
};

/* Lists are owned by the caller; strings are those of argv. */
void options_read(struct options *, int argc, char **argv);

#endif
