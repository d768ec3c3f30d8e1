#include <event2/event.h>

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/timer.h"
#include "lib/worker.h"
#include "client/batch.h"
#include "client/generator.h"
#include "client/querylog.h"
#include "client/schedule.h"

#define OPEN_BURST 256 /* connects begun in one turn */

/*
 * Reading pumps the due arrivals too, or 4,096 ready connections would make
 * them late. But not at once, or nothing is left to batch; and never more than
 * half of the time, or sending starves reading.
 */
#define PUMP_LATENESS (10 * CLOCK_NS_PER_US)

/* A tool too slow for the rate may go on for so long after the end; what is due
 * even then is skipped: overload. */
#define OVERRUN CLOCK_NS_PER_SEC

/* Arrivals that count_rest() takes in one turn: some milliseconds. */
#define COUNT_BURST 262144

/* Rows of a slow run must not wait for a full buffer. */
#define LOG_FLUSH (250 * CLOCK_NS_PER_MS)

enum phase {
	PHASE_OPENING,
	PHASE_WAITING,
	PHASE_RUNNING,
	PHASE_DRAINING,
	PHASE_OVER,
};

struct generator {
	const struct generator_config *config;
	struct generator_result *result;
	struct worker *worker;
	struct event_base *base;
	struct pool *pool;
	struct schedule *schedule;
	struct querylog *log;
	struct event *open_timer;
	struct event *turn_timer;
	struct event *tick_timer;
	struct event *log_timer;
	enum phase phase;
	uint64_t opened; /* connects begun */
	uint64_t end; /* what is due from then on is not sent */
	uint64_t pump_after; /* the read side may pump again */
};

/*
 * Phases.
 */

static void
over(struct generator *g)
{
	if (g->phase == PHASE_OVER)
		return;
	g->phase = PHASE_OVER;
	g->result->close_begin = clock_now();
	pool_abandon(g->pool);
	pool_close(g->pool);
	g->result->close_end = clock_now();
	event_base_loopbreak(g->base);
}

static void
drain(struct generator *g, uint64_t now)
{
	if (g->phase == PHASE_DRAINING || g->phase == PHASE_OVER)
		return;
	if (g->phase == PHASE_RUNNING) {
		g->result->query_end = now;
		if (now < g->end)
			g->end = now;
	}
	g->phase = PHASE_DRAINING;
	if (g->result->open_end == 0)
		g->result->open_end = now;
	event_del(g->open_timer);
	event_del(g->turn_timer);
	pool_abandon(g->pool);
}

static void
wait_for_go(struct generator *g, uint64_t now)
{
	g->phase = PHASE_WAITING;
	g->result->open_end = now;
	if (pool_usable(g->pool) == 0)
		over(g);
	else
		worker_tell(g->worker, WORKER_READY, pool_usable(g->pool));
}

/* The next turn is for the next arrival, or to notice the end. */
static void
turn_arm(struct generator *g, uint64_t now)
{
	uint64_t when = schedule_next(g->schedule);

	if (when > g->end)
		when = g->end;
	if (when != CLOCK_NEVER)
		timer_set_at(g->turn_timer, when, now);
}

static void
run(struct generator *g, uint64_t start)
{
	if (g->phase != PHASE_WAITING)
		return;
	g->phase = PHASE_RUNNING;
	g->result->query_begin = start;
	g->end = g->config->duration == CLOCK_NEVER ?
	    CLOCK_NEVER :
	    start + g->config->duration;
	pool_sort(g->pool);
	pool_start_clock(g->pool, start, start);
	schedule_start(g->schedule, start);
	turn_arm(g, clock_now());
}

/* What may have become true by any event. */
static void
step(struct generator *g, uint64_t now)
{
	const struct stats *stats = &g->result->stats;

	if (g->phase == PHASE_OPENING && pool_unopened(g->pool) == 0 &&
	    stats_pending(stats) == 0 && stats_probes_in_flight(stats) == 0)
		wait_for_go(g, now);
	if ((g->phase == PHASE_WAITING || g->phase == PHASE_RUNNING) &&
	    stats_open(stats) == 0)
		drain(g, now); /* nothing is left to measure */
	if (g->phase == PHASE_DRAINING && stats_waiting(stats) == 0) {
		if (schedule_next(g->schedule) < g->end)
			timer_set(g->turn_timer, 0); /* count_rest() */
		else
			over(g);
	}
}

/*
 * Opening: the k-th connection of a run is due k / rate after the first, whatever
 * came in between, and connects overlap. Workers take turns.
 */

static uint64_t
open_due(const struct generator *g)
{
	double k = (double)g->opened * g->config->pool.workers +
	    worker_index(g->worker);

	if (g->config->open_rate <= 0)
		return 0;
	return g->config->open_begin +
	    (uint64_t)(k / g->config->open_rate * (double)CLOCK_NS_PER_SEC);
}

static void
on_open_timer(int fd, short what, void *arg)
{
	struct generator *g = arg;
	uint64_t now = clock_now();
	unsigned int burst;

	(void)fd;
	(void)what;
	for (burst = 0;
	     burst < OPEN_BURST && pool_may_open(g->pool) && open_due(g) <= now;
	     burst++) {
		pool_open_next(g->pool);
		g->opened++;
	}
	if (burst > 0)
		timer_start(g->tick_timer, pool_tick(g->pool));
	/* else the next connection that opens or fails sets it again */
	if (pool_may_open(g->pool))
		timer_set_at(g->open_timer, open_due(g), now);
	step(g, clock_now());
}

/*
 * Turns.
 */

