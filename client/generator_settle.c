/*
 * Between the steps of a search. Queries of a step that timed out may still wait at
 * the other side: it works them off in the time of the next step, and their answers
 * hold IDs that the next step needs. So the next step waits for these answers as long
 * as they keep coming. Connections on which some never came are closed then, and
 * others are opened in their places.
 *
 * The wait ends
 * - as soon as every answer has come,
 * - when none has come for --timeout (QUIET_LEAST at least),
 * - after PATIENCE times the length of a step and --timeout: given_up counts the
 *   answers that had kept coming until then.
 */
#include "lib/clock.h"
#include "lib/timer.h"
#include "client/generator_internal.h"

#define QUIET_LEAST (100 * CLOCK_NS_PER_MS)
#define PATIENCE    4
#define LOOKS	    16 /* in the time of quiet */

static uint64_t
quiet(const struct generator *g)
{
	uint64_t timeout = g->config->pool.timeout;

	return timeout > QUIET_LEAST ? timeout : QUIET_LEAST;
}

static uint64_t
longest(const struct generator *g)
{
	uint64_t step = program_duration(&g->step);

	if (step > CLOCK_NEVER / PATIENCE - quiet(g))
		return CLOCK_NEVER;
	return PATIENCE * (step + quiet(g));
}

static void
end(struct generator *g, bool given_up)
{
	if (given_up)
		g->result->given_up += pool_unanswered(g->pool);
	g->renewed = pool_renew(g->pool);
	g->result->renewed += g->renewed;
	event_del(g->settle_timer);
	generator_settled(g);
}

void
generator_settle(struct generator *g, uint64_t now)
{
	g->phase = PHASE_SETTLING;
	g->settling = (struct settling){
	    .begun = now,
	    .late = g->result->stats.n.late,
	    .last = now,
	};
}

void
generator_settle_look(struct generator *g, uint64_t now)
{
	struct settling *s = &g->settling;
	uint64_t late = g->result->stats.n.late;

	if (g->phase != PHASE_SETTLING)
		return;
	if (late != s->late) {
		s->late = late;
		s->last = now;
	}
	if (pool_unanswered(g->pool) == 0 ||
	    (now > s->last && now - s->last >= quiet(g)))
		end(g, false);
	else if (now > s->begun && now - s->begun >= longest(g))
		end(g, true);
	else
		timer_start(g->settle_timer, quiet(g) / LOOKS);
}

void
generator_on_settle_timer(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	generator_step(arg, clock_now());
}
