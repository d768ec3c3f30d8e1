/*
 * Sending what is due, and booking what has timed out.
 */
#include <event2/event.h>

#include "lib/clock.h"
#include "lib/timer.h"
#include "lib/worker.h"
#include "client/batch.h"
#include "client/generator_internal.h"
#include "client/querylog.h"
#include "client/schedule.h"

/*
 * Reading pumps the due arrivals too, or 4,096 ready connections would make
 * them late. But not at once, or nothing is left to batch; and never more than
 * half of the time, or sending starves reading.
 */
#define PUMP_LATENESS (10 * CLOCK_NS_PER_US)

/* A tool too slow for the rate, of queries or of churn, may go on for so long after
 * the end; what is due even then is skipped: overload. So it is where the end has been
 * for longer when it hears of it. */
#define OVERRUN CLOCK_NS_PER_SEC

/* So late, a turn waits until what the parent has said is read: it may be the end. */
#define STOOD (20 * CLOCK_NS_PER_MS)

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

/* What is due before then is sent now. Nothing where its rows would be lost. */
static uint64_t
send_limit(const struct generator *g, uint64_t now)
{
	if (g->log != NULL && querylog_error(g->log) != 0)
		return 0;
	if (now < g->end)
		return now + 1;
	return now - g->end > OVERRUN ? 0 : g->end;
}

void
generator_turn(struct generator *g, uint64_t now)
{
	uint64_t limit = send_limit(g, now), after;
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
	if (count > 0)
		g->sent = after;
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

/* It may have been told to end meanwhile. */
static bool
has_stood(const struct generator *g, uint64_t now)
{
	uint64_t due = schedule_next(g->schedule);

	return now > due && now - due > STOOD;
}

void
generator_on_turn_timer(int fd, short what, void *arg)
{
	struct generator *g = arg;
	uint64_t now = clock_now();

	(void)fd;
	(void)what;
	if (g->phase == PHASE_RUNNING && has_stood(g, now) && !g->put_off) {
		g->put_off = true;
		timer_set(g->turn_timer, 0); /* behind what can be read */
		return;
	}
	g->put_off = false;
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
	    now - schedule_next(g->schedule) > PUMP_LATENESS &&
	    !has_stood(g, now))
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
