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
#include "client/program.h"
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
	struct event *drain_timer;
	struct program step; /* the one that runs, or comes next */
	double step_rate;
	struct usage usage; /* when the clock started */
	enum phase phase;
	bool ending; /* no further step */
	uint64_t opened; /* connects begun, since open_begin */
	uint64_t open_begin;
	uint64_t troubles; /* as of then */
	uint64_t end; /* what is due from then on is not sent */
	uint64_t pump_after; /* the read side may pump again */
};

/*
 * Phases.
 */

static void
over(struct generator *g, bool drain_over)
{
	if (g->phase == PHASE_OVER)
		return;
	g->phase = PHASE_OVER;
	g->result->close_begin = clock_now();
	pool_abandon(g->pool);
	pool_close(g->pool, drain_over);
	g->result->close_end = clock_now();
	event_base_loopbreak(g->base);
}

static void
end_querying(struct generator *g, uint64_t now)
{
	struct usage usage;

	usage_read(&usage);
	usage_subtract(&usage, &g->usage);
	g->result->usage = usage;
	g->result->query_end = now;
	if (now < g->end)
		g->end = now;
}

static void
drain(struct generator *g, uint64_t now)
{
	if (g->phase == PHASE_DRAINING || g->phase == PHASE_OVER)
		return;
	if (g->phase == PHASE_RUNNING)
		end_querying(g, now);
	g->phase = PHASE_DRAINING;
	if (g->result->open_end == 0)
		g->result->open_end = now;
	event_del(g->open_timer);
	event_del(g->turn_timer);
	pool_abandon(g->pool);
	if (g->config->drain != CLOCK_NEVER)
		timer_set(g->drain_timer, g->config->drain);
}

static void
wait_for_go(struct generator *g, uint64_t now)
{
	g->phase = PHASE_WAITING;
	if (g->result->open_end == 0)
		g->result->open_end = now;
	if (pool_usable(g->pool) == 0)
		over(g, false);
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
	const struct program *program =
	    g->config->steps ? &g->step : g->config->program;
	uint64_t duration = program_duration(program);

	if (g->phase != PHASE_WAITING)
		return;
	g->phase = PHASE_RUNNING;
	g->result->clock_begin = start;
	g->result->query_begin = start + g->config->warmup;
	g->result->query_end = 0;
	usage_read(&g->usage);
	g->end = duration == CLOCK_NEVER ? CLOCK_NEVER : start + duration;
	pool_sort(g->pool);
	pool_start_clock(g->pool, start, g->result->query_begin);
	schedule_start(g->schedule, program, start);
	turn_arm(g, clock_now());
}

static void
set_step(struct generator *g, uint64_t duration)
{
	if (g->phase != PHASE_WAITING)
		return;
	program_clear(&g->step);
	(void)program_append(&g->step, duration, g->step_rate, g->step_rate);
}

static uint32_t
hold_share(const struct generator *g, uint64_t connections)
{
	return (uint32_t)worker_share(
	    connections, worker_index(g->worker), worker_count(g->worker));
}

/* Connections that did not come about, or of which no answer came. */
static uint64_t
troubles(const struct generator *g)
{
	const struct stats_counters *n = &g->result->stats.n;

	return n->failed + n->probe_timed_out + n->probe_lost;
}

static void
hold(struct generator *g, uint64_t connections)
{
	if (g->phase != PHASE_WAITING)
		return;
	/* what is sent until the next step are probes again */
	pool_start_clock(g->pool, CLOCK_NEVER, CLOCK_NEVER);
	pool_hold(g->pool, hold_share(g, connections));
	g->phase = PHASE_OPENING;
	g->opened = 0;
	g->troubles = troubles(g);
	g->open_begin = clock_now();
	timer_set(g->open_timer, 0);
}

/* All that was sent has been answered, or will not be. */
static void
drained(struct generator *g)
{
	event_del(g->drain_timer);
	if (!g->config->steps || g->ending ||
	    stats_open(&g->result->stats) == 0) {
		over(g, false);
		return;
	}
	g->phase = PHASE_WAITING;
	worker_tell(g->worker, WORKER_READY, pool_usable(g->pool));
}

/* What may have become true by any event. */
static void
step(struct generator *g, uint64_t now)
{
	const struct stats *stats = &g->result->stats;

	/* a step that cannot hold any more need not be opened to its end */
	if (g->phase == PHASE_OPENING && g->config->steps &&
	    g->config->pool.probe && troubles(g) > g->troubles)
		pool_stop_opening(g->pool);
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
			drained(g);
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
	return g->open_begin +
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

/* What waits until then is lost. */
static void
on_drain_timer(int fd, short what, void *arg)
{
	struct generator *g = arg;

	(void)fd;
	(void)what;
	over(g, true);
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
		over(g, false);
	} else
		timer_set(g->log_timer, LOG_FLUSH);
}

static void
on_message(const struct worker_message *message, void *arg)
{
	struct generator *g = arg;
	uint64_t now = clock_now();

	switch (message->verb) {
	case WORKER_RATE:
		memcpy(&g->step_rate, &message->value, sizeof(g->step_rate));
		break;
	case WORKER_LAST:
		set_step(g, message->value);
		break;
	case WORKER_HOLD:
		hold(g, message->value);
		break;
	case WORKER_GO:
		run(g, message->value);
		break;
	case WORKER_DRAIN:
		g->ending = true;
		if (g->phase == PHASE_RUNNING && now < g->end) {
			g->end = now; /* what is due by now is still sent */
			turn(g, now);
		} else if (g->phase != PHASE_RUNNING)
			drain(g, now);
		break;
	case WORKER_STOP:
		g->ending = true;
		drain(g, now);
		over(g, false);
		break;
	}
	step(g, now);
}

static void
generator_init(struct generator *g, struct worker *worker,
    const struct generator_config *config)
{
	struct schedule_config schedule = {
	    .seed = config->seed,
	    .stream = worker_index(worker),
	    .streams = worker_count(worker),
	    .share = config->share,
	    .arrivals = config->arrivals,
	};

	memset(g, 0, sizeof(*g));
	g->config = config;
	g->worker = worker;
	g->base = worker_base(worker);
	g->result = worker_shared(worker);
	g->end = CLOCK_NEVER;
	g->open_begin = config->open_begin;
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
	g->drain_timer = timer_new(g->base, 0, on_drain_timer, g);
	if (config->steps)
		pool_hold(g->pool, hold_share(g, config->hold));
	worker_listen(worker, on_message, g);
}

static void
generator_clear(struct generator *g)
{
	event_free(g->open_timer);
	event_free(g->turn_timer);
	event_free(g->tick_timer);
	event_free(g->log_timer);
	event_free(g->drain_timer);
	program_clear(&g->step);
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
