/*
 * The commands of a program that is controlled in mid-run (lib/control): a
 * static table. A line is a name and, where the command has one, an argument,
 * with blanks between them.
 */
#ifndef LIB_COMMAND_H
#define LIB_COMMAND_H

#include <stdint.h>

struct control_request;

enum command_argument {
	COMMAND_NONE,
	COMMAND_COUNT, /* as parse_count(), 0 to INT_MAX */
	COMMAND_RATE, /* as parse_rate(), a second */
};

/* Which member it is, the table says; COMMAND_NONE: none. */
union command_value {
	uint64_t count;
	double rate;
};

struct command {
	const char *name; /* NULL: the end of the table */
	enum command_argument argument;

	/* Answers the request, now or later. */
	void (*run)(struct control_request *, union command_value, void *arg);
};

/*
 * Runs the command in a line, with arg; or refuses the request, and says which
 * commands there are or what the argument should have been.
 */
void command_run(const struct command *table, struct control_request *,
    const char *line, void *arg);

#endif
