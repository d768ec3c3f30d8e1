/*
 * What generator.c, which goes through the phases, shares with generator_pace.c,
 * which opens and replaces connections in them, generator_turn.c, which sends, and
 * generator_told.c, which changes what is asked, and generator_settle.c, which waits
 * between the steps of a search; nobody else's business.
 */
#ifndef CLIENT_GENERATOR_INTERNAL_H
#define CLIENT_GENERATOR_INTERNAL_H

#include "client/generator.h"
#include "client/pace.h"
#include "client/program.h"

struct event;
struct event_base;
struct querylog;
struct worker_message;

enum phase {
	PHASE_OPENING,
	PHASE_WAITING,
	PHASE_RUNNING,
	PHASE_DRAINING,
	PHASE_SETTLING,
	PHASE_OVER,
};

/* The wait for answers to queries of a step that timed out. */
struct settling {
	uint64_t begun;
	uint64_t late; /* late answers so far, as of the last look */
	uint64_t last; /* when the last one had come, or begun */
};

struct generator {
	const struct generator_config *config;
	struct generator_result *result;
	struct worker *worker;
	struct event_base *base;
	struct pool *pool;
	struct schedule *schedule;
	struct querylog *log;
	struct read_delay delay;
	struct event *open_timer;
	struct event *replace_timer;
	struct event *turn_timer;
	struct event *tick_timer;
	struct event *log_timer;
	struct event *drain_timer;
	struct event *churn_timer;
	struct event *settle_timer;
	struct outage_watch watch;
	struct program step; /* the one that runs, or comes next */
	double step_rate;
	struct turns_share next_share; /* until WORKER_SHARE says when */
	struct usage usage; /* when the clock started */
	enum phase phase;
	bool ending; /* no further step */
	uint64_t opened; /* connects begun, since open_begin */
	uint64_t open_begin;
	bool paced; /* there is something left to open since then */
	struct pace pace;
	uint64_t churned; /* since the clock began */
	uint64_t troubles; /* as of then */
	struct settling settling;
	uint32_t renewed; /* closed after the last step, not yet opened again */
	uint64_t end; /* what is due from then on is not sent */
	uint64_t sent; /* when the last turn that sent was over */
	bool put_off; /* the next turn was, to hear of the end first */
	uint64_t pump_after; /* the read side may pump again */
};

/*
 * Phases.
 */

/* What may have become true by any event. */
void generator_step(struct generator *, uint64_t now);

/* Queries no more; waits for answers. Nothing if it does so already. */
void generator_drain(struct generator *, uint64_t now);

/* In steps: everything that was sent has been answered, or never will be. */
void generator_settled(struct generator *);

/*
 * Settling.
 */

/* Nothing waits for an answer in time any more. */
void generator_settle(struct generator *, uint64_t now);

/* Whether it is over. No effect in another phase. */
void generator_settle_look(struct generator *, uint64_t now);

void generator_on_settle_timer(int fd, short what, void *arg);

/*
 * Pace.
 */

/* The next connection to be opened is the first of its kind. */
void generator_open_anew(struct generator *, uint64_t now);

/* The clock has started: from now on those are opened that come back. */
void generator_open_run(struct generator *);

/* Opens no more: what was due by then and is not begun will not come. */
void generator_open_end(struct generator *, uint64_t now);

/* What is to be opened by now, at once or at a rate. At every event. */
void generator_open_more(struct generator *, uint64_t now);

void generator_churn_begin(struct generator *, uint64_t now);

/* Whether there is one more to leave before the end. */
bool generator_churn_waits(const struct generator *);

/* Counts those as skipped that were to leave by now; to within one. Once. */
void generator_churn_end(struct generator *, uint64_t now);

/* Whether connections are missing because others ended them, for how long. */
void generator_watch_begin(struct generator *);
void generator_watch(struct generator *, uint64_t now);

void generator_on_open_timer(int fd, short what, void *arg);
void generator_on_replace_timer(int fd, short what, void *arg);
void generator_on_churn_timer(int fd, short what, void *arg);

/*
 * Turns.
 */

/* The next turn is for the next arrival, or to notice the end. */
void generator_turn_arm(struct generator *, uint64_t now);

/*
 * Sends every arrival that is due by now, up to BATCH_MAX; what is more comes
 * in the next turn, after reading.
 */
void generator_turn(struct generator *, uint64_t now);

/*
 * Books what was due before the end and never sent, when everything else is done:
 * a piece at a time, so that signals can be heard meanwhile. True: there may be more.
 */
bool generator_skip_due(struct generator *);

void generator_on_turn_timer(int fd, short what, void *arg);
void generator_on_tick_timer(int fd, short what, void *arg);

/* Carries out what is said to a run that goes on; all else is ignored. */
void generator_told(
    struct generator *, const struct worker_message *, uint64_t now);

/* For the pool. */
void generator_on_progress(uint64_t now, void *arg);

#endif
