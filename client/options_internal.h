/*
 * What options.c reads and options_check.c makes sense of.
 */
#ifndef CLIENT_OPTIONS_INTERNAL_H
#define CLIENT_OPTIONS_INTERNAL_H

#include "client/options.h"

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
	bool of_run; /* options that do not go with --merge */
};

/* Ends the program with STATUS_USAGE and what would be right, unless it holds. */
void options_must(bool condition, const char *otherwise);

/*
 * Checks what options must be to each other, and makes the program of rates and
 * the search from them.
 */
void options_complete(struct draft *);

/* The same for --merge and its operands. */
void options_complete_merge(struct draft *, char **files, int count);

#endif
