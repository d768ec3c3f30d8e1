#include <event2/event.h>

#include <err.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/timer.h"
#include "lib/worker.h"
#include "client/generator_internal.h"
#include "client/querylog.h"
#include "client/schedule.h"

/* What a worker has in its event loop beside its connections, at most. */
#define OTHER_DESCRIPTORS 64

/* Rows of a slow run must not wait for a full buffer. */
#define LOG_FLUSH (250 * CLOCK_NS_PER_MS)

/*
 * Phases.
 */

static void
over(struct generator *g, bool drain_over)
{
	if (g->phase == PHASE_OVER)
		return;
	g->phase = PHASE_OVER;
	while (generator_skip_due(g))
		;
	g->result->close_begin = clock_now();
	pool_abandon(g->pool);
	pool_close(g->pool, drain_over);
	g->result->close_end = clock_now();
	event_base_loopbreak(g->base);
}

/* A time that was set and did not come is none. */
static void
forget_times_to_come(struct generator *g, uint64_t now)
{
	struct generator_result *r = g->result;

	if (now >= r->query_begin)
		return;
	r->query_begin = r->query_end = 0;
	if (now < r->clock_begin)
		r->clock_begin = 0;
}

static void
end_querying(struct generator *g, uint64_t now)
{
	struct usage usage;

	usage_read(&usage);
	usage_subtract(&usage, &g->usage);
	g->result->usage = usage;
	outage_watch_end(&g->watch, now);
	if (now < g->end)
		g->end = now;
	/* not now: it may have heard late of the end */
	g->result->query_end = g->sent > g->end ? g->sent : g->end;
	g->result->answered_by_end = g->result->stats.n.answered;
	generator_churn_end(g, g->end);
	forget_times_to_come(g, g->end);
}

void
generator_drain(struct generator *g, uint64_t now)
{
	if (g->phase == PHASE_DRAINING || g->phase == PHASE_OVER)
		return;
	generator_open_end(g, now < g->end ? now : g->end);
	if (g->phase == PHASE_RUNNING)
		end_querying(g, now);
	g->phase = PHASE_DRAINING;
	if (g->result->open_end == 0)
		g->result->open_end = now;
	event_del(g->open_timer);
	event_del(g->replace_timer);
	event_del(g->turn_timer);
	event_del(g->churn_timer);
	event_del(g->settle_timer);
	pool_abandon(g->pool);
	if (g->config->drain != CLOCK_NEVER)
		timer_set(g->drain_timer, g->config->drain);
}

/* Those that have ended so far, once it runs; not where nobody was ever there. */
static bool
come_back(const struct generator *g)
{
	return g->config->pool.life.reconnect != LIFE_RECONNECT_NONE &&
	    g->result->stats.n.opened > 0;
}

static void
wait_for_go(struct generator *g, uint64_t now)
{
	g->phase = PHASE_WAITING;
	if (g->result->open_end == 0)
		g->result->open_end = now;
	if (pool_usable(g->pool) == 0 && !come_back(g))
		over(g, false);
	else
		worker_tell(g->worker, WORKER_READY, pool_usable(g->pool));
}

static void
set_begin(struct generator *g, uint64_t start)
{
	g->result->clock_begin = start;
	g->result->query_begin = start + g->config->warmup;
	pool_start_clock(g->pool, start, g->result->query_begin);
}

/* Told again before it has begun: at another time. */
static void
move_begin(struct generator *g, uint64_t start, uint64_t now)
{
	uint64_t begin = g->result->clock_begin;

	if (g->config->steps || now >= begin)
		return;
	if (g->end != CLOCK_NEVER)
		g->end = start + (g->end - begin);
	set_begin(g, start);
	schedule_move(g->schedule, start);
	generator_turn_arm(g, now);
	generator_churn_begin(g, now);
}

