/*
 * What run.c, run_search.c, run_commands.c and run_changes.c have in common: the
 * state of a run, and the steps that it is made of. Nobody else's business.
 */
#ifndef CLIENT_RUN_INTERNAL_H
#define CLIENT_RUN_INTERNAL_H

#include "lib/worker.h"
#include "client/find_max.h"
#include "client/plan.h"
#include "client/run.h"

/* What the parent knows of a worker. */
struct member {
	bool ready; /* has done what it was told, or has ended */
	bool ended;
	uint64_t died; /* when; 0: it did not */
};

enum stage {
	STAGE_OPENING,
	STAGE_QUERYING,
};

struct run {
	const struct run_config *config;
	struct workers *workers;
	struct run_result *result;
	struct member *members;
	struct find_max *find_max; /* NULL: no search */
	struct states *states;
	struct control *control; /* NULL: there is none */
	struct run_jobs *jobs; /* NULL: no commands are taken */
	uint64_t wanted; /* connections */
	uint64_t go_at; /* when the workers begin to query */
	int64_t wall_ahead; /* of the monotonic clock, when go_at was set */
	enum stage stage;
	bool closing_taken;
	bool gave_up; /* workers were told not to wait for the reader of -R */
	bool killing; /* those that have not ended since */
	struct event *sample_timer;
	struct event *live_timer;
	struct event *kill_timer;
	struct event *step_timer; /* looks for a step before --start-at */
	uint64_t begun;
};

/*
 * What all workers have counted so far, as of this moment. It is in the run's
 * result, and changes with the next call.
 */
const struct generator_result *run_add_up(struct run *);

/* Of the worker that was the busiest. */
struct health_usage run_busiest(const struct run *);

/*
 * Once all workers are ready: they begin to query at the same moment, and together
 * with other hosts if there is a time for it.
 */
void run_go(struct run *);

/* How long it takes until all workers have heard of something, nanoseconds. */
uint64_t run_lead(const struct run *);

/* What the targets' listening sockets on this host have dropped until now. */
void run_look_at_listeners(struct run *);

/* Drains, or, the second time, stops at once. */
void run_interrupt(struct run *);

/*
 * Commands are taken from now on, where they are asked for; false if that cannot
 * be, which has been said. And no longer.
 */
bool run_commands_begin(struct run *);
void run_commands_end(struct run *);

/* A worker has said WORKER_DONE, or has ended: 0. */
void run_commands_done(struct run *, unsigned int worker, uint64_t value);

/*
 * Only of a run with a search, once all workers are ready or have ended: a step
 * was opened for, or has been run. On to what comes next.
 */
void run_search_on(struct run *);

#endif
