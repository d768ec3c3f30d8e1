/*
 * --find-max: which load comes next, and what has been found.
 *
 * The load doubles until a step does not hold, then the interval between the
 * highest that held and the lowest that did not is halved, until they are less
 * than 2 % apart. Where the first step does not hold, the load is halved until
 * one does. A step that does not hold is run once more: one bad moment of this
 * host or the other is no limit. A search for a rate is over where its first load had
 * no answer at all, both times.
 *
 * No clock, no socket: the caller runs a step and says what came of it.
 */
#ifndef CLIENT_SEARCH_H
#define CLIENT_SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/condition.h"

enum search_what {
	SEARCH_NOTHING,
	SEARCH_RATE,
	SEARCH_CONNECTIONS,
};

#define SEARCH_CONDITIONS 8
#define SEARCH_WHY	  480
#define SEARCH_STEPS	  256 /* of a search; it ends far sooner */

struct search_config {
	enum search_what what;
	double rate; /* SEARCH_RATE: to begin with; else of every step */
	double rate_most;
	uint64_t connections; /* SEARCH_CONNECTIONS: to begin with */
	uint64_t connections_least; /* a step has no fewer */
	uint64_t connections_most;
	uint64_t duration; /* of a step, at least, nanoseconds */
	struct condition until[SEARCH_CONDITIONS];
	size_t until_count;
	uint64_t max_lateness; /* of a step, see health.h */
};

enum search_stop {
	SEARCH_HELD,
	SEARCH_BY_SERVER,
	SEARCH_BY_CLIENT,
	SEARCH_BY_KERNEL, /* a limit of this host */
	SEARCH_BY_IDS, /* a connection has 65,536, and they were used up */
};

struct search_load {
	double rate; /* queries per second in all */
	uint64_t connections;
	uint64_t duration; /* nanoseconds */
};

struct search_step {
	struct search_load load;
	enum search_stop stop;
	char why[SEARCH_WHY]; /* it did not hold, for people */
	double
	    seconds; /* of querying, as it was; NAN: it did not come to that */
	double sent_qps; /* NAN: as well */
	double answered_qps;
	uint64_t answered_later; /* of these answers: when querying was over */
	uint64_t open; /* connections */
	uint64_t renewed; /* before it, for answers that had not come */
	bool unsettled; /* began while answers to earlier queries still came */
	uint64_t never_answered; /* more connections than before it */
	uint64_t response_p50_ns; /* HISTOGRAM_NONE: nothing was answered */
	uint64_t response_p99_ns;
	uint64_t lateness_p99_ns;
	double
	    busy; /* share of a processor that the busiest worker used, or NAN */
};

struct search;

/* Owned by the caller. Exits on lack of memory. */
struct search *search_new(const struct search_config *);
void search_free(struct search *);

const struct search_config *search_config(const struct search *);

/*
 * The most that a percentile of the conditions needs to mean something
 * (condition_samples()); 0 if none is on a percentile.
 */
uint64_t search_samples(const struct search *);

/* The next step, or false: the search is over. */
bool search_next(const struct search *, struct search_load *);

/* It is a search for a rate, and its first load, run twice, had no answer. */
bool search_is_unanswered(const struct search *);

/* What came of it. */
void search_note(struct search *, const struct search_step *);

size_t search_steps(const struct search *);
const struct search_step *search_step(const struct search *, size_t index);

/* The one with the highest load that held; NULL if none did. */
const struct search_step *search_best(const struct search *);

/*
 * The last one, run twice, that did not hold at the lowest such load; NULL if
 * all held, up to the most that was to be tried.
 */
const struct search_step *search_limit(const struct search *);

/* The load of a step in the unit that is searched: queries/s or connections. */
double search_value(const struct search *, const struct search_step *);

#endif
