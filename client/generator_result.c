#include "client/generator.h"

/* A time that is 0 has not come. */
static uint64_t
earliest(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static uint64_t
latest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

void
generator_result_add(
    struct generator_result *into, const struct generator_result *from)
{
	stats_merge(&into->stats, &from->stats);
#define ADD(name, which) into->name = which(into->name, from->name);
	GENERATOR_TIMES(ADD)
	into->answered_by_end += from->answered_by_end;
	into->outage.none = latest(into->outage.none, from->outage.none);
	into->outage.some = latest(into->outage.some, from->outage.some);
	read_delay_causes_add(&into->causes, &from->causes);
	into->change_late = latest(into->change_late, from->change_late);
	into->renewed += from->renewed;
	into->given_up += from->given_up;
}
