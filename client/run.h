/*
 * A run, seen from the parent: starts the workers, has them begin together,
 * samples what they count, passes signals on as words, and adds everything up.
 */
#ifndef CLIENT_RUN_H
#define CLIENT_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "client/generator.h"
#include "client/report.h"

struct run_config {
	const struct generator_config *generator; /* of the whole run */
	struct report *report; /* gets a sample a second */
	bool states; /* also of the states of this host's connections */
	bool say_states; /* on standard error */
	struct search *search; /* NULL: one run; else in steps */
	const char *control; /* path of the socket for commands; NULL: none */
	struct plan *plan; /* the program, if it can be changed by them */
	uint64_t start_at; /* nanoseconds since the epoch; 0: once open */
	unsigned int workers; /* at most one for each connection */
	uint64_t live_every; /* of the live line, nanoseconds; 0: none */
	bool say_limits; /* as soon as they are met */
	enum diagnosis_view view; /* whose counters this host's are */
	bool live_terminal; /* it overwrites itself */
};

/* The books, closed: what workers that died had in flight is in them. */
struct run_result {
	struct generator_result sum; /* over all workers */
	struct report_end end;
	bool failed; /* it could not begin, which has been said */
};

/*
 * Whether the socket for commands can be made there: if not, why has been said. To be
 * asked before any output is overwritten and any worker is started.
 */
bool run_may_be_told(const char *path);

/*
 * Runs to the end: the duration is over, a signal came, or nothing is left to
 * query. The first SIGINT or SIGTERM drains, the second stops at once. Owned by
 * the caller (free()); NULL with errno set if no worker could be started.
 */
struct run_result *run_workers(const struct run_config *);

#endif
