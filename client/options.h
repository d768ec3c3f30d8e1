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
#include "client/condition.h"
#include "client/life.h"
#include "client/program.h"
#include "client/schedule.h"
#include "client/search.h"

/* Where to. */
struct options_target {
	char **hosts;
	size_t host_count;
	struct port_list ports;
	struct addr_list sources;
	int family;
	bool all_addresses; /* of a name */
	/* what followed an option with an optional argument; NULL: nothing */
	const char *after_optional;
};

/* What load. Times in nanoseconds, rates a second. */
struct options_load {
	uint64_t connections;
	uint64_t workers; /* 0: as many as it takes */
	double open_rate;
	struct program program; /* the warm-up included */
	uint64_t warmup;
	enum schedule_arrivals arrivals;
	uint64_t start_at; /* nanoseconds since the epoch; 0: once open */
	uint64_t drain; /* CLOCK_NEVER: as long as the timeout */
	uint64_t seed;
	uint64_t timeout;
	uint64_t connect_timeout;
	bool probe;
	bool reset; /* close with a RST */
};

#define OPTIONS_CONDITIONS 32

/* What it is for. */
struct options_goal {
	struct condition fail[OPTIONS_CONDITIONS];
	size_t fail_count;
	struct search_config search; /* SEARCH_NOTHING: no --find-max */
	uint64_t max_lateness; /* CLOCK_NEVER: not given, with --merge */
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

/* What is done about the limits of this host. */
struct options_limits {
	bool check; /* look at them, instead of a run */
	bool sysctls; /* and print what they are to be, for programs */
	bool force; /* go on where the run is impossible */
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
	struct life life;
	struct options_goal goal;
	struct options_output output;
	struct options_limits limits;
	const char *control; /* path of the socket for commands; NULL: none */
	struct options_merge merge;
};

/*
 * Reads standard input where it is asked to. Lists and the program are owned by
 * the caller; strings are those of argv.
 */
void options_read(struct options *, int argc, char **argv);

#endif