static void
run(struct generator *g, uint64_t start)
{
	const struct program *program =
	    g->config->steps ? &g->step : g->config->program;
	uint64_t duration = program_duration(program);

	if (g->phase == PHASE_RUNNING)
		move_begin(g, start, clock_now());
	if (g->phase != PHASE_WAITING)
		return;
	g->phase = PHASE_RUNNING;
	g->result->query_end = 0;
	memset(&g->result->causes, 0, sizeof(g->result->causes));
	usage_read(&g->usage);
	g->end = duration == CLOCK_NEVER ? CLOCK_NEVER : start + duration;
	pool_sort(g->pool);
	set_begin(g, start);
	schedule_start(g->schedule, program, start);
	generator_watch_begin(g);
	generator_turn_arm(g, clock_now());
	if (g->config->steps)
		return;
	generator_open_run(g);
	pool_go(g->pool);
	generator_churn_begin(g, clock_now());
	generator_open_more(g, clock_now());
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

/* Before the next step. What is sent until then are probes again. */
static void
reopen(struct generator *g)
{
	if (g->phase != PHASE_WAITING)
		return;
	pool_start_clock(g->pool, CLOCK_NEVER, CLOCK_NEVER);
	g->renewed = 0;
	g->phase = PHASE_OPENING;
	g->troubles = UINT64_MAX;
	generator_open_anew(g, clock_now());
	timer_set(g->open_timer, 0);
}

static void
hold(struct generator *g, uint64_t connections)
{
	if (g->phase != PHASE_WAITING)
		return;
	pool_hold(g->pool, hold_share(g, connections));
	reopen(g);
	g->troubles = troubles(g);
}

/* Everything that was sent has been answered, has timed out or is lost. */
static void
drained(struct generator *g, uint64_t now)
{
	event_del(g->drain_timer);
	if (!g->config->steps || g->ending ||
	    stats_open(&g->result->stats) == 0)
		over(g, false);
	else
		generator_settle(g, now);
}

void
generator_settled(struct generator *g)
{
	if (g->renewed == 0 && stats_open(&g->result->stats) == 0) {
		over(g, false);
		return;
	}
	g->phase = PHASE_WAITING;
	worker_tell(g->worker, WORKER_READY, pool_usable(g->pool));
}

static bool
nothing_left(const struct generator *g)
{
	if (pool_usable(g->pool) > 0)
		return false;
	if (g->config->plan != NULL)
		return false; /* it may be told to open some */
	if (g->phase == PHASE_WAITING && (come_back(g) || g->renewed > 0))
		return false;
	return stats_open(&g->result->stats) == 0 && pool_coming(g->pool) == 0;
}

/* What may have become true by any event. */
void
generator_step(struct generator *g, uint64_t now)
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
	    nothing_left(g))
		generator_drain(g, now);
	if (g->phase == PHASE_DRAINING && stats_waiting(stats) == 0) {
		if (schedule_next(g->schedule) < g->end)
			timer_set(g->turn_timer, 0); /* skips them */
		else
			drained(g, now);
	}
	generator_settle_look(g, now);
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
	int error;

	(void)fd;
	(void)what;
	querylog_flush(g->log);
	error = querylog_error(g->log);
	if (error == 0) {
		timer_set(g->log_timer, LOG_FLUSH);
		return;
	}
	worker_tell(g->worker, WORKER_FAILED, (uint64_t)error);
	if (error == QUERYLOG_UNREAD)
		return; /* it was told to end: when, and to stop, is still to be read */
	generator_drain(g, clock_now()); /* rates are over its time */
	over(g, false);
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
	case WORKER_REOPEN:
		reopen(g);
		break;
	case WORKER_GO:
		run(g, message->value);
		break;
	case WORKER_DRAIN:
		g->ending = true;
		/* what is due by then is still sent */
		if (g->phase == PHASE_RUNNING && message->value < g->end) {
			g->end = message->value;
			generator_turn(g, now);
		} else if (g->phase != PHASE_RUNNING)
			generator_drain(g, now);
		break;
	case WORKER_STOP:
		g->ending = true;
		generator_drain(g, now);
		over(g, false);
		break;
	default:
		generator_told(g, message, now);
		break;
	}
	generator_step(g, now);
}

static bool
awaits_answers(const void *arg)
{
	const struct generator *g = arg;

	return stats_waiting(&g->result->stats) > 0;
}

static void
generator_init(struct generator *g, struct worker *worker,
    const struct generator_config *config)
{
	struct schedule_config schedule = {
	    .seed = config->seed,
	    .stream = worker_index(worker),
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
	g->paced = true;
	g->schedule = schedule_new(&schedule);
	if (g->schedule == NULL)
		err(1, "no memory");
	if (config->log_queries)
		g->log = querylog_new(STDOUT_FILENO, worker_index(worker));
	g->pool = pool_new(&config->pool, g->base, &g->result->stats, g->log,
	    generator_on_progress, g);
	read_delay_begin(&g->delay, pool_capacity(g->pool) + OTHER_DESCRIPTORS,
	    &g->result->causes,
	    g->log == NULL ? NULL : querylog_write_time(g->log), awaits_answers,
	    g);
	pool_measure_delay(g->pool, &g->delay);
	g->open_timer = timer_new(g->base, 0, generator_on_open_timer, g);
	g->replace_timer = timer_new(g->base, 0, generator_on_replace_timer, g);
	g->turn_timer = timer_new(g->base, 0, generator_on_turn_timer, g);
	g->tick_timer = timer_new(g->base, 0, generator_on_tick_timer, g);
	g->log_timer = timer_new(g->base, 0, on_log_timer, g);
	g->drain_timer = timer_new(g->base, 0, on_drain_timer, g);
	g->churn_timer = timer_new(g->base, 0, generator_on_churn_timer, g);
	g->settle_timer = timer_new(g->base, 0, generator_on_settle_timer, g);
	if (config->steps)
		pool_hold(g->pool, hold_share(g, config->hold));
	worker_listen(worker, on_message, g);
}

static void
generator_clear(struct generator *g)
{
	event_free(g->open_timer);
	event_free(g->replace_timer);
	event_free(g->turn_timer);
	event_free(g->tick_timer);
	event_free(g->log_timer);
	event_free(g->drain_timer);
	event_free(g->churn_timer);
	event_free(g->settle_timer);
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
	g.result->open_begin = config->open_begin; /* when the first is due */
	timer_set(g.open_timer, 0);
	if (g.log != NULL)
		timer_set(g.log_timer, LOG_FLUSH);
	if (event_base_dispatch(g.base) == -1)
		errx(1, "libevent: the event loop failed");
	read_delay_end(&g.delay);
	if (g.log != NULL) {
		querylog_flush(g.log);
		if (querylog_error(g.log) != 0)
			worker_tell(worker, WORKER_FAILED,
			    (uint64_t)querylog_error(g.log));
	}
	generator_clear(&g);
	return 0;
}
