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

/* Until at it stays as it is; from then on it is as the other. */
static void
follow(struct program *p, uint64_t at, const struct program *other)
{
	struct program spliced = {0};

	program_append_part(&spliced, p, 0, at);
	program_append_part(&spliced, other, at, CLOCK_NEVER);
	program_clear(p);
	*p = spliced;
}

static void
hold(struct program *p, uint64_t at, double rate)
{
	struct program constant = {0};

	(void)program_append(&constant, program_duration(p), rate, rate);
	follow(p, at, &constant);
	program_clear(&constant);
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
	follow(&plan->now, at, &plan->asked);
}
