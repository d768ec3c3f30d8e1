/*
 * Connections that take another's place, while the run goes on.
 */
#include "lib/clock.h"
#include "client/pool_internal.h"

/* Connects begun in one go, for as long: answers wait meanwhile. */
#define REPLACE_SPELL (200 * CLOCK_NS_PER_US)

/* Opened again, where it is for good that they have ended. */
static void
reopen(struct pool *p, uint32_t id)
{
	conn_reset(conn_at(p->conns, id));
	slots_move(&p->slots, id, SLOTS_WAITING);
}

static void
leave(struct pool *p, uint32_t id, enum conn_end end)
{
	pool_make_unusable(p, id);
	conn_leave(conn_at(p->conns, id), end);
}

void
pool_go(struct pool *p)
{
	uint32_t id;

	p->going = true;
	if (p->life.reconnect != LIFE_RECONNECT_NONE)
		while ((id = slots_first(&p->slots, SLOTS_OVER)) != SLOTS_NONE)
			reopen(p, id);
	p->env.leave_at_once = p->env.limited && p->env.most_queries == 0;
	if (p->env.leave_at_once)
		while ((id = slots_first(&p->slots, SLOTS_OPEN)) != SLOTS_NONE)
			leave(p, id, CONN_USED_UP);
}

uint32_t
pool_coming(const struct pool *p)
{
	return p->going ? slots_coming(&p->slots) : 0;
}

uint32_t
pool_missing(const struct pool *p)
{
	return p->going ? p->missing_count : 0;
}

bool
pool_replaces(const struct pool *p)
{
	return p->going && slots_count(&p->slots, SLOTS_REPLACING) > 0 &&
	    pool_has_room(p);
}

void
pool_replace(struct pool *p, uint64_t now)
{
	uint64_t until = clock_now() + REPLACE_SPELL;
	uint32_t id;

	if (!p->going)
		return;
	while (p->life.reconnect != LIFE_RECONNECT_NONE &&
	    (id = backoff_take(&p->backoff, now)) != BACKOFF_NONE)
		if (slots_where(&p->slots, id) == SLOTS_RESTING)
			slots_move(&p->slots, id, SLOTS_WAITING);
	while (pool_replaces(p) &&
	    pool_open_slot(p, slots_first(&p->slots, SLOTS_REPLACING)) &&
	    clock_now() < until)
		continue;
}

uint32_t
pool_resting(const struct pool *p)
{
	return slots_count(&p->slots, SLOTS_RESTING);
}

bool
pool_churn(struct pool *p)
{
	uint32_t bits;

	if (p->usable_count == 0) {
		p->env.stats->n.churn_skipped++;
		return false;
	}
	bits = (uint32_t)(random_next(&p->random) >> 32);
	leave(p,
	    !p->life.churn_random ?
		slots_first(&p->slots, SLOTS_OPEN) :
		p->usable[random_choose(bits, p->usable_count)],
	    CONN_CHURNED);
	return true;
}

uint32_t
pool_held(const struct pool *p)
{
	return p->capacity - slots_count(&p->slots, SLOTS_FREE) -
	    slots_count(&p->slots, SLOTS_OVER) - p->parting;
}

bool
pool_is_settled(const struct pool *p)
{
	return slots_count(&p->slots, SLOTS_OPEN) == p->want;
}

uint32_t
pool_kept(const struct pool *p)
{
	return pool_held(p) < p->want ? pool_held(p) : p->want;
}

/* Of those that are not there yet, the ones that will come last. */
static uint32_t
first_dispensable(const struct pool *p)
{
	static const enum slots_list lists[] = {
	    SLOTS_RESTING, SLOTS_WAITING, SLOTS_REPLACING};
	uint32_t id = SLOTS_NONE;
	size_t i;

	for (i = 0; i < sizeof(lists) / sizeof(lists[0]) && id == SLOTS_NONE;
	     i++)
		id = slots_first(&p->slots, lists[i]);
	return id;
}

void
pool_want(struct pool *p, uint32_t connections)
{
	uint32_t id;

	p->want = connections;
	while (pool_held(p) < connections) {
		id = slots_first(&p->slots, SLOTS_OVER);
		if (id == SLOTS_NONE)
			id = slots_first(&p->slots, SLOTS_FREE);
		if (id == SLOTS_NONE)
			break; /* those that part come back when they are gone */
		reopen(p, id);
	}
	while (pool_held(p) > connections &&
	    (id = first_dispensable(p)) != SLOTS_NONE) {
		slots_move(&p->slots, id, SLOTS_FREE);
		pool_set_missing(p, id, false);
	}
}

uint32_t
pool_excess(const struct pool *p)
{
	uint32_t open = slots_count(&p->slots, SLOTS_OPEN), excess;

	if (!p->going || pool_held(p) <= p->want)
		return 0;
	excess = pool_held(p) - p->want;
	return excess < open ? excess : open;
}

void
pool_let_go(struct pool *p)
{
	uint32_t id = slots_first(&p->slots, SLOTS_OPEN);

	if (id == SLOTS_NONE)
		return;
	p->parting++;
	leave(p, id, CONN_ON_REQUEST);
}