/*
 * Sends every arrival that is due by now, up to BATCH_MAX; what is more comes
 * in the next turn, after reading.
 */
static void
turn(struct generator *g, uint64_t now)
{
	uint64_t limit = now < g->end ? now + 1 : g->end, after;
	struct arrival arrival;
	unsigned int count;

	for (count = 0; count < BATCH_MAX && schedule_next(g->schedule) < limit;
	     count++) {
		arrival = schedule_take(g->schedule);
		pool_enqueue(g->pool, &arrival);
	}
	pool_flush(g->pool);
	if (count > 0)
		timer_start(g->tick_timer, pool_tick(g->pool));

	after = clock_now();
	g->pump_after = after + (after - now);
	if (after >= g->end &&
	    (schedule_next(g->schedule) >= g->end || after - g->end > OVERRUN))
		drain(g, after);
	else
		turn_arm(g, after);
	step(g, after);
}

/*
 * Books what was due before the end and never sent, when everything else is
 * done: a piece a turn, so that signals are heard meanwhile.
 */
static void
count_rest(struct generator *g)
{
	struct arrival arrival;
	unsigned int count;

	for (count = 0;
	     count < COUNT_BURST && schedule_next(g->schedule) < g->end;
	     count++) {
		arrival = schedule_take(g->schedule);
		pool_skip(g->pool, &arrival);
	}
}

static void
on_turn_timer(int fd, short what, void *arg)
{
	struct generator *g = arg;
	uint64_t now = clock_now();

	(void)fd;
	(void)what;
	if (g->phase == PHASE_RUNNING)
		turn(g, now);
	else {
		count_rest(g);
		step(g, now);
	}
}

static void
on_progress(uint64_t now, void *arg)
{
	struct generator *g = arg;

	if (g->phase == PHASE_OPENING && pool_may_open(g->pool) &&
	    !event_pending(g->open_timer, EV_TIMEOUT, NULL))
		timer_set_at(g->open_timer, open_due(g), now);
	if (g->phase == PHASE_RUNNING && now >= g->pump_after &&
	    now > schedule_next(g->schedule) &&
	    now - schedule_next(g->schedule) > PUMP_LATENESS)
		turn(g, now);
	else
		step(g, now);
}

static void
on_tick_timer(int fd, short what, void *arg)
{
	struct generator *g = arg;
	uint64_t now = clock_now();

	(void)fd;
	(void)what;
	if (pool_expire(g->pool, now))
		timer_set(g->tick_timer, pool_tick(g->pool));
	on_progress(now, g);
}

static void
on_log_timer(int fd, short what, void *arg)
{
	struct generator *g = arg;

	(void)fd;
	(void)what;
	querylog_flush(g->log);
	if (querylog_error(g->log) != 0) {
		worker_tell(
		    g->worker, WORKER_FAILED, (uint64_t)querylog_error(g->log));
		over(g);
	} else
		timer_set(g->log_timer, LOG_FLUSH);
}

static void
on_message(const struct worker_message *message, void *arg)
{
	struct generator *g = arg;
	uint64_t now = clock_now();

	switch (message->verb) {
	case WORKER_GO:
		run(g, message->value);
		break;
	case WORKER_DRAIN:
		if (g->phase == PHASE_RUNNING && now < g->end) {
			g->end = now; /* what is due by now is still sent */
			turn(g, now);
		} else if (g->phase != PHASE_RUNNING)
			drain(g, now);
		break;
	case WORKER_STOP:
		drain(g, now);
		over(g);
		break;
	}
	step(g, now);
}

static void
generator_init(struct generator *g, struct worker *worker,
    const struct generator_config *config)
{
	struct schedule_config schedule = {
	    .rate = config->query_rate,
	    .seed = config->seed,
	    .stream = worker_index(worker),
	};

	memset(g, 0, sizeof(*g));
	g->config = config;
	g->worker = worker;
	g->base = worker_base(worker);
	g->result = worker_shared(worker);
	g->end = CLOCK_NEVER;
	g->schedule = schedule_new(&schedule);
	if (g->schedule == NULL)
		err(1, "no memory");
	if (config->log_queries)
		g->log = querylog_new(STDOUT_FILENO, worker_index(worker));
	g->pool = pool_new(
	    &config->pool, g->base, &g->result->stats, g->log, on_progress, g);
	g->open_timer = timer_new(g->base, 0, on_open_timer, g);
	g->turn_timer = timer_new(g->base, 0, on_turn_timer, g);
	g->tick_timer = timer_new(g->base, 0, on_tick_timer, g);
	g->log_timer = timer_new(g->base, 0, on_log_timer, g);
	worker_listen(worker, on_message, g);
}

static void
generator_clear(struct generator *g)
{
	event_free(g->open_timer);
	event_free(g->turn_timer);
	event_free(g->tick_timer);
	event_free(g->log_timer);
	pool_free(g->pool);
	schedule_free(g->schedule);
	if (g->log != NULL)
		querylog_free(g->log);
}

int
generator_run(struct worker *worker, const struct generator_config *config)
{
	struct generator g;

	generator_init(&g, worker, config);
	g.result->open_begin = clock_now();
	timer_set(g.open_timer, 0);
	if (g.log != NULL)
		timer_set(g.log_timer, LOG_FLUSH);
	if (event_base_dispatch(g.base) == -1)
		errx(1, "libevent: the event loop failed");
	if (g.log != NULL) {
		querylog_flush(g.log);
		if (querylog_error(g.log) != 0)
			worker_tell(worker, WORKER_FAILED,
			    (uint64_t)querylog_error(g.log));
	}
	generator_clear(&g);
	return 0;
}
