/*
 * Sending what is due, and booking what has timed out.
 */
#include <event2/event.h>

#include "lib/clock.h"
#include "lib/timer.h"
#include "lib/worker.h"
#include "client/batch.h"
#include "client/generator_internal.h"
#include "client/schedule.h"

/*
 * Reading pumps the due arrivals too, or 4,096 ready connections would make
 * them late. But not at once, or nothing is left to batch; and never more than
 * half of the time, or sending starves reading.
 */
#define PUMP_LATENESS (10 * CLOCK_NS_PER_US)

/* A tool too slow for the rate, of queries or of churn, may go on for so long after
 * the end; what is due even then is skipped: overload. */
#define OVERRUN CLOCK_NS_PER_SEC

/* Arrivals that are skipped at once: some milliseconds. */
#define SKIP_BURST 262144

void
generator_turn_arm(struct generator *g, uint64_t now)
{
	uint64_t when = schedule_next(g->schedule);

	if (when > g->end)
		when = g->end;
	if (when != CLOCK_NEVER)
		timer_set_at(g->turn_timer, when, now);
}

/* Before the end, be it past. */
static bool
is_due(const struct generator *g)
{
	return schedule_next(g->schedule) < g->end || generator_churn_waits(g);
}

void
generator_turn(struct generator *g, uint64_t now)
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
	g->delay.spent.sending += after - now;
	g->pump_after = after + (after - now);
	if (after >= g->end && (!is_due(g) || after - g->end > OVERRUN))
		generator_drain(g, after);
	else
		generator_turn_arm(g, after);
	generator_step(g, after);
}

bool
generator_skip_due(struct generator *g)
{
	struct arrival arrival;
	unsigned int count;

	for (count = 0;
	     count < SKIP_BURST && schedule_next(g->schedule) < g->end;
	     count++) {
		arrival = schedule_take(g->schedule);
		pool_skip(g->pool, &arrival);
	}
	return count == SKIP_BURST;
}

void
generator_on_turn_timer(int fd, short what, void *arg)
{
	struct generator *g = arg;
	uint64_t now = clock_now();

	(void)fd;
	(void)what;
	if (g->phase == PHASE_RUNNING)
		generator_turn(g, now);
	else {
		(void)generator_skip_due(g);
		generator_step(g, now);
	}
}

void
generator_on_progress(uint64_t now, void *arg)
{
	struct generator *g = arg;

	if (g->phase == PHASE_OPENING)
		generator_open_more(g, now);
	/* most often there is nothing to it, and this is the hot path */
	if (g->phase == PHASE_RUNNING &&
	    (!pool_is_settled(g->pool) || g->watch.some_since != 0)) {
		generator_open_more(g, now);
		generator_watch(g, now);
	}
	if (g->phase == PHASE_RUNNING && now >= g->pump_after &&
	    now > schedule_next(g->schedule) &&
	    now - schedule_next(g->schedule) > PUMP_LATENESS)
		generator_turn(g, now);
	else
		generator_step(g, now);
}

void
generator_on_tick_timer(int fd, short what, void *arg)
{
	struct generator *g = arg;
	uint64_t now = clock_now(), after;

	(void)fd;
	(void)what;
	if (pool_expire(g->pool, read_delay_seen(&g->delay), now))
		timer_set(g->tick_timer, pool_tick(g->pool));
	after = clock_now();
	g->delay.spent.expiring += after - now;
	if (g->phase == PHASE_RUNNING) {
		pool_replace(g->pool, after);
		g->delay.spent.connecting += clock_now() - after;
	}
	generator_on_progress(now, g);
}
