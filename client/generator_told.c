/*
 * What a worker is told while it runs (--control). Nothing changes in one that has
 * not begun or is over: it answers all the same.
 */
#include <string.h>

#include "lib/clock.h"
#include "lib/worker.h"
#include "client/generator_internal.h"
#include "client/plan.h"
#include "client/schedule.h"

/* Nanoseconds since the program's start; 0 before it. */
static uint64_t
offset(const struct generator *g, uint64_t when)
{
	uint64_t begin = g->result->clock_begin;

	return when > begin ? when - begin : 0;
}

/* The plan changes at that moment, and the schedule with it. */
static void
change(struct generator *g, uint32_t verb, uint64_t at)
{
	struct plan *plan = g->config->plan;
	uint64_t late;

	if (verb == WORKER_CHANGE)
		plan_rate(plan, at, g->step_rate);
	else if (verb == WORKER_PAUSE)
		plan_pause(plan, at);
	else
		plan_resume(plan, at);
	late = schedule_change(g->schedule, &plan->now, at);
	if (late > g->result->change_late)
		g->result->change_late = late;
	generator_turn_arm(g, clock_now());
}

static void
take_share(struct generator *g, uint64_t bits, uint64_t now)
{
	double share;

	memcpy(&share, &bits, sizeof(share));
	schedule_share(g->schedule, offset(g, now), share);
	generator_turn_arm(g, now);
}

void
generator_told(
    struct generator *g, const struct worker_message *message, uint64_t now)
{
	bool running = g->phase == PHASE_RUNNING && g->config->plan != NULL;

	switch (message->verb) {
	case WORKER_CHANGE:
	case WORKER_PAUSE:
	case WORKER_RESUME:
		if (running)
			change(g, message->verb, offset(g, message->value));
		break;
	case WORKER_SHARE:
		if (running)
			take_share(g, message->value, now);
		break;
	case WORKER_WANT:
		if (running) {
			pool_want(g->pool, (uint32_t)message->value);
			generator_open_more(g, now); /* or close, as fast */
		}
		break;
	case WORKER_TALLY:
		worker_tell(g->worker, WORKER_DONE, pool_kept(g->pool));
		break;
	}
}
