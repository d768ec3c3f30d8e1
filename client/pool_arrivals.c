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

/* Then this program runs, and neither answers nor handshakes wait for it. */
static bool
is_on_time(const struct arrival *a)
{
	return clock_now() < a->due + CLOCK_NS_PER_MS;
}

/*
 * What most of the connections wait for: SLOTS_LEAVING for their last answers,
 * SLOTS_CONNECTING for a handshake or the answer to a probe, theirs or those of as
 * many as may be pending at once; SLOTS_WAITING for this program.
 */
static enum slots_list
find_wait(const struct pool *p)
{
	uint32_t held = pool_held(p);
	uint32_t leaving = slots_count(&p->slots, SLOTS_LEAVING) - p->parting;
	uint32_t connecting = slots_count(&p->slots, SLOTS_CONNECTING);

	if (!pool_has_room(p))
		connecting += slots_count(&p->slots, SLOTS_WAITING) +
		    slots_count(&p->slots, SLOTS_REPLACING);
	if (2 * (leaving + connecting) < held)
		return SLOTS_WAITING;
	return leaving > connecting ? SLOTS_LEAVING : SLOTS_CONNECTING;
}

/* Where connections take turns: what the one whose turn it is waits for. */
static enum slots_list
find_wait_of(const struct pool *p, uint32_t id)
{
	enum slots_list list = slots_where(&p->slots, id);

	if (list == SLOTS_LEAVING || list == SLOTS_CONNECTING ||
	    list == SLOTS_RESTING || list == SLOTS_OVER)
		return list;
	return pool_has_room(p) ? SLOTS_WAITING : SLOTS_CONNECTING;
}

/* Why no connection was there, as far as that is known now. */
static void
book_absence(struct pool *p, const struct arrival *a, enum slots_list wait)
{
	struct stats_counters *n = &p->env.stats->n;

	if (p->want == 0)
		n->unsent_on_request++;
	else if (p->failing || wait == SLOTS_RESTING || wait == SLOTS_OVER)
		n->unsent_after_failure++;
	else if (wait == SLOTS_LEAVING && is_on_time(a))
		n->unsent_for_answers++;
	else {
		p->undecided++;
		p->in_handshake += wait == SLOTS_CONNECTING && is_on_time(a);
	}
}

/* id: the connection whose turn it is; SLOTS_NONE: any would have done. */
static void
skip_without_connection(struct pool *p, const struct arrival *a, uint32_t id)
{
	skip(p, a, &p->env.stats->n.skipped_no_connection);
	if (a->due >= p->env.measure_from)
		book_absence(p, a,
		    id == SLOTS_NONE ? find_wait(p) : find_wait_of(p, id));
}

void
pool_skip(struct pool *p, const struct arrival *a)
{
	if (p->usable_count > 0)
		skip(p, a, &p->env.stats->n.skipped_overload);
	else
		skip_without_connection(p, a, SLOTS_NONE);
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

/* The connection it falls on; SLOTS_NONE: there is none. */
static uint32_t
choose(struct pool *p, const struct arrival *a)
{
	if (p->life.every > 0)
		return take_turn(p);
	return p->usable_count == 0 ?
	    SLOTS_NONE :
	    p->usable[random_choose(a->pick, p->usable_count)];
}

void
pool_enqueue(struct pool *p, const struct arrival *a)
{
	uint32_t chosen = choose(p, a);

	if (chosen == SLOTS_NONE ||
	    (p->life.every > 0 &&
		slots_where(&p->slots, chosen) != SLOTS_OPEN)) {
		skip_without_connection(p, a, chosen);
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
