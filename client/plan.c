#include <string.h>

#include "lib/clock.h"
#include "client/plan.h"

void
plan_init(struct plan *plan, const struct program *program)
{
	memset(plan, 0, sizeof(*plan));
	program_append_part(&plan->asked, program, 0, CLOCK_NEVER);
	program_append_part(&plan->now, program, 0, CLOCK_NEVER);
}

void
plan_clear(struct plan *plan)
{
	program_clear(&plan->asked);
	program_clear(&plan->now);
}

bool
plan_is_full(const struct plan *plan)
{
	return plan->now.count >= PLAN_PIECES ||
	    plan->asked.count >= PLAN_PIECES;
}

/* Until at it stays as it is; from then on it holds the rate. */
static void
hold(struct program *p, uint64_t at, double rate)
{
	uint64_t end = program_duration(p);

	program_cut(p, at);
	(void)program_append(
	    p, end == CLOCK_NEVER ? CLOCK_NEVER : end - at, rate, rate);
}

static bool
is_over(const struct plan *plan, uint64_t at)
{
	return at >= program_duration(&plan->asked);
}

void
plan_rate(struct plan *plan, uint64_t at, double rate)
{
	if (is_over(plan, at))
		return;
	hold(&plan->asked, at, rate);
	if (!plan->paused)
		hold(&plan->now, at, rate);
}

void
plan_pause(struct plan *plan, uint64_t at)
{
	if (is_over(plan, at) || plan->paused)
		return;
	plan->paused = true;
	hold(&plan->now, at, 0);
}

void
plan_resume(struct plan *plan, uint64_t at)
{
	if (is_over(plan, at) || !plan->paused)
		return;
	plan->paused = false;
	program_cut(&plan->now, at);
	program_append_part(&plan->now, &plan->asked, at, CLOCK_NEVER);
}
