/*
 * What options.c reads and options_check.c makes sense of.
 */
#ifndef CLIENT_OPTIONS_INTERNAL_H
#define CLIENT_OPTIONS_INTERNAL_H

#include "client/options.h"

/* Options without a letter. */
enum {
	OPT_TIMEOUT = 256,
	OPT_CONNECT_TIMEOUT,
	OPT_JSON,
	OPT_HISTOGRAM,
	OPT_SERIES,
	OPT_PROBE,
	OPT_CLOSE,
	OPT_STDIN,
	OPT_STDIN_RATESLOPE,
	OPT_PROGRAM,
	OPT_ARRIVAL,
	OPT_WARMUP,
	OPT_START_AT,
	OPT_DRAIN,
	OPT_FAIL,
	OPT_MAX_LATENESS,
	OPT_FIND_MAX,
	OPT_UNTIL,
	OPT_MERGE,
	OPT_CHURN,
	OPT_CHURN_PICK,
	OPT_QUERIES_EACH,
	OPT_RECONNECT,
	OPT_EVERY,
	OPT_DROP,
	OPT_CONTROL,
	OPT_CHECK,
	OPT_FORCE,
	OPT_ALL_ADDRESSES,
};

/* Where the rate comes from. */
enum rate_source {
	RATE_CONSTANT,
	RATE_PROGRAM,
	RATE_STDIN,
	RATE_STDIN_SLOPES,
};

/* What makes sense only together with the rest. */
struct draft {
	struct options *o;
	enum rate_source source;
	const char *program;
	double rate;
	uint64_t duration;
	bool have_rate;
	bool have_duration;
	bool have_drain;
	bool have_arrivals;
	bool have_churn_pick;
	bool have_reconnect;
	bool of_run; /* options that do not go with --merge */
};

extern const char options_usage[];

/* Ends the program with STATUS_USAGE and what would be right, unless it holds. */
void options_must(bool condition, const char *otherwise);

/*
 * Checks what options must be to each other, and makes the program of rates and
 * the search from them.
 */
void options_complete(struct draft *);

/* Takes what is about how connections live; false if the option is not. */
bool options_set_life(struct draft *, int option, const char *arg);

/* Checks that part, and makes of it what the program of rates needs. */
void options_complete_life(struct draft *);

/* The same for --merge and its operands. */
void options_complete_merge(struct draft *, char **files, int count);

#endif
