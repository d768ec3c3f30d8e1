/*
 * The arrivals of a turn, spread over the connections that can be sent on.
 */
#include <err.h>
#include <stdlib.h>

#include "lib/clock.h"
#include "client/pool_internal.h"
#include "client/querylog.h"
#include "client/schedule.h"

void
pool_sort(struct pool *p)
{
	uint32_t *was_usable = calloc(p->capacity, sizeof(*was_usable)), i;

	if (was_usable == NULL)
		err(1, "no memory for %u connections", p->capacity);
	for (i = 0; i < p->usable_count; i++)
		was_usable[p->usable[i]] = 1;
	p->usable_count = 0;
	for (i = 0; i < p->capacity; i++)
		if (was_usable[i])
			pool_put_usable(p, p->usable_count++, i);
	free(was_usable);
}

static uint64_t *
scheduled(struct pool *p, const struct arrival *a)
{
	struct stats_counters *n = &p->env.stats->n;

	return a->due < p->env.measure_from ? &n->warmup_scheduled :
					      &n->scheduled;
}

static void
skip(struct pool *p, const struct arrival *a, uint64_t *counter)
{
	++*scheduled(p, a);
	if (a->due < p->env.measure_from)
		p->env.stats->n.warmup_skipped++;
	else
		++*counter;
	if (p->env.log != NULL)
		querylog_event(p->env.log, QUERYLOG_SKIPPED, clock_now(),
		    QUERYLOG_NONE, QUERYLOG_NONE, QUERYLOG_NONE);
}

/* Those that leave are closed, and replaced, when they have got them. */
static bool
most_wait_for_answers(const struct pool *p)
{
	uint32_t leaving = slots_count(&p->slots, SLOTS_LEAVING) - p->parting;

	return 2 * leaving >= pool_held(p);
}

/* Then this program runs, and answers do not wait for it, either. */
static bool
is_on_time(const struct arrival *a)
{
	return clock_now() < a->due + CLOCK_NS_PER_MS;
}

static void
skip_without_connection(struct pool *p, const struct arrival *a)
{
	struct stats_counters *n = &p->env.stats->n;

	skip(p, a, &n->skipped_no_connection);
	if (a->due < p->env.measure_from)
		return;
	if (p->want == 0)
		n->unsent_on_request++;
	else if (p->failing)
		n->unsent_after_failure++;
	else if (is_on_time(a) && most_wait_for_answers(p))
		n->unsent_for_answers++;
	else
		p->undecided++;
}

void
pool_skip(struct pool *p, const struct arrival *a)
{
	if (p->usable_count > 0)
		skip(p, a, &p->env.stats->n.skipped_overload);
	else
		skip_without_connection(p, a);
}

/* Each that is held has its turn, open or not; SLOTS_NONE: none is held. */
static uint32_t
take_turn(struct pool *p)
{
	uint32_t id, tried;

	for (tried = 0; tried < p->capacity; tried++) {
		id = p->turn++;
		if (p->turn == p->capacity)
			p->turn = 0;
		if (slots_where(&p->slots, id) != SLOTS_FREE)
			return id;
	}
	return SLOTS_NONE;
}

/* The connection it falls on; SLOTS_NONE if that cannot be sent on. */
static uint32_t
choose(struct pool *p, const struct arrival *a)
{
	uint32_t id;

	if (p->life.every == 0)
		return p->usable_count == 0 ?
		    SLOTS_NONE :
		    p->usable[random_choose(a->pick, p->usable_count)];
	id = take_turn(p);
	return id != SLOTS_NONE && slots_where(&p->slots, id) == SLOTS_OPEN ?
	    id :
	    SLOTS_NONE;
}

void
pool_enqueue(struct pool *p, const struct arrival *a)
{
	uint32_t chosen = choose(p, a);

	if (chosen == SLOTS_NONE) {
		skip_without_connection(p, a);
		return;
	}
	++*scheduled(p, a);
	batch_add(&p->batch, chosen, a->due, a->gap);
	/* not more than it may carry, even in one turn */
	if (p->env.limited && conn_reserve(conn_at(p->conns, chosen)) == 0)
		pool_make_unusable(p, chosen);
}

void
pool_flush(struct pool *p)
{
	uint32_t id, first;

	while (batch_take(&p->batch, &id, &first))
		conn_send(conn_at(p->conns, id), &p->batch, first);
}
