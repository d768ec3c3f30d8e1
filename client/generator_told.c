/*
 * What a worker is told while it runs (--control). Nothing changes in one that has
 * not begun or is over: it answers all the same.
 */
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

static void
note_late(struct generator *g, uint64_t late)
{
	if (late > g->result->change_late)
		g->result->change_late = late;
}

/* The plan changes at that moment, and the schedule with it. */
static void
change(struct generator *g, uint32_t verb, uint64_t at)
{
	struct plan *plan = g->config->plan;

	if (verb == WORKER_CHANGE)
		plan_rate(plan, at, g->step_rate);
	else if (verb == WORKER_PAUSE)
		plan_pause(plan, at);
	else
		plan_resume(plan, at);
	note_late(g, schedule_change(g->schedule, &plan->now, at));
	generator_turn_arm(g, clock_now());
}

/*
 * Uniform arrivals change hands at a moment, the same for all workers, or some of
 * them would be nobody's and others would be sent twice.
 */
static void
take_share(struct generator *g, uint64_t when, uint64_t now)
{
	if (g->config->arrivals != SCHEDULE_UNIFORM)
		when = now;
	note_late(
	    g, schedule_share(g->schedule, offset(g, when), &g->next_share));
	generator_turn_arm(g, now);
}

/* It was to change before the end, and that is past: nothing changed. */
static bool
came_too_late(const struct generator *g, uint64_t when)
{
	return g->config->plan != NULL && g->phase > PHASE_RUNNING &&
	    when < g->end;
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
		else if (came_too_late(g, message->value))
			note_late(g, now - message->value);
		break;
	case WORKER_TOTAL:
		g->next_share.total = (uint32_t)message->value;
		break;
	case WORKER_RANGE:
		g->next_share.first = (uint32_t)(message->value >> 32);
		g->next_share.count = (uint32_t)message->value;
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
